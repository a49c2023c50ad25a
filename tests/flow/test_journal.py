"""Nothing is done under a lock that may have run out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ctrain.errors import Conflict
from ctrain.events import Closed, Event, Opened
from ctrain.flow.journal import LEASE_SECONDS, RENEW_SECONDS, Journal
from ctrain.ports import Lease
from ctrain.release import Ending
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
