"""`ctrain doctor` on Azure ML: each thing that a release needs has a line, and each that is missing has its fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ctrain.backends.azureml.bodies import JsonValue
from ctrain.backends.azureml.doctor import AzureDoctor
from ctrain.backends.azureml.examination.access import Grant
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.project import Project
from ctrain.verdict import Finding, Outcome
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.conftest import environment
from tests.project.builders import a_loaded_project

ASSETS = "2023-04-01-preview"

PIPELINE = """
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs:
  training_data: {type: uri_folder, path: azureml:visits@latest}
outputs: {model: {type: mlflow_model}, evaluation: {type: uri_folder}}
jobs:
  train:
    type: command
    command: train ${{inputs.data}} ${{outputs.model}} ${{outputs.evaluation}}
    environment: azureml:training:3
    inputs: {data: "${{parent.inputs.training_data}}"}
    outputs: {model: "${{parent.outputs.model}}", evaluation: "${{parent.outputs.evaluation}}"}
"""


def a_project(folder: Path, place: Place, pipeline: str = PIPELINE, **sections: Any) -> Project:
    """A project whose workspace is that one."""
    (folder / "pipelines").mkdir(parents=True, exist_ok=True)
    (folder / "pipelines" / "train.yml").write_text(pipeline)
    address = place.address
    data: dict[str, Any] = {"input": "training_data", "local": "visits.parquet", "azureml": "azureml:visits@latest"}
    data["sample"] = {"fraction": 0.05, "key": "row_id"}
    return a_loaded_project(folder, data=data, backends={"azureml": dict(vars(address))} | sections.pop("own", {}),
                            **sections)  # fmt: skip


def furnished(workspace: AzureWorkspace) -> None:
    """Give the workspace what the project names."""
    arm = workspace.arm
    image = {"properties": {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"}}
    arm.put("environments/training/versions/3", ASSETS, image)
    rows = {"dataType": "uri_folder", "dataUri": "azureml://datastores/workspaceblobstore/paths/visits/"}
    arm.put("data/visits/versions/7", ASSETS, {"properties": rows})


def examined(session: AzureSession, project: Project) -> dict[str, Finding]:
    """All findings by subject."""
    return {finding.subject: finding for finding in AzureDoctor(session).examine(project)}


def test_a_workspace_that_has_all_passes(workspace: AzureWorkspace, place: Place, tmp_path: Path) -> None:
    """From signing in to the cores for two deployments a stage."""
    furnished(workspace)
    found = examined(workspace.session, a_project(tmp_path, place))
    assert {subject: one.says for subject, one in found.items() if one.outcome is not Outcome.PASS} == {}
    assert list(found) == [
        "cloud",
        "sign-in",
        "identity",
        f"workspace {place.address.workspace}",
        "permissions for training",
        "store",
        "compute cpu-cluster",
        "environment training:3",
        "data",
        "permissions for dev",
        "permissions for prod",
        "endpoint visits-dev",
        "endpoint visits-prod",
        "quota westeurope",
    ]


def test_an_empty_workspace_is_told_line_by_line(workspace: AzureWorkspace, place: Place, tmp_path: Path) -> None:
    """Each missing thing by itself, with the way out; the others go on being looked at."""
    pipeline = PIPELINE.replace("cpu-cluster", "gpu-cluster")
    found = examined(workspace.session, a_project(tmp_path, place, pipeline))
    wrong = {subject for subject, one in found.items() if one.outcome is Outcome.FAIL}
    assert wrong == {"compute gpu-cluster", "environment training:3", "data"}
    assert "cpu-cluster" in found["compute gpu-cluster"].says


def test_missing_actions_are_named(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those and no others."""
    made = azure.service_principal()
    environment(monkeypatch, made)
    provider = "Microsoft.MachineLearningServices/workspaces"
    denied = [f"{provider}/onlineEndpoints/deployments/write", f"{provider}/JOBS/*"]
    azure.control("PUT", f"/grants/{made['AZURE_CLIENT_ID']}", {"actions": ["*"], "notActions": denied})
    found = examined(AzureSession(SystemClock()), a_project(tmp_path, place))
    assert found["permissions for dev"].outcome is Outcome.FAIL
    assert f"1 actions are not allowed, {denied[0]}:" in found["permissions for dev"].says
    for action in ("jobs/read", "jobs/write", "jobs/cancel/action"):
        assert f"{provider}/{action}" in found["permissions for training"].says


@pytest.mark.parametrize(
    ("actions", "not_actions", "action", "allowed"),
    [
        (["*"], [], "A/b/read", True),
        (["*/read"], [], "A/b/c/read", True),
        (["*/read"], [], "A/b/write", False),
        (["A/b/*"], ["A/b/delete"], "a/B/delete", False),
        (["A/b.c/*"], [], "A/bXc/read", False),
        ([], [], "A/read", False),
    ],
)
def test_roles_are_read_as_azure_reads_them(
    actions: list[str], not_actions: list[str], action: str, allowed: bool
) -> None:
    """Stars cross slashes, capitals do not matter, what is excluded is excluded."""
    assert Grant(tuple(actions), tuple(not_actions)).allows(action) is allowed


def test_a_stage_in_a_workspace_that_is_not_there_stops_only_itself(
    workspace: AzureWorkspace, place: Place, tmp_path: Path
) -> None:
    """The others are looked at; what could not be looked at says so."""
    furnished(workspace)
    stages = {"dev": {"endpoint": "visits-dev"}, "prod": {"endpoint": "visits-prod", "azureml": {"workspace": "none"}}}
    found = examined(workspace.session, a_project(tmp_path, place, stages=stages))
    assert found["workspace none"].outcome is Outcome.FAIL
    assert found["stage prod"].outcome is Outcome.INCONCLUSIVE
    assert found["endpoint visits-dev"].outcome is Outcome.PASS


