"""Runs that leave while the work goes on, at their own wish or at their deadline, and runs that wait for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from ctrain import rollout
from ctrain.bake import BakeSettings
from ctrain.errors import Locked, StillRunning
from ctrain.flow.deliver import deliver, go_on
from ctrain.flow.journal import LEASE_SECONDS, Journal, News, Patience, Queueing
from ctrain.flow.leaving import leave_in_time
from ctrain.flow.open_release import lock_name
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.rollout import RolloutSettings
from ctrain.training import TrainingRun
from tests.builders import PROD, a_plan, a_stage
from tests.memory import ManualClock, MemoryBackend, MemoryTrainer

HOUR = 3600.0


@dataclass
class SlowTrainer(MemoryTrainer):
    """Jobs take an hour."""

    clock: ManualClock = field(default_factory=ManualClock)

    def look(self, job: str) -> TrainingRun | None:
        return self.runs.get(job) if self.clock.monotonic() < HOUR else super().look(job)


@pytest.fixture
def slow(world: MemoryBackend) -> MemoryBackend:
    world.trainer = SlowTrainer(world.folder, world.outputs, clock=world.clock)
    return world


Going = Callable[..., Release]


def going(world: MemoryBackend, plan: Plan, patience: Patience, heard: list[News] | None = None) -> Release:
    journal = Journal(world.ports, "a test", heard.append if heard is not None else lambda _: None, patience=patience)
    try:
        return deliver(plan, journal)
    finally:
        journal.unlock_all()


def resumed(world: MemoryBackend, name: str, patience: Patience | None = None) -> Release:
    journal = Journal(world.ports, "a later job", lambda _: None, patience=patience or Patience())
    try:
        return go_on(journal.read_again(name), journal)
    finally:
        journal.unlock_all()


def test_a_run_that_detaches_leaves_its_job_running(slow: MemoryBackend) -> None:
    """It says the line that resumes, and a later job goes on from what is."""
    with pytest.raises(StillRunning) as left:
        going(slow, a_plan(), Patience(detach=True, resume="ctrain resume {} --backend azureml"))

    name = left.value.release
    assert left.value.hint == f"ctrain resume {name} --backend azureml"
    assert slow.clock.monotonic() < 1
    assert slow.ledger.leases == {}
    slow.clock.sleep(HOUR)
    assert resumed(slow, name, Patience(detach=True)).ending is Ending.DELIVERED
    assert len(slow.trainer.runs) == 1


def test_a_run_leaves_its_job_at_the_deadline(slow: MemoryBackend) -> None:
    """Not before, and not much later; the job is not touched."""
    with pytest.raises(StillRunning, match="goes on by itself"):
        going(slow, a_plan(), Patience(deadline=HOUR / 2))

    assert HOUR / 2 <= slow.clock.monotonic() < HOUR / 2 + 1
    assert slow.trainer.writes == 1


def test_a_training_that_is_done_is_not_detached_from(world: MemoryBackend) -> None:
    """There is nothing to wait for, and the release goes on."""
    with pytest.raises(StillRunning) as left:
        going(world, a_plan(), Patience(detach=True))
    world.trainer.look(a_plan().training.job)

    assert resumed(world, left.value.release, Patience(detach=True)).ending is Ending.DELIVERED


def canary(bake: str = "10m") -> rollout.Stage:
    judge = BakeSettings(errors=0.01, per_second=0.2, min_requests=1)
    return replace(a_stage("prod"), rollout=RolloutSettings("canary", (10, 100), bake, judge=judge))


@pytest.fixture
def served(world: MemoryBackend) -> MemoryBackend:
    """Something serves prod, so that a canary is one."""
    from tests.builders import outputs

    going(world, a_plan(stages=[PROD]), Patience())
    world.trainer.outputs = outputs(seed=1, champion=1.0)
    world.clock.sleep(60)
    return world


def second(world: MemoryBackend, bake: str = "10m") -> Plan:
    champion = world.registry.champion("visits")
    return a_plan(commit="c0ffee0" + "0" * 33, stages=[canary(bake)], champion=champion, parameters={"trees": 2})


def test_a_rollout_is_left_between_two_actions_and_finished_later(served: MemoryBackend) -> None:
    """Half-way of a canary; whoever resumes finds what is, and watches that step from its start."""
    with pytest.raises(StillRunning, match="not watched any more"):
        going(served, second(served, "30m"), Patience(deadline=600))

    traffic = served.serving.endpoints["visits-prod"].traffic
    assert sorted(traffic.values()) == [10, 90]
    name = served.ledger.releases()[-1]
    assert resumed(served, name).ending is Ending.DELIVERED


def test_traffic_does_not_move_to_what_could_not_be_watched_in_time(served: MemoryBackend) -> None:
    """Where a later run has the time: a canary that nobody watches helps nobody."""
    with pytest.raises(StillRunning, match="the bake that has to follow takes 600 s"):
        going(served, second(served), Patience(deadline=800))

    traffic = rollout.live(served.serving.endpoints["visits-prod"].traffic)
    assert sorted(traffic.values()) == [10, 90]
    name = served.ledger.releases()[-1]
    assert "watched" in [event.what.kind for event in served.ledger.events(name)]


def test_each_run_gets_further(served: MemoryBackend) -> None:
    """With a deadline that holds one bake, as many runs as there are bakes bring it to its end."""
    name = ""
    for _ in range(3):
        try:
            release = (
                resumed(served, name, Patience(deadline=700))
                if name
                else going(served, second(served), Patience(deadline=700))
            )
        except StillRunning as left:
            name = left.release
        else:
            assert release.ending is Ending.DELIVERED
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize(
    ("action", "given_up", "leaves"),
    [
        (rollout.Wait("v2"), False, True),
        (rollout.Smoke("v2", live=False), False, True),
        (rollout.Smoke("v2", live=True), False, False),
        (rollout.Shift({"v1": 90, "v2": 10}), False, True),
        (rollout.Shift({"v1": 100}), True, False),
        (rollout.Mirror({"v2": 10}), False, True),
        (rollout.Mirror({}), False, False),
        (rollout.Reject("v2", "bad"), False, False),
        (rollout.Remove("v2", "it was given up"), True, False),
        (rollout.Done(), False, False),
    ],
)
def test_what_was_begun_is_brought_to_its_end(
    world: MemoryBackend, journal: Journal, action: rollout.Action, *, given_up: bool, leaves: bool
) -> None:
    """Past the deadline a stage is still restored, and traffic that moved is still proven."""
    journal.patience = Patience(deadline=10)
    world.clock.sleep(11)

    if leaves:
        with pytest.raises(StillRunning, match="the deadline has passed"):
            leave_in_time("r-1", PROD, "v2", action, journal, given_up=given_up)
    else:
        leave_in_time("r-1", PROD, "v2", action, journal, given_up=given_up)


def test_a_lock_that_is_held_is_waited_for(world: MemoryBackend, heard: list[News]) -> None:
    """As long as was asked; the person who watches hears for whom, and where they are."""
    world.ledger.run_url = "https://ci.example/7"
    world.ledger.acquire(lock_name(a_plan()), "anna", 60)

    assert going(world, a_plan(), Patience(lock=90), heard).ending is Ending.DELIVERED
    first = next(news for news in heard if isinstance(news, Queueing))
    assert (first.holder, first.where, first.seconds) == ("anna", "https://ci.example/7", 0)


@pytest.mark.parametrize("patience", [Patience(), Patience(lock=30), Patience(lock=900, deadline=30)])
def test_a_lock_that_stays_held_ends_the_wait(world: MemoryBackend, patience: Patience) -> None:
    """No longer than was asked, nor past the deadline."""
    world.ledger.acquire(lock_name(a_plan()), "anna", 300)

    with pytest.raises(Locked, match="anna has had it since"):
        going(world, a_plan(), patience)
    assert world.clock.monotonic() <= 35
    assert world.ledger.releases() == []


def test_who_waits_for_one_lock_keeps_the_others(world: MemoryBackend, journal: Journal) -> None:
    """A release's own lock must not run out while its run queues for an endpoint."""
    journal.patience = Patience(lock=4 * LEASE_SECONDS)
    journal.lock("release/mine")
    world.ledger.acquire("endpoint/theirs", "anna", 3 * LEASE_SECONDS)

    journal.lock("endpoint/theirs")

    journal.at.ledger.renew(journal.leases["release/mine"], 60)
    assert world.clock.monotonic() >= 3 * LEASE_SECONDS
