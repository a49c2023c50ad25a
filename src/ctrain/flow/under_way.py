"""What the ledger knows of a stage: the rollout that is under way there, and what became of each deployment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ctrain.flow.roll_back import newest_first
from ctrain.ports import Backend, LedgerReader
from ctrain.release import Ending, Release, StageRecord
from ctrain.rollout import Past, Stage
from ctrain.serving import Endpoint

_EVER = datetime.min.replace(tzinfo=UTC)


def last_rollout(stage: Stage, ledger: LedgerReader) -> Release | None:
    """The newest release whose rollout at the stage began."""
    for release in newest_first(ledger):
        record = release.stage(stage.name)
        if record is not None and record.before is not None:
            return release
    return None


def under_way(stage: Stage, ledger: LedgerReader) -> Release | None:
    """The release whose rollout at the stage has come to no end: driven by somebody now, left, or paused."""
    release = last_rollout(stage, ledger)
    return release if release is not None and not release.ended and release.stages[stage.name].under_way else None


def not_restored(release: Release, stage: Stage) -> bool:
    """Whether it ended with the stage not as it was, and is to be restored still."""
    record = release.stage(stage.name)
    return release.ending is Ending.NOT_RESTORED and record is not None and record.under_way


def remember(stage: Stage, releases: Iterable[Release]) -> dict[str, Past]:
    """What became of each deployment that a release placed at the stage."""
    told = [(one, record) for one in releases if (record := one.stage(stage.name)) and record.before is not None]
    told.sort(key=lambda pair: pair[1].began or _EVER)
    past: dict[str, Past] = {}
    for place, (release, record) in enumerate(told):
        open_still = place == len(told) - 1 and record.under_way and not release.ended
        known = past.get(record.deployment)
        past[record.deployment] = Past(
            release.id,
            needed=open_still,
            given_up=None if record.promoted else record.rejected,
            served=record.promoted is not None or (known is not None and known.served),
            taken_off=record.rolled_back_at or (known.taken_off if known else None),
        )
        for name in record.before or ():
            if name in past and name != record.deployment:
                off = record.promoted or past[name].taken_off
                past[name] = replace(past[name], needed=open_still or past[name].needed, taken_off=off)
    return past


def kept_at(stage: Stage, endpoint: Endpoint, at: Backend, record: StageRecord) -> frozenset[str]:
    """Deployments beside what serves and what served before it, that the stage's `keep` lets stay for now."""
    keep = stage.rollout.keep_seconds
    others = endpoint.deployments.keys() - {record.deployment, *(record.before or ())}
    if not others or not keep:
        return frozenset()
    since = at.clock.now() - timedelta(seconds=keep)
    past = remember(stage, newest_first(at.ledger))
    return frozenset(name for name in others if name in past and (past[name].taken_off or _EVER) > since)
