"""Ids of assets, in every form in which people and registries write them."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.serving.assets import INFERENCE_IMAGE, Assets
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.errors import UsageError
from ctrain.serving import ScoringCode, WorkspaceAddress
from tests.backends.azureml.serving.conftest import Stood
from tests.backends.azureml.serving.published import CONDA, SCORING
from tests.memory import ManualClock

ROOT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"


@pytest.fixture
def assets() -> Assets:
    """Of a workspace that is never asked."""
    return Assets(AzureWorkspace(WorkspaceAddress("s", "g", "w"), AzureSession(ManualClock())))


@pytest.mark.parametrize(
    ("uri", "asset"),
    [
        ("azureml:visits:3", f"{ROOT}/models/visits/versions/3"),
        ("azureml:my-model_2:1.0.2", f"{ROOT}/models/my-model_2/versions/1.0.2"),
        (f"azureml:{ROOT}/models/visits/versions/3", f"{ROOT}/models/visits/versions/3"),
        (f"{ROOT}/models/visits/versions/3", f"{ROOT}/models/visits/versions/3"),
        ("azureml://registries/r/models/visits/versions/3", "azureml://registries/r/models/visits/versions/3"),
        ("azureml://locations/l/workspaces/w/models/visits/versions/3", f"{ROOT}/models/visits/versions/3"),
        (
            "azureml://subscriptions/s/resourcegroups/g/workspaces/w/models/visits/versions/3",
            f"{ROOT}/models/visits/versions/3",
        ),
    ],
)
def test_a_models_uri_is_the_id_that_arm_knows(assets: Assets, uri: str, asset: str) -> None:
    """A registry's stays as it is; any other is the workspace's."""
    assert assets.model(uri) == asset


@pytest.mark.parametrize(
    "uri",
    [
        "", "/models/d1", "visits:3", "azureml:visits", "azureml:visits@latest", "azureml://registries/r/models/visits",
        f"{ROOT}/environments/e/versions/1", "https://elsewhere.test/m", "azureml://registries/r/environments/e/versions/1",
        "azureml://locations/l/workspaces/w/environments/e/versions/3", "azureml:../x:1",
    ],
)  # fmt: skip
def test_what_is_no_registered_version_is_refused(assets: Assets, uri: str) -> None:
    """A path, a name without a version, another kind of asset."""
    with pytest.raises(UsageError, match="the model cannot be deployed"):
        assets.model(uri)


@pytest.mark.parametrize(
    "named", ["azureml:env:7", "azureml://registries/azureml/environments/sklearn-1.5/versions/20"]
)
def test_an_environment_that_is_there_is_taken_as_it_is(assets: Assets, named: str) -> None:
    """Nothing is asked of Azure."""
    found = assets.environment(ScoringCode("code", "score.py", named))

    assert found in {f"{ROOT}/environments/env/versions/7", named}


def test_code_and_environment_are_kept_by_content(stood: Stood) -> None:
    """Uploaded once; the same again is found; another content is another asset."""
    conda = stood.folder / "conda.yml"
    conda.write_text(CONDA)
    assets = Assets(stood.workspace)
    scoring = ScoringCode(str(SCORING), "score.py", str(conda))
    first = (assets.code(scoring), assets.environment(scoring))
    since = stood.azure.mark()
    again = (assets.code(scoring), assets.environment(scoring))

    assert again == first
    assert stood.writes(since) == []
    conda.write_text(CONDA + "  - numpy\n")
    assert assets.environment(scoring) != first[1]
    body = stood.workspace.arm.get(f"environments/{first[1].split('/')[-3]}/versions/1", "2023-04-01-preview")
    assert body is not None
    properties = body["properties"]
    assert isinstance(properties, dict)
    assert (properties["image"], properties["condaFile"]) == (INFERENCE_IMAGE, CONDA)


def test_an_environment_file_that_cannot_be_read_is_told(assets: Assets) -> None:
    """By its name, and what to correct."""
    with pytest.raises(UsageError, match="cannot be read"):
        assets.environment(ScoringCode("code", "score.py", "/nowhere/conda.yml"))
