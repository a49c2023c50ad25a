"""Assets through Microsoft's own client: uploaded, listed, resolved, changed where they may be, downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from tests.azure.loopback import Loopback

pytestmark = pytest.mark.usefixtures("stored")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    (made / "deep").mkdir(parents=True)
    (made / "train.py").write_text("print(1)\n")
    (made / "deep" / "data.csv").write_text("a,b\n1,2\n")
    return made


def test_a_data_asset_is_uploaded_and_its_latest_version_found(client: MLClient, folder: Path) -> None:
    """The version made last is the latest; the address is kept with its workspace in it, as the service does."""
    from azure.ai.ml.entities import Data

    for version in ("1", "2"):
        client.data.create_or_update(Data(name="visits", version=version, path=str(folder), type="uri_folder"))
    found = client.data.get("visits", label="latest")

    assert found.version == "2"
    assert found.path.startswith("azureml://subscriptions/")
    assert [data.version for data in client.data.list("visits")] == ["2", "1"]
    assert [data.name for data in client.data.list()] == ["visits"]


def test_what_a_version_points_to_cannot_be_changed(client: MLClient) -> None:
    """A second address for the same version is a conflict; tags and description may change."""
    from azure.ai.ml.entities import Data
    from azure.core.exceptions import ResourceExistsError

    def asset(path: str, **more: Any) -> Data:
        store = "azureml://datastores/workspaceblobstore/paths"
        return Data(name="visits", version="1", path=f"{store}/{path}", type="uri_folder", **more)

    client.data.create_or_update(asset("here/"))
    with pytest.raises(ResourceExistsError, match="data uri cannot be changed"):
        client.data.create_or_update(asset("there/"))

    assert client.data.create_or_update(asset("here/", tags={"rows": "10"})).tags == {"rows": "10"}
    with pytest.raises(ResourceExistsError, match="Only tags, description"):
        client.data.create_or_update(asset("here/", properties={"sampled": "yes"}))


def test_a_version_that_is_missing_is_404(client: MLClient) -> None:
    """As for any asset: the SDK says ResourceNotFoundError."""
    from azure.core.exceptions import ResourceNotFoundError

    with pytest.raises(ResourceNotFoundError):
        client.data.get("nothing", "1")
    with pytest.raises(ResourceNotFoundError):
        client.models.get("nothing", "1")


def test_a_model_is_registered_staged_archived_and_downloaded(client: MLClient, folder: Path, tmp_path: Path) -> None:
    """Versions count up where none is named; archived ones are left out of lists, and still there."""
    from azure.ai.ml.entities import Model

    first, model = [
        client.models.create_or_update(Model(name="visits", path=folder, type="custom_model")) for _ in "12"
    ]
    assert (first.version, model.version) == ("1", "2")

    model.stage = "Production"
    client.models.create_or_update(model)
    client.models.archive("visits", "1")
    client.models.download("visits", "2", download_path=tmp_path / "down")

    assert [found.version for found in client.models.list("visits")] == ["2"]
    assert [found.version for found in client.models.list("visits", stage="Production")] == ["2"]
    assert client.models.get("visits", "1").version == "1"
    assert sorted(file.name for file in (tmp_path / "down").rglob("*.*")) == ["data.csv", "train.py"]


def test_a_models_version_is_a_positive_integer(client: MLClient) -> None:
    """Unlike those of other assets (Azure/azureml-examples#2725)."""
    from azure.ai.ml.entities import Model
    from azure.core.exceptions import HttpResponseError

    path = "azureml://datastores/workspaceblobstore/paths/model"
    with pytest.raises(HttpResponseError, match="positive integer"):
        client.models.create_or_update(Model(name="visits", version="1.0.2", path=path, type="custom_model"))


def test_the_same_code_is_kept_once(client: MLClient, azure: Loopback, folder: Path, tmp_path: Path) -> None:
    """A snapshot is found again by its content, whatever name it would have got; and it can be downloaded."""
    from azure.ai.ml.entities._assets import Code

    first = client._code.create_or_update(Code(path=str(folder)))
    since = azure.mark()
    second = client._code.create_or_update(Code(path=str(folder)))
    client._code.download(first.name, first.version, tmp_path / "down")

    assert (first.name, first.version) == (second.name, second.version)
    assert not azure.calls(method="PUT", since=since)
    assert (tmp_path / "down" / "train.py").read_text() == "print(1)\n"


def test_an_environment_is_registered_and_cannot_be_changed(client: MLClient) -> None:
    """A version of an environment is what it is (Azure/azure-cli-extensions#5440)."""
    from azure.ai.ml.entities import Environment
    from azure.core.exceptions import ResourceExistsError

    def environment(image: str) -> Environment:
        return Environment(name="train", version="1", image=image, conda_file={"dependencies": ["python=3.11"]})

    made = client.environments.create_or_update(environment("mcr.microsoft.com/one"))
    with pytest.raises(ResourceExistsError, match="already registered"):
        client.environments.create_or_update(environment("mcr.microsoft.com/other"))

    assert made.conda_file == {"dependencies": ["python=3.11"]}
    assert client.environments.get("train", label="latest").version == "1"
