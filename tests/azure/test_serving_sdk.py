"""Online endpoints through Microsoft's own client, as a user drives them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.azure.shop import SCRIPT

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import ManagedOnlineDeployment

    from tests.azure.loopback import Loopback, Place

pytestmark = [pytest.mark.usefixtures("stored"), pytest.mark.long]

MLMODEL = "flavors:\n  python_function: {loader_module: twice, code: code}\n"
TWICE = """\
class Twice:
    def predict(self, rows):
        return rows * 2


def _load_pyfunc(path):
    return Twice()
"""


@pytest.fixture
def place(azure: Loopback) -> Iterator[Place]:
    """In a region of its own: there an endpoint's name is taken for all workspaces."""
    made = azure.add_workspace(location=f"region{uuid.uuid4().hex[:8]}")
    yield made
    azure.control("DELETE", f"{made.arm_id}/onlineEndpoints")
    azure.reset()


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A file with a request, as `invoke` wants it."""
    file = tmp_path / "request.json"
    table = {"columns": ["x"], "index": [0], "data": [[3]]}
    file.write_text(json.dumps({"input_data": table, "values": [3]}))
    return file


def an_endpoint(client: MLClient, **settings: str) -> str:
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    made = client.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="visits-prod", auth_mode="key", **settings)  # type: ignore[arg-type]
    ).result()
    assert made.provisioning_state == "Succeeded"
    return str(made.scoring_uri)


def a_script_deployment(client: MLClient, folder: Path, name: str, **variables: str) -> ManagedOnlineDeployment:
    """Of a model that is no MLflow model, with code and environment uploaded as the SDK does it."""
    from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, Model

    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "factor.json").write_text("2")
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "score.py").write_text(SCRIPT)
    return ManagedOnlineDeployment(
        name=name,
        endpoint_name="visits-prod",
        model=Model(name="visits", version="1", path=folder / "files", type="custom_model"),
        code_configuration=CodeConfiguration(code=str(folder / "code"), scoring_script="score.py"),
        environment=Environment(name="scoring", version="1", image="mcr.microsoft.com/azureml/minimal"),
        instance_type="Standard_DS3_v2",
        instance_count=1,
        environment_variables=variables,
        tags={"release": "r1"},
    )


def test_the_life_of_an_endpoint_with_a_model_of_mlflow(
    client: MLClient, azure: Loopback, tmp_path: Path, asked: Path
) -> None:
    """Created, served without code, given the traffic, asked, refused its end while it serves, and deleted."""
    from azure.ai.ml.entities import ManagedOnlineDeployment, Model
    from azure.core.exceptions import HttpResponseError

    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "twice.py").write_text(TWICE)
    (tmp_path / "model" / "MLmodel").write_text(MLMODEL)
    an_endpoint(client)
    model = client.models.create_or_update(
        Model(name="twice", version="1", path=tmp_path / "model", type="mlflow_model")
    )
    made = client.online_deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name="blue", endpoint_name="visits-prod", model=model, instance_type="Standard_DS3_v2", instance_count=1
        )
    ).result()
    assert made.provisioning_state == "Succeeded"

    endpoint = client.online_endpoints.get("visits-prod")
    assert endpoint.traffic == {"blue": 0}
    endpoint.traffic = {"blue": 100}
    client.online_endpoints.begin_create_or_update(endpoint).result()
    azure.advance(1)
    assert client.online_endpoints.get("visits-prod").traffic == {"blue": 100}
    assert json.loads(client.online_endpoints.invoke("visits-prod", request_file=str(asked))) == [{"x": 6}]

    with pytest.raises(HttpResponseError, match="Set its traffic to 0%"):
        client.online_deployments.begin_delete("blue", "visits-prod")
    client.online_endpoints.begin_delete("visits-prod").result()
    assert list(client.online_endpoints.list()) == []


def test_the_life_of_a_deployment_with_code(client: MLClient, tmp_path: Path, asked: Path) -> None:
    """Code, environment and model go up by the SDK; asked by name; logs of both containers; scaled; deleted."""
    an_endpoint(client)
    deployment = a_script_deployment(client, tmp_path, "green")
    made = client.online_deployments.begin_create_or_update(deployment).result()
    assert (made.provisioning_state, made.tags) == ("Succeeded", {"release": "r1"})

    answer = client.online_endpoints.invoke("visits-prod", deployment_name="green", request_file=str(asked))
    assert json.loads(answer)["answer"] == [6]
    assert "asked for [3]" in client.online_deployments.get_logs("green", "visits-prod", 50)
    stored = client.online_deployments.get_logs("green", "visits-prod", 50, container_type="storage-initializer")
    assert "Downloading the model visits:1" in stored

    found = client.online_deployments.get("green", "visits-prod")
    found.instance_count = 2
    assert client.online_deployments.begin_create_or_update(found).result().instance_count == 2
    client.online_deployments.begin_delete("green", "visits-prod").result()
    assert list(client.online_deployments.list("visits-prod")) == []


def test_a_deployment_that_crashes_is_an_error_with_a_reason(client: MLClient, tmp_path: Path) -> None:
    """The poller raises what the operation told; the log is there to be read."""
    from azure.core.exceptions import HttpResponseError

    an_endpoint(client)
    deployment = a_script_deployment(client, tmp_path, "broken", INIT="raise")
    with pytest.raises(HttpResponseError, match="ResourceNotReady: User container has crashed"):
        client.online_deployments.begin_create_or_update(deployment).result()

    assert "no such weights" in client.online_deployments.get_logs("broken", "visits-prod", 50)


def test_credentials_are_what_the_endpoint_asks_for(client: MLClient) -> None:
    """Keys that can be regenerated, a token with an end, or Entra's own."""
    from azure.ai.ml.entities import EndpointAadToken, EndpointAuthKeys, EndpointAuthToken, ManagedOnlineEndpoint

    kinds = {"key": EndpointAuthKeys, "aml_token": EndpointAuthToken, "aad_token": EndpointAadToken}
    for mode, kind in kinds.items():
        name = f"by-{mode.replace('_', '-')}"
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode=mode)).result()
        assert isinstance(client.online_endpoints.get_keys(name), kind)
    client.online_endpoints.begin_regenerate_keys("by-key", key_type="primary").result()
