"""What the ledger knows of a stage: the rollout that is under way there, and what became of each deployment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from ctrain.flow.roll_back import newest_first, serving_release, way_back
from ctrain.ports import Backend, LedgerReader
from ctrain.release import Ending, Release
from ctrain.rollout import Past, Stage
from ctrain.serving import Endpoint

_EVER = datetime.min.replace(tzinfo=UTC)


NEWEST = 50
"""Among so many releases one is looked for whose rollout is under way: each is a read of the ledger."""


def last_rollout(stage: Stage, ledger: LedgerReader) -> Release | None:
    """The newest release whose rollout at the stage began."""
    for release in newest_first(ledger):
        record = release.stage(stage.name)
        if record is not None and record.before is not None:
            return release
    return None


def under_way(stage: Stage, ledger: LedgerReader) -> Release | None:
    """The release whose rollout at the stage has come to no end: driven by somebody now, left, or paused.

    It need not be the newest that went there: one that was opened later may have had its turn before.
    """
    for release in islice(newest_first(ledger), NEWEST):
        record = release.stage(stage.name)
        if record is not None and record.under_way and not release.ended:
            return release
    return None


def torn_by(stage: Stage, at: Backend) -> Release | None:
    """The release that left the stage not as it was; none where another one has taken it over since."""
    release = last_rollout(stage, at.ledger)
    if release is None or not not_restored(release, stage):
        return None
    serves = serving_release(stage, at.serving(stage).look(stage.endpoint), at.ledger)
    record = release.stages[stage.name]
    ours = (record.deployment, *(record.before or ()))
    return release if serves is None or serves.stages[stage.name].deployment in ours else None


def not_restored(release: Release, stage: Stage) -> bool:
    """Whether it ended with the stage not as it was, and is to be restored still."""
    record = release.stage(stage.name)
    return release.ending is Ending.NOT_RESTORED and record is not None and record.under_way


def remember(stage: Stage, releases: Iterable[Release]) -> dict[str, Past]:
    """What became of each deployment that a release placed at the stage."""
    told = [(one, record) for one in releases if (record := one.stage(stage.name)) and record.before is not None]
    told.sort(key=lambda pair: pair[1].began or _EVER)
    past: dict[str, Past] = {}
    for release, record in told:
        known = past.get(record.deployment)
        under_way = record.under_way and not release.ended
        past[record.deployment] = Past(
            release.id,
            needed=under_way or (known is not None and known.needed),
            given_up=None if record.promoted else record.rejected,
            served=record.promoted is not None or (known is not None and known.served),
            taken_off=record.rolled_back_at or (known.taken_off if known else None),
        )
    for release, record in told:  # once all are known: their order is that of clocks, which may be minutes apart
        for name in record.before or ():
            if name in past and name != record.deployment:
                known, under_way = past[name], record.under_way and not release.ended
                off = max(record.promoted or _EVER, known.taken_off or _EVER)
                past[name] = replace(known, needed=under_way or known.needed, taken_off=None if off == _EVER else off)
    return past


def kept_at(stage: Stage, endpoint: Endpoint, at: Backend, release: Release) -> frozenset[str]:
    """Deployments that stay for now, beside the release's own and what served before it.

    What the stage's `keep` lets stay; and what a rollback would go back to, where what served before was itself rolled
    back, and is still there because that rollback did not come to its end.
    """
    keep, record = stage.rollout.keep_seconds, release.stages[stage.name]
    others = endpoint.deployments.keys() - {record.deployment, *(record.before or ())}
    if not others:
        return frozenset()
    needed = others & way_back(stage, endpoint, release, at.ledger).keys()
    if not keep:
        return frozenset(needed)
    since = at.clock.now() - timedelta(seconds=keep)
    past = remember(stage, newest_first(at.ledger))
    return frozenset(needed | {name for name in others if name in past and (past[name].taken_off or _EVER) > since})
