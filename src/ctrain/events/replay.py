"""A release is the sum of its events: what they make of it, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from ctrain.events.record import Event
from ctrain.events.what import (
    AbortAsked,
    Announced,
    Approved,
    Cancelling,
    Closed,
    Crowned,
    Extending,
    Judged,
    Logged,
    OfStage,
    Opened,
    PauseAsked,
    Paused,
    Promoted,
    Registered,
    Rejected,
    Restored,
    Resumed,
    RolledBack,
    RolloutBegan,
    Shifting,
    Smoked,
    Submitting,
    Trained,
    Watched,
)
from ctrain.release import Approval, Release, StageRecord


def replay(events: Iterable[Event], release: Release | None = None) -> Release | None:
    """The release that these events, oldest first, add up to; or what they make of one that is known already."""
    for event in events:
        if isinstance(event.what, Opened):
            release = Release(event.release, event.what.plan, event.at)
        elif release is not None:
            release = _after(release, event)
    return release


def _after(release: Release, event: Event) -> Release:
    if isinstance(event.what, Announced):
        return release
    if isinstance(event.what, OfStage):
        return _at_stage(release, event.at, event.what)
    match event.what:
        case Submitting(job, adopted):
            own = release.awaits == job and not release.adopted  # and adopted now by a run that goes on with it
            return replace(release, awaits=job, adopted=adopted and not own)
        case Extending(job):
            return replace(release, awaits=job, adopted=False)
        case Trained(run):
            return replace(release, training=run, awaits=None)
        case Cancelling(_, why):
            return replace(release, cancelled=why)
        case Judged(verdict, rows, evidence):
            return replace(release, verdict=verdict, rows=rows, evidence=evidence, looks=release.looks + 1)
        case Registered(version):
            return replace(release, version=version)
        case Approved(stage, who, reason, proof):
            return replace(release, approvals={**release.approvals, stage: Approval(who, reason, proof, event.at)})
        case Crowned():
            return replace(release, crowned=True)
        case Opened():
            return release
        case Closed(ending, why):
            return replace(release, ending=ending, why=why, closed=event.at)
    assert_never(event.what)


def _at_stage(release: Release, at: datetime, what: OfStage) -> Release:
    """What changes the release's record of a stage."""
    if isinstance(what, RolloutBegan):
        record = StageRecord(what.deployment, what.before, began=at)
        return replace(release.with_stage(what.stage, record), ending=None, closed=None)
    record = release.stage(what.stage) or StageRecord(deployment="")
    match what:
        case Smoked(_, _, live, verdict):
            record = replace(record, proven=verdict) if live else replace(record, smoked=verdict)
        case Shifting(_, traffic):
            record = replace(record, share=max(record.share, traffic.get(record.deployment, 0)))
        case Watched(_, _, share, verdict):
            record = replace(record, watched={**record.watched, share: verdict})
        case PauseAsked() | Paused() | Resumed() | AbortAsked():
            record = _steered(record, what)
        case Rejected(_, _, why):
            record = replace(record, rejected=why, logged=False)
        case Logged():
            record = replace(record, logged=True)
        case Promoted():
            record = replace(record, promoted=at)
        case Restored():
            record = replace(record, restored=True)
        case RolledBack(_, to, why, begun):
            told = f"{why} (to {to})"
            record = replace(record, rolled_back=told, rolled_back_at=at, rolled_back_to=to, going_back=begun)
        case _:
            assert_never(what)
    return release.with_stage(what.stage, record)


def _steered(record: StageRecord, what: PauseAsked | Paused | Resumed | AbortAsked) -> StageRecord:
    """What a person asked of a rollout. What was asked of one that is over does not count."""
    if not record.under_way:
        return record
    match what:
        case PauseAsked(_, who, reason):
            return replace(record, paused=f"{who} asked for it: {reason}")
        case Paused(_, _, share):
            return replace(record, halted=share)
        case Resumed(_, share, _, _, without):
            # A pause that a person asked for is over; that of the step, if it has one, is still to come.
            resumed = record.resumed if record.paused is not None or record.halted is None else record.resumed | {share}
            return replace(record, paused=None, halted=None, resumed=resumed, missed=record.missed | set(without))
        case AbortAsked(_, who, reason, superseded_by):
            why = f"{superseded_by} took its turn" if superseded_by else f"{who} aborted it: {reason}"
            return replace(record, aborted=why, superseded=superseded_by)
    assert_never(what)
