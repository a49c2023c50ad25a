"""Take away the deployments that nobody needs any more: what failed, what was given up, what is past its `keep`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctrain.events import Removing
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import newest_first, serving_release, way_back
from ctrain.flow.under_way import remember
from ctrain.flow.undo_drill import undo_drill
from ctrain.ports import Backend
from ctrain.rollout import Leftover, Stage, leftovers, live
from ctrain.rollout.drilling import PREFIX
from ctrain.serving import Endpoint


@dataclass(frozen=True)
class Collected:
    """What was found at a stage, and which of it was removed."""

    stage: str
    endpoint: str
    found: tuple[Leftover, ...]
    removed: tuple[str, ...] = ()


def find_garbage(stages: Sequence[Stage], at: Backend) -> tuple[Collected, ...]:
    """What `collect_garbage` would find. Changes nothing."""
    return tuple(Collected(stage.name, stage.endpoint, _found(stage, at)) for stage in stages)


def collect_garbage(stages: Sequence[Stage], journal: Journal) -> tuple[Collected, ...]:
    """Remove it, stage by stage, each under its lock. Raises Conflict where somebody holds that."""
    return tuple(_collect(stage, journal) for stage in stages)


def _collect(stage: Stage, journal: Journal) -> Collected:
    if not any(one.goes for one in _found(stage, journal.at)):
        return Collected(stage.name, stage.endpoint, _found(stage, journal.at))
    journal.lock(stage.lock)
    try:
        found, removed = _found(stage, journal.at), list[str]()
        before = journal.at.serving(stage).look(stage.endpoint)
        after = undo_drill(stage, before, journal)
        if before is not None and after is not before:
            removed += [one.deployment for one in found if one.deployment.startswith(PREFIX)]
        for one in found:
            if one.goes and one.release is not None and one.deployment not in removed:
                journal.record(one.release, Removing(stage.name, one.deployment, one.why))
                journal.at.serving(stage).remove(stage.endpoint, one.deployment)
                removed.append(one.deployment)
        return Collected(stage.name, stage.endpoint, found, tuple(removed))
    finally:
        journal.unlock(stage.lock)


def _found(stage: Stage, at: Backend) -> tuple[Leftover, ...]:
    endpoint = at.serving(stage).look(stage.endpoint)
    if endpoint is None:
        return ()
    past = remember(stage, newest_first(at.ledger))
    return leftovers(endpoint, past, _back_to(stage, endpoint, at), stage.rollout.keep_seconds, at.clock.now())


def _back_to(stage: Stage, endpoint: Endpoint, at: Backend) -> frozenset[str]:
    """What a rollback would give the traffic to. Where it is not known who serves, whatever ever served may be it."""
    release = serving_release(stage, endpoint, at.ledger)
    if release is None:
        past = remember(stage, newest_first(at.ledger))
        return frozenset(name for name, one in past.items() if one.served) | frozenset(live(endpoint.traffic))
    before = release.stages[stage.name].before or {}
    return frozenset(before) | frozenset(way_back(stage, endpoint, release, at.ledger))
