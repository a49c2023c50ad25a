"""Waiting for a training that takes an hour."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from ctrain.data import DataVersion, SampleSpec
from ctrain.errors import Conflict
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import lock_name
from ctrain.flow.train import DOUBTS
from ctrain.plan import Plan
from ctrain.ports import Pace
from ctrain.release import Ending
from ctrain.training import JobStatus, TrainingRun
from tests.builders import a_plan
from tests.memory import ManualClock, MemoryBackend, MemoryData, MemoryTrainer

HOUR = 3600.0


@dataclass
class LongTrainer(MemoryTrainer):
    """Jobs take an hour; `meanwhile` happens once, half-way."""

    clock: ManualClock = field(default_factory=ManualClock)
    meanwhile: Callable[[], None] | None = None
    looks: int = 0

    def look(self, job: str) -> TrainingRun | None:
        self.looks += 1
        run = self.runs.get(job)
        if run is None or run.status is not JobStatus.RUNNING:
            return run
        if self.meanwhile is not None and self.clock.monotonic() > HOUR / 2:
            once, self.meanwhile = self.meanwhile, None
            once()
        return super().look(job) if self.clock.monotonic() > HOUR else run


@pytest.fixture
def trainer(world: MemoryBackend) -> LongTrainer:
    world.trainer = LongTrainer(world.folder, world.outputs, clock=world.clock)
    return world.trainer


def test_a_long_training_holds_no_lock(world: MemoryBackend, trainer: LongTrainer, journal: Journal) -> None:
    """A job needs no protection, and a lock that is kept for hours costs a call each minute."""
    free: list[bool] = []

    def try_it() -> None:
        with suppress(Conflict):
            world.ledger.release(world.ledger.acquire(lock_name(a_plan()), "somebody", 60))
            free.append(True)

    trainer.meanwhile = try_it

    assert deliver(a_plan(), journal).ending is Ending.DELIVERED
    assert free == [True]


def test_who_waited_finds_what_somebody_else_did(world: MemoryBackend, trainer: LongTrainer, journal: Journal) -> None:
    """Two runs of one release may wait for one job; the one that comes second goes on from what is."""

    def another_run() -> None:
        other = Journal(world.ports, "another run", lambda _: None)
        deliver(a_plan(), other)
        other.unlock_all()

    trainer.meanwhile = another_run

    release = deliver(a_plan(), journal)

    assert release.ending is Ending.DELIVERED
    assert len(world.registry.made["visits"]) == len(world.trainer.runs) == 1
    told = [event.what.kind for event in world.ledger.events(release.id)]
    assert told.count("trained") == told.count("registered") == told.count("closed") == 1


def test_who_waited_stops_where_somebody_holds_the_lock(
    world: MemoryBackend, trainer: LongTrainer, journal: Journal
) -> None:
    """One writer: whoever took the lock meanwhile goes on alone."""
    trainer.meanwhile = lambda: _hold(world)

    with pytest.raises(Conflict, match="is held"):
        deliver(a_plan(), journal)
    assert world.registry.made == {}


@dataclass
class FlickeringTrainer(LongTrainer):
    """Half-way, the platform says so many times that there is no such job, or (`as_unknown`) that it knows no state."""

    times: int = 0
    as_unknown: bool = False

    def look(self, job: str) -> TrainingRun | None:
        run = super().look(job)
        if run is None or self.clock.monotonic() < HOUR / 2 or self.times == 0:
            return run
        self.times -= 1
        return replace(run, status=JobStatus.UNKNOWN) if self.as_unknown else None


@pytest.mark.parametrize("as_unknown", [False, True])
@pytest.mark.parametrize(("times", "ending"), [(DOUBTS - 1, Ending.DELIVERED), (DOUBTS, Ending.TRAINING_FAILED)])
def test_a_job_that_is_not_to_be_seen_is_looked_for_again(
    world: MemoryBackend, times: int, ending: Ending, *, as_unknown: bool
) -> None:
    """One bad moment of the platform must not end a training that goes on; what stays away is believed."""
    world.trainer = FlickeringTrainer(
        world.folder, world.outputs, clock=world.clock, times=times, as_unknown=as_unknown
    )

    release = deliver(a_plan(), Journal(world.ports, "tests", lambda _: None))

    assert release.ending is ending
    assert release.training is not None
    assert (release.training.status is JobStatus.UNKNOWN) == (ending is Ending.TRAINING_FAILED)


@dataclass
class SlowData(MemoryData):
    """Samples take half an hour; `meanwhile` happens as they are made."""

    clock: ManualClock = field(default_factory=ManualClock)
    meanwhile: Callable[[], None] = lambda: None

    def sample(self, data: DataVersion, spec: SampleSpec) -> DataVersion:
        if self.sampled(data, spec) is None:
            self.clock.sleep(HOUR / 2)
            self.meanwhile()
        return super().sample(data, spec)


@pytest.fixture
def data(world: MemoryBackend) -> SlowData:
    world.data = SlowData(clock=world.clock)
    return world.data


def a_sampling_plan() -> Plan:
    return replace(a_plan(), sample=SampleSpec(0.1, "row_id"))


def test_making_a_sample_holds_no_lock(world: MemoryBackend, data: SlowData, journal: Journal) -> None:
    """It may take a cluster's start; the locks are taken back before anything else is done."""
    free: list[bool] = []

    def try_it() -> None:
        world.ledger.release(world.ledger.acquire(lock_name(a_plan()), "somebody", 60))
        free.append(True)

    data.meanwhile = try_it

    release = deliver(a_sampling_plan(), journal)

    assert (free, release.ending) == ([True], Ending.DELIVERED)


def test_who_made_the_sample_finds_what_somebody_else_did(
    world: MemoryBackend, data: SlowData, journal: Journal
) -> None:
    """Another run may have made it first, and trained on it."""

    def another_run() -> None:
        data.meanwhile = lambda: None
        other = Journal(world.ports, "another run", lambda _: None)
        deliver(a_sampling_plan(), other)
        other.unlock_all()

    data.meanwhile = another_run

    release = deliver(a_sampling_plan(), journal)

    told = [event.what.kind for event in world.ledger.events(release.id)]
    assert release.ending is Ending.DELIVERED
    assert told.count("submitting") == told.count("trained") == told.count("closed") == 1


def _hold(world: MemoryBackend) -> None:
    world.ledger.acquire(lock_name(a_plan()), "another run", 2 * HOUR)


@pytest.mark.parametrize("pace", [Pace(), Pace(first=1, longest=90, share=1 / 6)])
def test_waits_are_looked_at_less_and_less_often(pace: Pace) -> None:
    """Within bounds, a share of the time waited."""
    gaps = [pace.after(waited) for waited in range(0, 4000, 10)]

    assert gaps == sorted(gaps)
    assert gaps[0] == pace.first
    assert gaps[-1] == pace.longest
