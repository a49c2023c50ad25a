"""What a release did at its stages, and what is still to be done there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ctrain.amounts import duration
from ctrain.events import Event, Logged, Paused, Rejected
from ctrain.plan import Deploy
from ctrain.release import Release, StageRecord
from ctrain.report.report import AtStage, Checked, StageLine
from ctrain.report.timeline import rollout_seconds, traffic
from ctrain.rollout import Stage, at_share


def stages_of(release: Release, events: Sequence[Event], now: datetime) -> tuple[StageLine, ...]:
    """A line for each stage of the plan, in order."""
    return tuple(_stage(step, release, events, now) for step in release.plan.deploys)


def _stage(step: Deploy, release: Release, events: Sequence[Event], now: datetime) -> StageLine:
    name, record = step.stage.name, release.stage(step.stage.name)
    approval = release.approvals.get(name)
    state = _state(name, release)
    return StageLine(
        name=name,
        endpoint=step.stage.endpoint,
        state=state,
        how=how(step.stage, waits=step.waits),
        why=_paused(events, name) if state == "paused" else _why(record, state),
        deployment=record.deployment if record else "",
        approval=f"{approval.who}: {approval.reason}" if approval else "",
        seconds=rollout_seconds(events, name, now),
        checks=tuple(_checks(record)) if record else (),
        traffic=traffic(events, name, record.deployment) if record else (),
        log=_log(events, name),
    )


def _state(name: str, release: Release) -> AtStage:
    record = release.stage(name)
    if release.serves(name):
        return "serves"
    if record is not None and record.rolled_back is not None:
        return "taken back"
    if record is not None and (record.rejected is not None or record.restored):
        return "given up"
    if release.ended:
        return "not reached"
    if record is not None:
        return "under way" if record.halted is None else "paused"
    return "waits" if release.waits_for == name else "ahead"


def _why(record: StageRecord | None, state: AtStage) -> str:
    if record is None or state not in ("taken back", "given up"):
        return ""
    return record.rolled_back or record.rejected or ""


def _paused(events: Sequence[Event], stage: str) -> str:
    """Where the rollout stopped, and why."""
    told = [event.what for event in events if isinstance(event.what, Paused) and event.what.stage == stage]
    return f"{at_share(told[-1].share)}, {told[-1].why}" if told else ""


def how(stage: Stage, *, waits: bool) -> str:
    """In a few words, how a version takes the stage over."""
    way = stage.rollout
    words = {"direct": "at once", "blue_green": "at once", "canary": f"by {', '.join(f'{s}%' for s in way.shares)}"}
    parts = [words[way.strategy]]
    if way.mirror:
        parts.append(f"after {way.mirror}% mirrored")
    if way.watches:
        alike = len(set(way.bakes.values())) == 1
        told = duration(next(iter(way.bakes.values()))) if alike else f"{duration(way.at_least)} in all"
        parts.append(f"each watched for {told}" if way.watches > 1 and alike else f"watched for {told}")
    if way.pauses:
        parts.append(f"pausing at {', '.join(f'{share}%' for share in sorted(way.pauses))}")
    return ", ".join([*parts, *(["once a person says so"] if waits else [])])


def _checks(record: StageRecord) -> Iterator[Checked]:
    if record.smoked is not None:
        yield Checked("smoke tests by name, at 0%", record.smoked)
    for share, verdict in record.watched.items():
        yield Checked(f"watched {at_share(share)}", verdict)
    if record.proven is not None:
        yield Checked("smoke tests through the endpoint", record.proven)


def _log(events: Sequence[Event], stage: str) -> str:
    """The end of what the deployment printed that was given up last."""
    logs = [
        event.what.log for event in events if isinstance(event.what, Rejected | Logged) and event.what.stage == stage
    ]
    return next((log for log in reversed(logs) if log), "")
