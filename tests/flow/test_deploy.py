"""Taking a version to a stage takes time, and not all of it is the model's."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ctrain.flow.deliver import deliver
from ctrain.flow.deploy import READY_SECONDS
from ctrain.flow.journal import Journal
from ctrain.release import Ending
from ctrain.serving import DeploymentSpec, Endpoint
from tests.builders import DEV, a_plan
from tests.memory import ManualClock, MemoryBackend, MemoryServing


@dataclass
class SlowServing(MemoryServing):
    """Making an endpoint takes so many seconds, and so does being heard when something is to be placed."""

    clock: ManualClock = field(default_factory=ManualClock)
    creating: float = 0.0
    placing: float = 0.0

    def create(self, endpoint: str) -> Endpoint:
        self.clock.sleep(self.creating)
        return super().create(endpoint)

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        self.clock.sleep(self.placing)
        super().place(endpoint, spec)


@pytest.mark.parametrize(("creating", "placing"), [(READY_SECONDS + 1, 0.0), (0.0, READY_SECONDS + 1)])
def test_a_model_is_given_its_time_from_when_it_was_placed(
    world: MemoryBackend, monkeypatch: pytest.MonkeyPatch, creating: float, placing: float
) -> None:
    """An endpoint that took half an hour, or a platform that throttled us as long, says nothing of the model."""
    monkeypatch.setattr("ctrain.flow.journal.LEASE_SECONDS", 3 * READY_SECONDS)  # as a heart would keep it
    world.serving = SlowServing(clock=world.clock, creating=creating, placing=placing)

    release = deliver(a_plan(stages=(DEV,)), Journal(world.ports, "a test", lambda _: None))

    assert release.ending is Ending.DELIVERED
