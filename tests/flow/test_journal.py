"""Nothing is done under a lock that may have run out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ctrain.errors import Conflict
from ctrain.events import Closed, Event, Opened, Rejected, Smoked, Trained
from ctrain.flow.journal import LEASE_SECONDS, RENEW_SECONDS, Journal
from ctrain.ports import Lease
from ctrain.release import Ending
from ctrain.training import JobStatus, StepRun, TrainingRun
from ctrain.verdict import Finding, Outcome, Verdict
from tests.builders import a_plan
from tests.memory import MemoryBackend, MemoryLedger

AN_EVENT = Closed(Ending.DELIVERED, "it is over")


@dataclass
class SlowLedger(MemoryLedger):
    """What is appended is there at once; that it is, is told so many seconds later."""

    telling: float = 0.0

    def append(self, event: Event, lease: Lease | None = None) -> None:
        super().append(event, lease)
        self.clock.sleep(self.telling)


def test_an_act_does_not_follow_an_append_that_outlasted_the_lock(world: MemoryBackend) -> None:
    """What was announced in time may not be done: somebody else may have the lock by now."""
    world.ledger = SlowLedger(world.clock, telling=LEASE_SECONDS + 1)
    journal = Journal(world.ports, "anna", lambda _: None)
    journal.lock("endpoint")

    with pytest.raises(Conflict, match="lost"):
        journal.record("r-1", AN_EVENT)


def test_the_first_lock_lives_while_others_are_taken(world: MemoryBackend) -> None:
    """A new lock is no renewal of an old one."""
    journal = Journal(world.ports, "anna", lambda _: None)
    journal.lock("release")
    journal.record("r-1", Opened(a_plan()))
    for number in range(5):
        world.clock.sleep(RENEW_SECONDS - 1)
        journal.lock(f"endpoint-{number}")
        journal.record("r-1", AN_EVENT)
        journal.unlock(f"endpoint-{number}")

    with pytest.raises(Conflict, match="anna"):
        world.ledger.acquire("release", "bert", 60)


def test_what_a_container_said_is_kept_without_its_secrets(world: MemoryBackend) -> None:
    """Whatever verb records it: its log, the reason that was read from it, the answer that was judged."""
    journal = Journal(world.ports, "anna", lambda _: None)
    journal.record("r-1", Opened(a_plan()))
    leak = "connecting with password=hunter2"
    finding = Finding("golden row 1", Outcome.FAIL, f"answered 500: {leak}")

    journal.record("r-1", Rejected("dev", "v1", f"init() raised: {leak}", f"log: {leak}"))
    journal.record("r-1", Smoked("dev", "v1", live=False, verdict=Verdict((finding,))))
    step = StepRun("train", JobStatus.FAILED, error=leak)
    journal.record("r-1", Trained(TrainingRun("j", JobStatus.FAILED, "r", steps=(step,), error=leak)))

    kept = "".join(line for _, line in world.ledger.lines)
    assert "hunter2" not in kept
    assert kept.count("password=") == 5
