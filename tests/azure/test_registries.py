"""Registries through Microsoft's own client: assets of their own, and those that workspaces share."""

from __future__ import annotations

import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.azure.loopback import Loopback, Place
from tests.azure.plain import DEPLOYMENTS, plain

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Model

pytestmark = [pytest.mark.usefixtures("stored"), pytest.mark.long]


@pytest.fixture
def registry(azure: Loopback, place: Place) -> str:
    """The name of a fresh registry, in another region than the workspace."""
    name = f"models-{uuid.uuid4().hex[:8]}"
    address = place.address
    wanted = {"subscription_id": address.subscription_id, "resource_group": address.resource_group}
    azure.control("POST", "/registries", {"name": name, **wanted, "location": "northeurope"})
    return name


@pytest.fixture
def shared(client: MLClient, registry: str, service_principal: dict[str, str]) -> MLClient:
    """The SDK's client of the registry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml import MLClient
        from azure.identity import EnvironmentCredential

        return MLClient(EnvironmentCredential(), registry_name=registry, show_progress=False)


def a_model(folder: Path, name: str = "visits") -> Model:
    from azure.ai.ml.entities import Model

    (folder / "model" / "deep").mkdir(parents=True)
    (folder / "model" / "factor.json").write_text("2")
    (folder / "model" / "deep" / "more.txt").write_text("more")
    return Model(name=name, version="1", path=folder / "model", type="custom_model", tags={"digest": "d1"})


def test_a_model_is_shared_with_its_files_and_tags(
    client: MLClient, shared: MLClient, registry: str, tmp_path: Path
) -> None:
    """Copied under the name and version asked for: the registry's files are its own."""
    client.models.create_or_update(a_model(tmp_path))

    made = client.models.share(
        "visits", "1", share_with_name="visits-shared", share_with_version="7", registry_name=registry
    )

    assert made.id == f"azureml://registries/{registry}/models/visits-shared/versions/7"
    assert made.tags == {"digest": "d1"}
    assert [model.version for model in shared.models.list("visits-shared")] == ["7"]
    shared.models.download("visits-shared", "7", download_path=tmp_path / "got")
    got = {str(file.relative_to(tmp_path / "got")) for file in (tmp_path / "got").rglob("*.*") if file.is_file()}
    assert got == {"visits-shared/model/factor.json", "visits-shared/model/deep/more.txt"}


def test_environments_and_data_are_shared_as_well(
    client: MLClient, shared: MLClient, registry: str, tmp_path: Path
) -> None:
    """Data with its files; environments as they are."""
    from azure.ai.ml.entities import Data, Environment

    (tmp_path / "rows.csv").write_text("a\n1\n")
    client.data.create_or_update(Data(name="rows", version="1", path=str(tmp_path / "rows.csv"), type="uri_file"))
    client.environments.create_or_update(Environment(name="env", version="1", image="mcr.microsoft.com/x"))
    names = {"share_with_name": "ours", "share_with_version": "3", "registry_name": registry}

    assert client.data.share("rows", "1", **names).version == "3"
    assert client.environments.share("env", "1", **names).image == "mcr.microsoft.com/x"
    assert shared.data.get("ours", "3").path.endswith("/rows.csv")


def test_what_is_shared_already_and_what_is_not_there_is_refused(
    client: MLClient, registry: str, tmp_path: Path
) -> None:
    """A version of a registry is made once."""
    from azure.ai.ml.exceptions import ValidationException
    from azure.core.exceptions import HttpResponseError

    client.models.create_or_update(a_model(tmp_path))
    names = {"share_with_name": "visits", "share_with_version": "1", "registry_name": registry}
    client.models.share("visits", "1", **names)

    with pytest.raises(ValidationException, match="already exists"):
        client.models.share("visits", "1", **names)
    with pytest.raises(HttpResponseError, match="versions/9 is not in the workspace"):
        client.models.share("visits", "9", **{**names, "share_with_version": "9"})


def test_assets_are_made_in_a_registry(client: MLClient, shared: MLClient, tmp_path: Path) -> None:
    """Models and data with their files, environments, components: each is found again, by version and as the latest."""
    from azure.ai.ml import load_component
    from azure.ai.ml.entities import Data, Environment

    made = shared.models.create_or_update(a_model(tmp_path, "direct"))
    shared.data.create_or_update(Data(name="rows", version="1", path=str(tmp_path / "model"), type="uri_folder"))
    environment = shared.environments.create_or_update(
        Environment(name="env", version="1", image="mcr.microsoft.com/x")
    )
    (tmp_path / "step.yml").write_text(
        f"name: step\nversion: '1'\ntype: command\ncommand: echo\nenvironment: {environment.id}\n"
    )
    shared.components.create_or_update(load_component(tmp_path / "step.yml"))

    assert shared.models.get("direct", label="latest").path == made.path
    assert [one.name for one in shared.models.list()] == ["direct"]
    assert shared.data.get("rows", "1").path
    assert shared.environments.get("env", "1").image == "mcr.microsoft.com/x"
    assert shared.components.get("step", "1").command == "echo"


def test_a_registry_is_a_resource_of_its_group(client: MLClient, registry: str, place: Place) -> None:
    """Read and listed; created and deleted by long operations."""
    from azure.ai.ml.entities import Registry, RegistryRegionDetails
    from azure.core.exceptions import ResourceNotFoundError

    assert client.registries.get(registry).location == "northeurope"
    regions = [RegistryRegionDetails(location="eastus")]
    name = f"made-{uuid.uuid4().hex[:8]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.registries.begin_create(Registry(name=name, location="eastus", replication_locations=regions)).result()
    assert name in [one.name for one in client.registries.list()]
    client.registries.begin_delete(name=name).result()
    with pytest.raises(ResourceNotFoundError):
        client.registries.get(name)


def test_a_deployment_takes_its_model_from_a_registry(
    azure: Loopback, client: MLClient, registry: str, place: Place, tmp_path: Path
) -> None:
    """By its asset id; one that is not there fails the deployment."""
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_text("flavors:\n  python_function: {loader_module: one, code: code}\n")
    source = "class One:\n    def predict(self, rows):\n        return [1]\ndef _load_pyfunc(path):\n    return One()\n"
    (tmp_path / "model" / "code" / "one.py").write_text(source)
    from azure.ai.ml.entities import Model

    client.models.create_or_update(Model(name="one", version="1", path=tmp_path / "model", type="mlflow_model"))
    client.models.share("one", "1", share_with_name="one", share_with_version="1", registry_name=registry)
    name = f"from-{uuid.uuid4().hex[:8]}"
    with plain(azure, place) as http:
        body = {"location": place.location, "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
        http.arm("PUT", f"onlineEndpoints/{name}", body)
        http.until(f"onlineEndpoints/{name}", "Succeeded")
        for version, state in (("1", "Succeeded"), ("2", "Failed")):
            settings = {
                "endpointComputeType": "Managed",
                "instanceType": "Standard_DS3_v2",
                "model": f"azureml://registries/{registry}/models/one/versions/{version}",
            }
            where = f"onlineEndpoints/{name}/deployments/blue{version}"
            wanted = {"location": place.location, "sku": {"name": "Default", "capacity": 1}, "properties": settings}
            http.arm("PUT", where, wanted, DEPLOYMENTS)
            assert http.until(where, "Succeeded", "Failed")["properties"]["provisioningState"] == state
        key = http.arm("POST", f"onlineEndpoints/{name}/listKeys").json()["primaryKey"]
        url = f"https://{name}.{place.location}.inference.ml.azure.com/score"
        assert http.score(url, key, {"input_data": [[1]]}, "blue1").json() == [1]
