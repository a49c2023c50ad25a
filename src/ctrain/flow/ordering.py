"""An older commit does not take over from a newer one, be it by a CI run that is late, or by one that is run again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from ctrain.errors import Conflict
from ctrain.events import replay
from ctrain.flow.roll_back import newest_first
from ctrain.ports import LedgerReader
from ctrain.release import Release
from ctrain.rollout import Stage, live
from ctrain.serving import Endpoint

NEWEST = 50
"""Among so many releases one is looked for that had the stage, where nothing serves it now."""


def refuse_older(release: Release, stage: Stage, endpoint: Endpoint | None, ledger: LedgerReader) -> None:
    """Raises Conflict where a newer commit serves the stage, is on its way there, or had it last.

    The last: who rolled a newer one back decided what is to serve, and a run that comes late did not.
    """
    for there in _had_it(stage, endpoint, ledger):
        if there.id != release.id and is_older(release, there, ledger):
            raise _refusal(release, there, stage)


def is_older(ours: Release, theirs: Release, ledger: LedgerReader) -> bool:
    """Whether our commit is the older one.

    By when they were committed; where that is the same second, or is not known, by when each first had a release.
    """
    a, b = ours.plan.source, theirs.plan.source
    if a.commit and a.commit == b.commit:
        return False
    if a.committed and b.committed and a.committed != b.committed:
        return a.committed < b.committed
    return _first_seen(ours, ledger) < _first_seen(theirs, ledger)


def _first_seen(release: Release, ledger: LedgerReader) -> datetime:
    """When that commit had its first release, for whatever trigger: a fresh release makes no commit newer."""
    source = release.plan.source
    if not source.commit:
        return release.opened
    names = [name for name in ledger.releases() if f"-{source.short}-" in name]
    known = [one for name in names if (one := replay(ledger.events(name))) and one.plan.source.commit == source.commit]
    return min((one.opened for one in known), default=release.opened)


def _had_it(stage: Stage, endpoint: Endpoint | None, ledger: LedgerReader) -> Iterator[Release]:
    """The releases that are on their way to the stage, or took it over, newest first, down to the one that serves."""
    serving = live(endpoint.traffic) if endpoint else {}
    for release in islice(newest_first(ledger), None if serving else NEWEST):
        record = release.stage(stage.name)
        if record is None:
            continue
        if record.promoted is not None or (release.amid == stage.name and record.deployment in serving):
            yield release
        if release.serves(stage.name) and serving == {record.deployment: 100}:
            return


def _refusal(ours: Release, there: Release, stage: Stage) -> Conflict:
    record, theirs = there.stages[stage.name], there.plan.source.short
    hint = "leave it; or, if you mean it, run again with --allow-older"
    when = f", of {there.plan.source.committed}" if there.plan.source.committed else ""
    if record.rolled_back is not None:
        what = f"{stage.name} had a newer commit than {ours.plan.source.short}"
        why = f"{there.id} brought {theirs} there{when}, and it was rolled back since: {record.rolled_back}"
    elif record.promoted is not None:
        what = f"{stage.name} serves a newer commit than {ours.plan.source.short}"
        why = f"{there.id} brought {theirs} there{when}"
    else:
        what = f"a newer commit than {ours.plan.source.short} is on its way to {stage.name}"
        why = f"{there.id} takes {theirs} there{when}, and has part of the traffic"
        hint = f"let `ctrain resume {there.id}` finish it, or take it back with `ctrain rollout abort {stage.name}`"
    return Conflict(what, why=why, hint=hint)
