"""The checker can fail: each promise is broken by a change of the product, and a seed of the ordinary tests tells."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

import ctrain.flow.deploy as deploying
import ctrain.flow.roll_back as rolling_back
from ctrain.errors import Conflict
from ctrain.events import Closed, Event, What
from ctrain.flow import deliver as delivering
from ctrain.flow import journal as journals
from ctrain.flow.journal import Journal
from ctrain.release import Ending, Release
from ctrain.rollout import Action, Remove, Rollout, Seen, Shift, Watch, decision
from ctrain.verdict import Finding, Outcome, Verdict
from tests.simulation import world
from tests.simulation.schedule import draw
from tests.simulation.simulate import simulate

SEEDS = range(300)

Patch = Callable[[pytest.MonkeyPatch], None]


def found(promise: int) -> int | None:
    """The first seed whose schedule breaks that promise."""
    for seed in SEEDS:
        if any(violation.promise == promise for violation in simulate(draw(seed)).violations):
            return seed
    return None


def says(answer: object) -> Callable[..., object]:
    """A function that always says that."""

    def said(*words: object, **named: object) -> object:
        return answer

    return said


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """The lock is not taken at all."""
    patch.setattr(Journal, "lock", says(None))


def lost_lease_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A lease that was lost is noticed by nobody: neither as it is renewed, nor as something is appended."""
    append, renew = world.SimLedger.append, world.SimLedger.renew

    def blind(self: world.SimLedger, lease: Any, seconds: float) -> Any:
        with contextlib.suppress(Conflict):
            return renew(self, lease, seconds)
        return lease

    patch.setattr(world.SimLedger, "renew", blind)

    def heedless(self: world.SimLedger, event: Event, lease: object = None) -> None:
        append(self, event)

    patch.setattr(world.SimLedger, "append", heedless)


def lease_is_not_looked_at_after_an_append(patch: pytest.MonkeyPatch) -> None:
    """The act follows at once, however long it took to be told that it was announced."""
    record, renew = Journal.record, Journal.renew

    def hasty(self: Journal, release: str, what: What) -> Release:
        looks = count()
        vars(self)["renew"] = lambda **named: None if next(looks) else renew(self, **named)
        try:
            return record(self, release, what)
        finally:
            vars(self).pop("renew", None)

    patch.setattr(Journal, "record", hasty)


def old_is_removed_before_the_bake(patch: pytest.MonkeyPatch) -> None:
    """Once the new one has all of the traffic, the old one is tidied away first, and then it is watched."""
    real = decision.next_step

    def hasty(rollout: Rollout, seen: Seen) -> Action:
        action = real(rollout, seen)
        if isinstance(action, Watch) and action.share == 100 and seen.endpoint is not None:
            for name in seen.endpoint.deployments:
                if name != rollout.target.name:
                    return Remove(name, "it is old")
        return action

    _everywhere(patch, "next_step", hasty)


def restored_to_nothing(patch: pytest.MonkeyPatch) -> None:
    """What was given up gives its traffic to nobody."""
    real = decision.next_step

    def careless(rollout: Rollout, seen: Seen) -> Action:
        action = real(rollout, seen)
        if isinstance(action, Shift) and seen.rejected is not None and seen.endpoint is not None:
            return Shift(dict.fromkeys(seen.endpoint.traffic, 0))
        return action

    _everywhere(patch, "next_step", careless)


def gate_that_passes_all(patch: pytest.MonkeyPatch) -> None:
    """Whatever the rows say."""
    verdict = Verdict((Finding("auc", Outcome.PASS, "why not"),))
    patch.setattr(world._Gate, "judge", says(verdict))


def marks_are_not_read(patch: pytest.MonkeyPatch) -> None:
    """What was rolled back may come back."""
    patch.setattr(deploying, "taken_back", says({}))
    patch.setattr(rolling_back, "taken_back", says({}))


def no_crown_on_the_way_back(patch: pytest.MonkeyPatch) -> None:
    """A rollback of the last stage leaves the champion where it was."""
    patch.setattr(rolling_back, "_crown_what_serves", says(None))


def writes_when_run_again(patch: pytest.MonkeyPatch) -> None:
    """A finished release is closed once more."""
    real = delivering.go_on

    def busy(release: Release, journal: Journal, **named: Any) -> Release:
        made = real(release, journal, **named)
        if made.ending is Ending.DELIVERED:
            return journal.record(made.id, Closed(Ending.DELIVERED, made.why))
        return made

    patch.setattr(delivering, "go_on", busy)


def secrets_are_kept(patch: pytest.MonkeyPatch) -> None:
    """What containers print goes into the ledger as it is."""
    patch.setattr(journals, "discreet", lambda told: told)


def _everywhere(patch: pytest.MonkeyPatch, name: str, made: object) -> None:
    """In each module that has a name for it."""
    for module in list(sys.modules.values()):
        ours = module.__name__.startswith("ctrain.") and module is not decision
        if ours and vars(module).get(name) is vars(decision)[name]:
            patch.setattr(module, name, made)


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (restored_to_nothing, 1),
        (old_is_removed_before_the_bake, 2),
        (no_lease, 3),
        (lost_lease_goes_on, 3),
        (lease_is_not_looked_at_after_an_append, 3),
        (gate_that_passes_all, 4),
        (marks_are_not_read, 4),
        (writes_when_run_again, 5),
        (secrets_are_kept, 6),
        (no_crown_on_the_way_back, 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_mutant_is_found(monkeypatch: pytest.MonkeyPatch, mutant: Patch, promise: int) -> None:
    """Within the three hundred seeds of `make test`, each of which keeps all promises without the change."""
    mutant(monkeypatch)

    assert found(promise) is not None
