"""When a rollout is left because the run's time is up: between two actions, and not amid traffic that nobody proves."""

from __future__ import annotations

from ctrain import rollout
from ctrain.flow.journal import Journal
from ctrain.rollout import Stage


def leave_in_time(
    release: str, stage: Stage, target: str, action: rollout.Action, journal: Journal, *, given_up: bool
) -> None:
    """Raises StillRunning where the deadline comes before the action, or before what has to follow it would be done.

    A rollout that was given up is first restored, and traffic that has moved is first proven. Traffic does not move to
    a version whose bake could not be watched to its end, unless the whole time of a run is shorter than that.
    """
    left, whole = journal.left(), journal.patience.deadline
    if left is None or whole is None or given_up or not _begins(action):
        return
    bake = _bake(action, stage.rollout, target)
    needs = bake if bake <= whole else 0.0
    if left <= needs:
        why = "the deadline has passed"
        if left > 0:
            why = f"{left:.0f} s are left, and the bake that has to follow takes {needs:.0f} s"
        raise journal.leaving(release, f"{why}; the rollout of {stage.name} stays as it is until it is resumed")


def _bake(action: rollout.Action, settings: rollout.RolloutSettings, target: str) -> float:
    """How long the target is to be watched once the action is done."""
    match action:
        case rollout.Shift(traffic):
            return settings.bake_at(traffic.get(target, 0))
        case rollout.Mirror():
            return settings.bake_at(0)
        case _:
            return 0.0


def _begins(action: rollout.Action) -> bool:
    """Whether the action begins something. All others bring to an end what was begun."""
    match action:
        case rollout.Create() | rollout.Begin() | rollout.Place() | rollout.Wait() | rollout.Watch() | rollout.Shift():
            return True
        case rollout.Smoke(_, live):
            return not live
        case rollout.Mirror(traffic):
            return bool(traffic)
        case _:
            return False
