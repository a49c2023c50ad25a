"""What Azure tells, as nouns; and the commands for a person, which are run here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.cloud import CLOUDS
from ctrain.backends.azureml.serving.observed import (
    Trouble,
    deployment_of,
    endpoint_of,
    key_command,
    route_command,
    studio_link,
)
from ctrain.serving import AuthMode, DeploymentState, WorkspaceAddress

CLOUD = CLOUDS["AzureCloud"]
ADDRESS = WorkspaceAddress("sub", "group of mine", "ws")


def a_deployment(state: str = "Succeeded", **more: object) -> Json:
    model = "/subscriptions/s/.../models/visits/versions/3"
    return {"name": "blue", "properties": {"provisioningState": state, "model": model}, "tags": {}, **more}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("azures", "ours", "ready"),
    [
        ("Creating", DeploymentState.CREATING, False),
        ("Updating", DeploymentState.UPDATING, False),
        ("Scaling", DeploymentState.SUCCEEDED, True),
        ("Succeeded", DeploymentState.SUCCEEDED, True),
        ("succeeded", DeploymentState.SUCCEEDED, True),
        ("Failed", DeploymentState.FAILED, False),
        ("Canceled", DeploymentState.FAILED, False),
        ("Deleting", DeploymentState.DELETING, False),
        ("Reticulating", DeploymentState.UPDATING, False),
        ("", DeploymentState.UPDATING, False),
    ],
)
def test_every_state_is_one_that_we_act_upon(azures: str, ours: DeploymentState, ready: bool) -> None:
    """One that scales goes on serving; one that nobody knows is under way, and nothing is done about it."""
    seen = deployment_of(a_deployment(azures))

    assert (seen.state, seen.ready) == (ours, ready)


def test_what_may_be_placed_again_says_so() -> None:
    """Its failure is not its own."""
    seen = deployment_of(a_deployment("Canceled"), Trouble("another operation took its place", again=True))

    assert (seen.state, seen.error) == (DeploymentState.CANCELED, "another operation took its place")


def test_the_tags_say_which_model_it_is() -> None:
    """Name, version and digest, as they were placed."""
    tags = {
        "ctrain.model": "visits",
        "ctrain.version": "7",
        "ctrain.digest": "abc",
        "ctrain.commit": "c0ffee",
        "team": "t",
    }
    seen = deployment_of(a_deployment(tags=tags))

    assert (seen.model, seen.model_version, seen.model_digest) == ("visits", 7, "abc")
    assert seen.tags.items() >= {("commit", "c0ffee"), ("team", "t")}


@pytest.mark.parametrize(
    ("model", "name", "version"),
    [
        ("/subscriptions/s/.../models/visits/versions/3", "visits", 3),
        ("azureml://registries/r/models/visits/versions/12", "visits", 12),
        ("azureml:visits:4", "visits", 4),
        ("azureml:visits:latest", "visits", 0),
        ("", "", 0),
    ],
)
def test_somebody_elses_deployment_is_told_by_its_models_id(model: str, name: str, version: int) -> None:
    """It can be seen, kept and rolled back to."""
    seen = deployment_of({"name": "x", "properties": {"provisioningState": "Succeeded", "model": model}})

    assert (seen.model, seen.model_version, seen.model_digest) == (name, version, "")


def test_names_are_lower_case_on_both_sides() -> None:
    """Azure keeps a name's case and compares without: shares find their deployments."""
    body: Json = {"name": "Visits", "properties": {"provisioningState": "Updating", "traffic": {"BLUE": 100}}}
    seen = endpoint_of(body, [deployment_of({**a_deployment(), "name": "visits/Blue"})], ADDRESS, CLOUD)

    assert (seen.name, seen.running, seen.traffic, set(seen.deployments)) == ("visits", True, {"blue": 100}, {"blue"})


@pytest.mark.parametrize("state", ["Creating", "Deleting", "Failed", "Canceled", ""])
def test_an_endpoint_that_was_not_provisioned_does_not_run(state: str) -> None:
    """So that it is created, mended or waited for."""
    assert not endpoint_of({"name": "v", "properties": {"provisioningState": state}}, [], ADDRESS, CLOUD).running


@pytest.fixture
def az(tmp_path: Path) -> dict[str, str]:
    """An environment in which `az` writes down how it was called."""
    script = tmp_path / "az"
    script.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    script.chmod(0o755)
    return {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def words(command: str, env: dict[str, str]) -> list[str]:
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_traffic_can_be_set_without_ctrain(az: dict[str, str]) -> None:
    """The words that follow come as one, as az wants them; names with spaces survive the shell."""
    said = words(f"{route_command('visits', ADDRESS)} blue=0 green=100", az)

    assert said[:3] == ["ml", "online-endpoint", "update"]
    assert said[said.index("--resource-group") + 1] == "group of mine"
    assert said[said.index("--traffic") + 1] == "blue=0 green=100"


@pytest.mark.parametrize(
    ("mode", "word"), [("key", "primaryKey"), ("aml_token", "accessToken"), ("aad_token", "https://ml.azure.com")]
)
def test_a_key_is_had_by_a_command_of_az(az: dict[str, str], mode: AuthMode, word: str) -> None:
    """It prints what follows `Bearer`, whichever way the endpoint knows who asks."""
    said = words(key_command("visits", mode, ADDRESS, CLOUD), az)

    assert word in said
    assert said[-2:] == ["--output", "tsv"]


def test_the_studio_is_the_clouds_own() -> None:
    """In sovereign clouds it is elsewhere."""
    assert studio_link("v", "/s/ws", CLOUDS["AzureUSGovernment"]).startswith(
        "https://ml.azure.us/endpoints/realtime/v/"
    )
