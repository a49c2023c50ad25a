"""A workspace with two models, a scoring script and an endpoint that serves them: for tests of serving."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.azure.loopback import Loopback
from tests.azure.plain import DEPLOYMENTS, Plain, plain

SCRIPT = """\
import json, os, time
from pathlib import Path
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    global factor
    if os.environ.get("INIT") == "raise":
        raise RuntimeError("no such weights")
    factor = json.loads((Path(os.environ["AZUREML_MODEL_DIR"]) / "files" / "factor.json").read_text())


def run(raw):
    asked = json.loads(raw)
    if asked.get("do") == "raise":
        raise RuntimeError("the model broke")
    if asked.get("do") == "refuse":
        return AMLResponse("not like this", 400)
    print("asked for", asked["values"], flush=True)
    time.sleep(asked.get("sleep", 0))
    return {"answer": [factor * value for value in asked["values"]], "pid": os.getpid()}
"""
ASK = {"values": [1, 2]}


@dataclass
class Shop:
    """`endpoint` serves `blue` (a factor of 2) and `green` (of 3); other endpoints may be made beside it."""

    plain: Plain
    endpoint: str
    models: dict[int, str]
    code: str
    environment: str

    @property
    def azure(self) -> Loopback:
        return self.plain.loopback

    @property
    def url(self) -> str:
        return self.url_of(self.endpoint)

    def url_of(self, endpoint: str) -> str:
        return f"https://{endpoint}.{self.plain.place.location}.inference.ml.azure.com/score"

    @property
    def key(self) -> str:
        return str(self.plain.arm("POST", f"onlineEndpoints/{self.endpoint}/listKeys").json()["primaryKey"])

    def endpoint_body(self, traffic: dict[str, int] | None = None, **properties: Any) -> dict[str, Any]:
        split = {} if traffic is None else {"traffic": traffic}
        settings = {"authMode": "Key", **split, **properties}
        return {"location": self.plain.place.location, "identity": {"type": "SystemAssigned"}, "properties": settings}

    def put_endpoint(self, name: str, traffic: dict[str, int] | None = None, **properties: Any) -> httpx.Response:
        return self.plain.arm("PUT", f"onlineEndpoints/{name}", self.endpoint_body(traffic, **properties))

    def new_endpoint(self, **properties: Any) -> str:
        """Another endpoint, without deployments."""
        name = f"shop-{uuid.uuid4().hex[:8]}"
        assert self.put_endpoint(name, **properties).status_code == 201
        self.plain.until(f"onlineEndpoints/{name}", "Succeeded")
        return name

    def deployment_body(self, factor: int = 2, count: int = 1, **properties: Any) -> dict[str, Any]:
        settings = {
            "endpointComputeType": "Managed",
            "model": self.models[factor],
            "codeConfiguration": {"codeId": self.code, "scoringScript": "score.py"},
            "environmentId": self.environment,
            "instanceType": "Standard_DS3_v2",
            **properties,
        }
        return {
            "location": self.plain.place.location,
            "properties": settings,
            "sku": {"name": "Default", "capacity": count},
        }

    def put_deployment(
        self, name: str, body: dict[str, Any] | None = None, endpoint: str | None = None
    ) -> httpx.Response:
        where = f"onlineEndpoints/{endpoint or self.endpoint}/deployments/{name}"
        return self.plain.arm("PUT", where, body or self.deployment_body(), DEPLOYMENTS)

    def deployment(self, name: str, *states: str, endpoint: str | None = None) -> dict[str, Any]:
        """It, once it is in one of these states (Succeeded or Failed where none is named)."""
        where = f"onlineEndpoints/{endpoint or self.endpoint}/deployments/{name}"
        return self.plain.until(where, *(states or ("Succeeded", "Failed")))

    def route(self, traffic: dict[str, int] | None, **properties: Any) -> None:
        """Set the split, and wait until it is shown and in force."""
        self.azure.durations(endpoint_update=0)
        put = self.put_endpoint(self.endpoint, traffic, **properties)
        assert put.status_code == 200, put.text
        self.plain.until(f"onlineEndpoints/{self.endpoint}", "Succeeded")
        self.plain.arm("GET", f"onlineEndpoints/{self.endpoint}")
        self.azure.advance(1)

    def ask(self, body: Any = None, deployment: str | None = None) -> httpx.Response:
        return self.plain.score(self.url, self.key, body or ASK, deployment)

    def operation(self, answer: httpx.Response) -> dict[str, Any]:
        """What the operation that an answer began tells now."""
        told: dict[str, Any] = self.plain.arm("GET", answer.headers["Azure-AsyncOperation"]).json()
        return told

    def serving(self, what: str, **body: Any) -> None:
        """Tell control something of serving."""
        self.azure.control("POST", f"/serving/{what}", body)


def _stocked(client: Plain) -> Shop:
    """Models, code and environment by their ids; no endpoint yet."""
    models = {}
    for version, factor in ((1, 2), (2, 3)):
        uri = client.upload("models", {"factor.json": json.dumps(factor)})
        body = {"properties": {"modelUri": uri, "modelType": "custom_model"}}
        models[factor] = client.arm("PUT", f"models/visits/versions/{version}", body, "2023-08-01-preview").json()["id"]
    uri = client.upload("codes", {"score.py": SCRIPT})
    code = client.arm("PUT", "codes/scoring/versions/1", {"properties": {"codeUri": uri}}, "2023-04-01").json()["id"]
    image = {"properties": {"image": "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py311-cpu-inference"}}
    environment = client.arm("PUT", "environments/scoring/versions/1", image, DEPLOYMENTS).json()["id"]
    return Shop(client, "visits-prod", models, code, environment)


@pytest.fixture(scope="module")
def stocked(azure: Loopback) -> Iterator[Shop]:
    """In a region of its own, as names of endpoints are taken for a region. Skips where there is no storage."""
    if why := azure.control("GET", "/storage")["missing"]:
        pytest.skip(why)
    place = azure.add_workspace(location=f"region{uuid.uuid4().hex[:8]}")
    with plain(azure, place) as client:
        yield _stocked(client)
    azure.control("DELETE", f"{place.arm_id}/onlineEndpoints")


@pytest.fixture(scope="module")
def opened(stocked: Shop) -> Shop:
    """With its endpoint, and both deployments up."""
    assert stocked.put_endpoint(stocked.endpoint).status_code == 201
    stocked.plain.until(f"onlineEndpoints/{stocked.endpoint}", "Succeeded")
    for name, factor in (("blue", 2), ("green", 3)):
        body = stocked.deployment_body(factor, environmentVariables={"COLOUR": name})
        assert stocked.put_deployment(name, body).status_code == 201
    for name in ("blue", "green"):
        assert stocked.deployment(name)["properties"]["provisioningState"] == "Succeeded"
    return stocked


@pytest.fixture
def shop(opened: Shop) -> Iterator[Shop]:
    """All traffic to blue; what a test plans is gone after it."""
    opened.route({"blue": 100})
    yield opened
    opened.azure.reset()
