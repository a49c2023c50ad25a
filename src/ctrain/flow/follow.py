"""Where a stage's rollout has come to: read from the ledger, and from what is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ctrain.flow.under_way import last_rollout, not_restored
from ctrain.ports import Backend
from ctrain.release import Release, StageRecord
from ctrain.rollout import Stage, live
from ctrain.serving import Traffic

State = Literal["none", "under way", "pausing", "paused", "restoring", "not restored", "promoted", "restored"]


@dataclass(frozen=True)
class Share:
    """One step of the way (0: mirrored): how long it is watched, whether it pauses, and what the watch came to."""

    share: int
    bake: float
    pause: bool
    outcome: str | None


@dataclass(frozen=True)
class Followed:
    """The last rollout at a stage. `heard` and `by` are of its release's last event: who drives it writes some."""

    stage: str
    state: State
    release: str | None = None
    version: str | None = None
    deployment: str | None = None
    share: int = 0
    traffic: Traffic | None = None
    before: Traffic | None = None
    way: tuple[Share, ...] = ()
    began: datetime | None = None
    heard: datetime | None = None
    by: str = ""
    why: str = ""


def follow(stage: Stage, at: Backend) -> Followed:
    """The last rollout at the stage, whether it is under way or over. Changes nothing."""
    release = last_rollout(stage, at.ledger)
    if release is None:
        return Followed(stage.name, "none")
    record = release.stages[stage.name]
    endpoint = at.serving(stage).look(stage.endpoint)
    traffic = live(endpoint.traffic) if endpoint is not None else {}
    last = at.ledger.events(release.id)[-1]
    state, why = _state(release, stage, record)
    return Followed(
        stage.name,
        state,
        release.id,
        str(release.version) if release.version else None,
        record.deployment,
        traffic.get(record.deployment, 0),
        traffic,
        record.before,
        _way(release, stage, record),
        record.began,
        last.at,
        last.by,
        why,
    )


def _state(release: Release, stage: Stage, record: StageRecord) -> tuple[State, str]:
    given_up = record.rejected or record.aborted or ""
    if record.promoted is not None:
        return "promoted", record.rolled_back or ""
    if record.restored:
        return "restored", given_up
    if not_restored(release, stage):
        return "not restored", release.why
    if given_up:
        return "restoring", given_up
    if record.halted is not None:
        return "paused", record.paused or f"its step at {record.halted}% of the traffic says `pause`"
    if record.paused is not None:
        return "pausing", record.paused
    return "under way", ""


def _way(release: Release, stage: Stage, record: StageRecord) -> tuple[Share, ...]:
    """By the settings that the release was planned with."""
    settings = next((one.stage.rollout for one in release.plan.deploys if one.stage.name == stage.name), stage.rollout)
    shares = (*((0,) if settings.mirror else ()), *settings.shares) if record.before else (100,)
    return tuple(
        Share(
            share,
            settings.bake_at(share) if record.before else 0.0,
            bool(record.before) and share in settings.pauses,
            record.watched[share].outcome if share in record.watched else None,
        )
        for share in shares
    )