def test_a_sign_in_that_fails_is_the_only_thing_told(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest would all say the same."""
    environment(monkeypatch, azure.service_principal(), {"AZURE_CLIENT_SECRET": "wrong"})
    found = examined(AzureSession(SystemClock()), a_project(tmp_path, place))
    assert found["identity"].outcome is Outcome.FAIL
    assert "AADSTS7000215" in found["identity"].says
    assert found["workspace"].outcome is Outcome.INCONCLUSIVE


def test_githubs_subject_is_told_before_it_is_refused(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the form that the app must have it, old or new."""
    names = {"GITHUB_REPOSITORY": "o/r", "GITHUB_REPOSITORY_ID": "12", "GITHUB_REPOSITORY_OWNER_ID": "7"}
    environment(monkeypatch, azure.github(), names)
    told = examined(AzureSession(SystemClock()), a_project(tmp_path, place))["github subject"]
    assert told.outcome is Outcome.PASS
    assert azure.control("GET", "/identity")["github_subject"] in told.says
    assert "repo:o/r:" in told.says
    assert "repo:o@7/r@12:" in told.says


def test_too_few_cores_are_told_before_a_rollout_finds_out(
    azure: Loopback, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """Two stages, old and new of each, one DS3_v2 with its reserve: 2 x 2 x 2 x 4 cores."""
    place = azure.add_workspace(location="northeurope")
    azure.control("PUT", "/limits/northeurope/standardDSv2Family", {"cores": 31})
    found = examined(workspace.session, a_project(tmp_path, place))
    assert found["quota northeurope"].outcome is Outcome.FAIL
    assert "32 cores more at most, 31 free" in found["quota northeurope"].says
    azure.control("PUT", "/limits/northeurope/standardDSv2Family", {"cores": 32})
    assert examined(workspace.session, a_project(tmp_path, place))["quota northeurope"].outcome is Outcome.PASS


def test_a_size_that_the_region_has_not_is_told(workspace: AzureWorkspace, place: Place, tmp_path: Path) -> None:
    """Before Azure refuses the deployment."""
    found = examined(
        workspace.session, a_project(tmp_path, place, deployment={"instance_type": "Standard_NC96ads_A100_v4"})
    )
    assert "there is no Standard_NC96ads_A100_v4 in westeurope" in found["quota westeurope"].says


def test_an_endpoints_name_that_somebody_else_has_is_told(
    azure: Loopback, workspace: AzureWorkspace, place: Place, tmp_path: Path
) -> None:
    """Names are one to a region; here another workspace has it."""
    other = AzureWorkspace(azure.add_workspace().address, workspace.session)
    name = f"visits-{place.address.workspace[3:]}"
    body: dict[str, JsonValue] = {
        "location": place.location,
        "identity": {"type": "SystemAssigned"},
        "properties": {"authMode": "Key"},
    }
    other.arm.put(f"onlineEndpoints/{name}", "2022-02-01-preview", body)
    azure.advance(60)
    project = a_project(tmp_path, place, stages={"dev": {"endpoint": name}})
    found = examined(workspace.session, project)
    assert found[f"endpoint {name}"].outcome is Outcome.FAIL
    assert "somebody else has this one" in found[f"endpoint {name}"].says


def test_a_registry_that_is_not_there_is_told(workspace: AzureWorkspace, place: Place, tmp_path: Path) -> None:
    """Models would not get to the other stages."""
    own = {"azureml": dict(vars(place.address)) | {"registry": "nobodys"}}
    found = examined(workspace.session, a_project(tmp_path, place, own=own))
    assert found["registry nobodys"].outcome is Outcome.FAIL


def test_looking_changes_nothing(azure: Loopback, workspace: AzureWorkspace, place: Place, tmp_path: Path) -> None:
    """Reading only, in two dozen calls."""
    furnished(workspace)
    since = azure.mark()
    examined(workspace.session, a_project(tmp_path, place))
    calls = azure.calls(since=since)
    posts = [call["path"].rsplit("/", 1)[1] for call in calls if call["method"] != "GET"]
    assert set(posts) <= {"token", "listSecrets"}
    assert len(calls) <= 26


def test_an_environment_that_leads_elsewhere_is_told(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is sent."""
    environment(monkeypatch, azure.service_principal(), {"AZUREML_DEV_URL_MFE": "https://stranger.example"})
    since = azure.mark()
    found = examined(AzureSession(SystemClock()), a_project(tmp_path, place))
    assert found["cloud"].outcome is Outcome.FAIL
    assert not azure.calls(since=since)


@pytest.mark.parametrize("denied", [(), ("Microsoft.Insights/*",)])
def test_a_stage_that_is_watched_wants_to_read_measurements(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: tuple[str, ...]
) -> None:
    """Without the right to, it is told with the role that has it; a release can do without."""
    principal = azure.service_principal()
    environment(monkeypatch, principal)
    azure.grant(principal["AZURE_CLIENT_ID"], denied=denied)
    rollout = {"strategy": "blue_green", "bake": "5m", "judge": {"errors": 0.01}}
    stages = {"dev": {"endpoint": "visits-dev"}, "prod": {"endpoint": "visits-prod", "rollout": rollout}}

    found = examined(AzureSession(SystemClock()), a_project(tmp_path, place, stages=stages))

    told = found["measurements of prod"]
    assert "measurements of dev" not in found
    assert not told.blocking
    assert told.outcome is (Outcome.INCONCLUSIVE if denied else Outcome.PASS)
    assert ("Microsoft.Insights/metrics/read" in told.says) == ("Monitoring Reader" in told.says) == bool(denied)
