"""The contract, held by the embedded platform: real processes, real files, a real MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.data import LocalData
from ctrain.backends.local.home import Home
from ctrain.backends.local.ledger import LocalLedger
from ctrain.backends.local.registry import LocalRegistry
from ctrain.backends.local.serving import fleet
from ctrain.backends.local.serving.port import LocalServing
from ctrain.backends.local.serving.telemetry import LocalTelemetry
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.serving import DeploymentSpec, Probe, ScoringCode
from ctrain.training import TrainingSpec
from tests.builders import a_deployment_spec
from tests.contract.data import DataContract
from tests.contract.ledger import RUN_URL, LedgerContract
from tests.contract.registry import RegistryContract
from tests.contract.serving import Make, ServingContract
from tests.contract.telemetry import TelemetryContract
from tests.contract.trainer import Spec, TrainerContract
from tests.memory import ManualClock

PROJECT = Path(__file__).parent / "project"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / ".ctrain")


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


class TestLedger(LedgerContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def ledger(self, home: Home, clock: ManualClock) -> LocalLedger:
        return LocalLedger(home, clock, RUN_URL)


class TestTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, home: Home) -> LocalTrainer:
        return LocalTrainer(home)

    @pytest.fixture
    def spec(self) -> Spec:
        return lambda behave, job: TrainingSpec(job, PROJECT / "train.yml", {"behave": behave}, "contract", job)


class TestServing(ServingContract):
    @pytest.fixture
    def serving(self, home: Home, clock: SystemClock) -> Iterator[LocalServing]:
        yield LocalServing(home, clock)
        fleet.down(home, clock)

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        model = tmp_path / "model"
        model.mkdir()
        (model / "weights").write_text("1 2 3")
        code = ScoringCode(str(PROJECT / "scoring"), "score.py")

        def spec(name: str, *, crash: bool = False) -> DeploymentSpec:
            plain = a_deployment_spec(name, crash=crash, model_uri=str(model))
            return replace(plain, scoring=code, readiness=Probe(period=1, failure_threshold=20))

        return spec


class TestTelemetry(TelemetryContract):
    behind_seconds = 0.0

    @pytest.fixture
    def telemetry(self, home: Home, clock: SystemClock) -> LocalTelemetry:
        return LocalTelemetry(home, clock)

    serving = TestServing.serving
    make = TestServing.make


class TestRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, home: Home) -> LocalRegistry:
        return LocalRegistry(home)


class TestData(DataContract):
    @pytest.fixture
    def data(self, home: Home, tmp_path: Path) -> LocalData:
        rows = "".join(f"{row},{row % 2}\n" for row in range(500))
        (tmp_path / "visits.csv").write_text("row_id,visited\n" + rows)
        return LocalData(home, tmp_path)

    @pytest.fixture
    def reference(self) -> str:
        return "visits.csv"
