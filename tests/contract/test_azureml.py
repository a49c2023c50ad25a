"""The contract, held by Azure ML through Microsoft's SDK, over a loopback Azure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctrain.backends.azureml.data import AzureData
from ctrain.backends.azureml.ledger import AzureLedger
from ctrain.backends.azureml.registry import AzureRegistry
from ctrain.backends.azureml.serving.port import AzureServing
from ctrain.backends.azureml.serving.telemetry import AzureTelemetry
from ctrain.backends.azureml.trainer import AzureTrainer
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.ports import Pace
from ctrain.serving import DeploymentSpec, WorkspaceAddress
from ctrain.training import TrainingSpec
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import LoopbackTime
from tests.backends.azureml.conftest import azure, session, workspace
from tests.backends.azureml.published import publish_data
from tests.backends.azureml.serving.published import a_spec, publish_model
from tests.contract.data import DataContract
from tests.contract.ledger import RUN_URL, LedgerContract
from tests.contract.registry import RegistryContract
from tests.contract.serving import Make, ServingContract
from tests.contract.telemetry import TelemetryContract
from tests.contract.trainer import Spec, TrainerContract
from tests.memory import ManualClock

__all__ = ["azure", "session", "workspace"]

PROJECT = Path(__file__).parent / "project"


class TestLedger(LedgerContract):
    @pytest.fixture
    def clock(self, azure: Loopback) -> ManualClock:
        return LoopbackTime(azure=azure)

    @pytest.fixture
    def ledger(self, place: Place, session: AzureSession, clock: ManualClock) -> Iterator[AzureLedger]:
        session.clock = clock
        ledger = AzureLedger(AzureWorkspace(place.address, session), "visits", RUN_URL)
        yield ledger
        ledger.close()


class TestServing(ServingContract):
    @pytest.fixture
    def place(self, azure: Loopback) -> Place:
        """In a region of its own: there an endpoint's name is taken for all workspaces."""
        return azure.add_workspace(location=f"region{uuid.uuid4().hex[:8]}")

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def serving(self, workspace: AzureWorkspace, clock: SystemClock) -> AzureServing:
        return AzureServing(workspace, clock=clock)

    @pytest.fixture
    def make(self, workspace: AzureWorkspace, tmp_path: Path) -> Make:
        uri = publish_model(workspace)

        def spec(name: str, *, crash: bool = False) -> DeploymentSpec:
            return a_spec(name, uri, tmp_path / "conda.yml", crash=crash)

        return spec


class TestTelemetry(TelemetryContract):
    span_seconds = 60
    behind_seconds = 300.0

    @pytest.fixture
    def clock(self, azure: Loopback) -> ManualClock:
        return LoopbackTime(datetime.fromtimestamp(azure.now(), UTC), azure)

    @pytest.fixture
    def serving(self, workspace: AzureWorkspace, clock: ManualClock) -> AzureServing:
        workspace.session.clock = clock
        return AzureServing(workspace)

    @pytest.fixture
    def telemetry(self, workspace: AzureWorkspace, clock: ManualClock) -> AzureTelemetry:
        return AzureTelemetry(workspace, clock)

    place = TestServing.place
    make = TestServing.make


class TestTrainer(TrainerContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def trainer(self, workspace: AzureWorkspace, tmp_path: Path) -> AzureTrainer:
        return AzureTrainer(workspace, tmp_path / "outputs")

    @pytest.fixture
    def spec(self) -> Spec:
        return lambda behave, job: TrainingSpec(job, PROJECT / "train.yml", {"behave": behave}, "contract", job)


class TestRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, workspace: AzureWorkspace) -> AzureRegistry:
        def at(address: WorkspaceAddress) -> AzureWorkspace:
            return AzureWorkspace(address, workspace.session)

        return AzureRegistry(workspace, at)


class TestData(DataContract):
    @pytest.fixture
    def data(self, workspace: AzureWorkspace) -> AzureData:
        rows = "".join(f"{row},{row % 2}\n" for row in range(500))
        publish_data(workspace, "visits", "1", {"visits.csv": ("row_id,visited\n" + rows).encode()})
        return AzureData(workspace, compute="cpu-cluster", pace=Pace(0.05, 0.2, 0.1))

    @pytest.fixture
    def reference(self) -> str:
        return "azureml:visits@latest"
