"""What every Ledger promises."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from ctrain.errors import Conflict, Locked
from ctrain.events import Closed, Event
from ctrain.ports import Ledger
from ctrain.release import Ending
from tests.memory import ManualClock

RUN_URL = "https://ci.example/runs/7"
"""The CI run that the ledger under test is opened by."""


def an_event(release: str, why: str = "because") -> Event:
    return Event(release, datetime(2026, 1, 1, tzinfo=UTC), "a test", Closed(Ending.DELIVERED, why))


class LedgerContract:
    """Bind it with a fixture `ledger` of the CI run `RUN_URL`, whose time is that of the fixture `clock`."""

    def test_events_come_back_in_the_order_they_were_appended(self, ledger: Ledger) -> None:
        """Append only: the first event stays the first."""
        for why in "abc":
            ledger.append(an_event("r-1", why))

        assert [event.what for event in ledger.events("r-1")] == [Closed(Ending.DELIVERED, why) for why in "abc"]

    def test_releases_are_listed_oldest_first(self, ledger: Ledger) -> None:
        """By their first event, whatever was appended later."""
        for release in ("r-2", "r-1", "r-2"):
            ledger.append(an_event(release))

        assert list(ledger.releases()) == ["r-2", "r-1"]

    def test_an_unknown_release_has_no_events_and_no_evidence(self, ledger: Ledger) -> None:
        """Absence is empty, not an error."""
        assert list(ledger.events("none")) == []
        assert ledger.evidence("none", "rows") is None

    def test_evidence_comes_back_as_it_was_kept(self, ledger: Ledger) -> None:
        """Byte for byte; kept again, it is replaced."""
        ledger.keep("r-1", "rows", b"old")
        ledger.keep("r-1", "rows", b"\x00\xffnew")

        assert ledger.evidence("r-1", "rows") == b"\x00\xffnew"

    def test_a_held_lock_is_refused_and_its_holder_named(self, ledger: Ledger) -> None:
        """One holder at a time, and the other is told who it is."""
        ledger.acquire("prod", "anna", 60)

        with pytest.raises(Conflict, match="anna"):
            ledger.acquire("prod", "bert", 60)

    def test_who_finds_a_lock_held_is_told_by_whom_since_when_until_when_and_where(
        self, ledger: Ledger, clock: ManualClock
    ) -> None:
        """What it takes to wait for that run, or to go and look at it."""
        since = clock.now().astimezone()
        ledger.acquire("prod", "anna", 60)
        clock.sleep(30)

        with pytest.raises(Locked) as told:
            ledger.acquire("prod", "bert", 60)
        assert (told.value.holder, told.value.where) == ("anna", RUN_URL)
        assert told.value.why.startswith(f"anna has had it since {since:%Y-%m-%d %H:%M:%S}, in {RUN_URL}; ")
        free = re.search(r"it is free at (.+) at the latest", told.value.why)
        assert free is not None
        assert 30 <= (datetime.fromisoformat(free[1]).astimezone() - clock.now()).total_seconds() <= 60

    def test_a_lock_given_back_can_be_taken(self, ledger: Ledger) -> None:
        """At once, by anybody."""
        ledger.release(ledger.acquire("prod", "anna", 60))

        assert ledger.acquire("prod", "bert", 60).holder == "bert"

    def test_a_lock_runs_out_by_itself(self, ledger: Ledger, clock: ManualClock) -> None:
        """Never needed from a dead runner."""
        first = ledger.acquire("prod", "anna", 60)
        clock.sleep(61)

        assert ledger.acquire("prod", "bert", 60).token > first.token

    def test_a_renewed_lock_lasts_longer(self, ledger: Ledger, clock: ManualClock) -> None:
        """The heartbeat keeps it."""
        lease = ledger.acquire("prod", "anna", 60)
        clock.sleep(50)
        ledger.renew(lease, 60)
        clock.sleep(50)

        with pytest.raises(Conflict):
            ledger.acquire("prod", "bert", 60)

    def test_a_lost_lock_cannot_be_renewed(self, ledger: Ledger, clock: ManualClock) -> None:
        """Who slept too long must notice."""
        lease = ledger.acquire("prod", "anna", 60)
        clock.sleep(61)
        ledger.acquire("prod", "bert", 60)

        with pytest.raises(Conflict):
            ledger.renew(lease, 60)

    def test_nothing_is_appended_under_a_lost_lock(self, ledger: Ledger, clock: ManualClock) -> None:
        """Fencing: a write after losing the lease does not happen."""
        lease = ledger.acquire("prod", "anna", 60)
        clock.sleep(61)
        ledger.acquire("prod", "bert", 60)

        with pytest.raises(Conflict):
            ledger.append(an_event("r-1"), lease)
        assert list(ledger.events("r-1")) == []

    def test_giving_back_a_lost_lock_leaves_the_new_holder_alone(self, ledger: Ledger, clock: ManualClock) -> None:
        """A late goodbye frees nothing."""
        late = ledger.acquire("prod", "anna", 60)
        clock.sleep(61)
        ledger.acquire("prod", "bert", 60)
        ledger.release(late)

        with pytest.raises(Conflict, match="bert"):
            ledger.acquire("prod", "carl", 60)
