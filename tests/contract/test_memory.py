"""The contract, held by the fake: only so can a story told on it be believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.data import DataVersion
from ctrain.training import TrainingSpec
from tests.builders import a_deployment_spec, outputs
from tests.contract.data import DataContract
from tests.contract.ledger import RUN_URL, LedgerContract
from tests.contract.registry import RegistryContract
from tests.contract.serving import Make, ServingContract
from tests.contract.telemetry import TelemetryContract
from tests.contract.trainer import Spec, TrainerContract
from tests.memory import (
    ManualClock,
    MemoryData,
    MemoryLedger,
    MemoryRegistry,
    MemoryServing,
    MemoryTelemetry,
    MemoryTrainer,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, clock: ManualClock) -> MemoryLedger:
        return MemoryLedger(clock, run_url=RUN_URL)


class TestTrainer(TrainerContract):
    @pytest.fixture
    def trainer(self, tmp_path: Path) -> MemoryTrainer:
        return MemoryTrainer(tmp_path, outputs())

    @pytest.fixture
    def spec(self) -> Spec:
        return lambda behave, job: TrainingSpec(job, Path("train.yml"), {"behave": behave}, "contract", job)


class TestServing(ServingContract):
    @pytest.fixture
    def serving(self) -> MemoryServing:
        return MemoryServing()

    @pytest.fixture
    def make(self) -> Make:
        return a_deployment_spec


class TestTelemetry(TelemetryContract):
    @pytest.fixture
    def serving(self, clock: ManualClock) -> MemoryServing:
        return MemoryServing(clock=clock)

    @pytest.fixture
    def telemetry(self, serving: MemoryServing, clock: ManualClock) -> MemoryTelemetry:
        return MemoryTelemetry(serving, clock)

    @pytest.fixture
    def make(self) -> Make:
        return a_deployment_spec


class TestRegistry(RegistryContract):
    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        return MemoryRegistry()


class TestData(DataContract):
    @pytest.fixture
    def data(self) -> MemoryData:
        return MemoryData({"visits": DataVersion("visits", "1", "d", "/data/visits.parquet", 1000, 100)})

    @pytest.fixture
    def reference(self) -> str:
        return "visits"
