"""Taking a version to a stage takes time, and not all of it is the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from ctrain.errors import Conflict
from ctrain.flow.deliver import deliver
from ctrain.flow.drive import READY_SECONDS
from ctrain.flow.journal import LEASE_SECONDS, Journal
from ctrain.release import Ending
from ctrain.rollout import Stage
from ctrain.serving import DeploymentSpec, Endpoint
from ctrain.version import ModelVersion
from tests.builders import DEV, PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import ManualClock, MemoryBackend, MemoryRegistry, MemoryServing


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


@dataclass
class FarRegistry(MemoryRegistry):
    """Bringing a version to a stage's workspace takes so long, and gives others the time to do something."""

    clock: ManualClock = field(default_factory=ManualClock)
    meanwhile: Callable[[], object] = lambda: None

    def promote(self, version: ModelVersion, stage: Stage) -> str:
        self.clock.sleep(LEASE_SECONDS + 1)
        self.meanwhile()
        return super().promote(version, stage)


def test_nothing_is_placed_under_a_lock_that_ran_out_while_the_model_travelled(world: MemoryBackend) -> None:
    """A copy of a large model takes minutes; who has the stage by then places nothing of ours."""
    world.registry = FarRegistry(
        clock=world.clock, meanwhile=lambda: world.ledger.acquire(DEV.lock, "bert", LEASE_SECONDS)
    )

    with pytest.raises(Conflict, match="lost"):
        deliver(a_plan(stages=(DEV,)), Journal(world.ports, "anna", lambda _: None))

    assert world.serving.endpoints[DEV.endpoint].deployments == {}


def test_the_champion_is_not_taken_from_a_release_that_came_later(world: MemoryBackend, run: Run) -> None:
    """A run that died before the crown is run again when a later release serves: that one keeps the crown."""
    first = a_plan(stages=(PROD,))
    with interrupted_crown(world), pytest.raises(KeyboardInterrupt):
        run(first)
    world.trainer.outputs = outputs(quality=0.99)
    run(a_plan(commit="second", stages=(PROD,), parameters={"rate": 0.5}))

    run(first)

    champion = world.registry.champion("visits")
    assert champion is not None
    assert champion.version == 2


def test_the_crown_is_given_under_the_lock_of_the_last_stage(world: MemoryBackend, run: Run) -> None:
    """Or somebody could roll the stage back between the two."""
    crown = world.registry.crown
    holders: list[str] = []

    def watched(version: ModelVersion) -> None:
        holders.append(world.ledger.leases[PROD.lock].holder)
        crown(version)

    world.registry.crown = watched  # type: ignore[method-assign]
    run(a_plan(stages=(PROD,)))

    assert holders == ["a test"]


@contextmanager
def interrupted_crown(world: MemoryBackend) -> Iterator[None]:
    """Whoever crowns is interrupted."""
    crown = world.registry.crown

    def interrupted(version: ModelVersion) -> None:
        raise KeyboardInterrupt

    world.registry.crown = interrupted  # type: ignore[method-assign]
    yield
    world.registry.crown = crown  # type: ignore[method-assign]
