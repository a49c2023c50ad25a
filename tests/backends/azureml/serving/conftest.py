"""Endpoints in the loopback Azure. Waiting takes no time: what is slept here passes there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ctrain.backends.azureml.serving.port import AzureServing
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.ports import Clock
from ctrain.rollout import live
from ctrain.serving import Deployment, DeploymentSpec, DeploymentState, Endpoint
from tests.azure.loopback import Loopback
from tests.backends.azureml.clocks import LoopbackTime
from tests.backends.azureml.conftest import environment
from tests.backends.azureml.serving.published import a_spec, publish_model

ENDPOINT = "visits"
PATH = r".*/onlineEndpoints/visits(\?.*)?"
"""The endpoint's own path, in the journal and in faults."""

Make = Callable[..., DeploymentSpec]


@dataclass
class Stood:
    """A workspace with serving in it, and how a test gets at what is in Azure."""

    azure: Loopback
    workspace: AzureWorkspace
    clock: Clock
    folder: Path
    environ: dict[str, str]
    specs: dict[str, DeploymentSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.serving = AzureServing(self.workspace, clock=self.clock)
        self.model = ""

    def spec(self, name: str, *, crash: bool = False) -> DeploymentSpec:
        self.model = self.model or publish_model(self.workspace)
        return a_spec(name, self.model, self.folder / "conda.yml", crash=crash)

    def settled(self, name: str) -> Deployment:
        """The deployment, once it is no longer on its way; bounded in real time."""
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            seen = self.look().deployments[name]
            if seen.state not in {DeploymentState.CREATING, DeploymentState.UPDATING}:
                return seen
            self.clock.sleep(0.1)
        raise AssertionError(f"{name} did not settle")

    def look(self) -> Endpoint:
        seen = self.serving.look(ENDPOINT)
        assert seen is not None
        return seen

    def routed(self, **split: int) -> None:
        """See to it that this, and nothing else, is the split."""
        seen = live(self.look().traffic)
        if seen != live(split):
            self.serving.route(ENDPOINT, dict.fromkeys(seen, 0) | split)

    def body(self) -> dict[str, Any]:
        found = self.workspace.arm.get(f"onlineEndpoints/{ENDPOINT}", "2022-02-01-preview")
        assert found is not None
        return dict(found)

    def fate(self, kind: str, **fate: Any) -> None:
        """How the next operation of a kind goes; see tests/azure/serving/control.py."""
        self.azure.control("POST", "/serving/fates", {"kind": kind, **fate})

    def set(self, **settings: Any) -> None:
        self.azure.control("POST", "/serving/settings", settings)

    def writes(self, since: int) -> list[str]:
        """What was written in Azure since then, as method and last part of the path."""
        return [
            f"{call['method']} {call['path'].partition('?')[0].rpartition('/')[2]}"
            for call in self.azure.calls(method="PUT|DELETE|PATCH", host="management.*", since=since)
        ]


def stand(azure: Loopback, folder: Path, patch: pytest.MonkeyPatch) -> Stood:
    """A fresh workspace in a region of its own, with a sign-in of its own, which outlives the test's environment."""
    place = azure.add_workspace(location=f"region{uuid.uuid4().hex[:8]}")
    environ = azure.service_principal()
    environment(patch, environ)
    clock = LoopbackTime(datetime.fromtimestamp(azure.now(), UTC), azure)
    session = AzureSession(clock)
    session.token(session.cloud.arm_scope)
    return Stood(azure, AzureWorkspace(place.address, session), clock, folder, environ)


@pytest.fixture
def stood(azure: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stood]:
    """A fresh workspace, without an endpoint."""
    yield stand(azure, tmp_path, monkeypatch)
    azure.control("DELETE", "/serving/fates")


@pytest.fixture(scope="module")
def shared(azure_process: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stood]:
    """A workspace whose endpoint has `blue` and `green`, for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch:
        environment(patch, azure_process.environment())
        stood = stand(azure_process, tmp_path_factory.mktemp("serving"), patch)
        stood.serving.create(ENDPOINT)
        for name in ("blue", "green"):
            stood.serving.place(ENDPOINT, stood.spec(name))
        for name in ("blue", "green"):
            assert stood.settled(name).healthy
        yield stood


@pytest.fixture
def both(azure: Loopback, shared: Stood) -> Iterator[Stood]:
    """The shared endpoint, with all traffic on `blue`, and nothing planned."""
    shared.routed(blue=100)
    yield shared
    azure.clear_faults()
    azure.control("DELETE", "/serving/fates")
    shared.set(stale_reads=1, routing_lag=0.2, token_lifetime=86_400.0)
