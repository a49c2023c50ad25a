"""Take a stage back to the deployment that served before, which is still warm."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from ctrain import events
from ctrain.errors import Conflict, NotRestored
from ctrain.events import replay
from ctrain.flow.journal import Journal
from ctrain.flow.revive import revive
from ctrain.flow.undo_drill import undo_drill
from ctrain.ports import Backend, LedgerReader
from ctrain.release import Release
from ctrain.rollout import Stage, live
from ctrain.serving import Endpoint, Traffic
from ctrain.version import ModelVersion

TAKEN_BACK = "rolled-back"
"""Under this name the ledger keeps which versions were taken back, and from which stages."""


def roll_back(stage: Stage, why: str, journal: Journal, *, last: bool, to: int | None = None) -> Release:
    """The release whose version was taken off the stage; at the last stage the champion moves back as well.

    It goes back to what served before, or to the version `to`; never to a version that was itself rolled back there:
    without `to` it goes back beyond that. It is marked and recorded before anything moves, and where one that was begun
    has not come to its end, it is that one that goes on: a second call must not take off what the first one brought
    back. Raises Conflict where there is nothing to go back to, and NotRestored where it could not be done.
    """
    journal.lock(stage.lock)
    ledger = journal.at.ledger
    endpoint = undo_drill(stage, journal.at.serving(stage).look(stage.endpoint), journal)
    begun = going_back(stage, ledger)
    release = begun or serving_release(stage, endpoint, ledger)
    if endpoint is None or release is None:
        raise Conflict(
            f"{stage.name} cannot be rolled back",
            why="no release that the ledger knows has all of its traffic",
            hint=f"see `ctrain status`; `ctrain rollout abort {stage.name}` takes back what is under way",
        )
    back = way_back(stage, endpoint, release, ledger)
    before = back if to is None else _of_version(to, stage, endpoint, release, journal)
    if to is None and begun is not None:
        before = _as_begun(begun.stages[stage.name].rolled_back_to or "", back)
    kept = [name for name in before if name in endpoint.deployments]
    endpoint = revive(release, stage, kept, journal)
    target = _target(stage, endpoint, release, before)
    mark(release, stage, why, journal, target)
    journal.record(release.id, events.RolledBack(stage.name, ", ".join(target), why, begun=True))
    journal.record(release.id, events.Shifting(stage.name, target))
    journal.at.serving(stage).route(stage.endpoint, dict.fromkeys(endpoint.traffic, 0) | dict(target))
    journal.record(release.id, events.Shifted(stage.name, target))
    if last:
        _crown_what_serves(release, target, stage, journal.at, journal)
    return journal.record(release.id, events.RolledBack(stage.name, ", ".join(target), why))


def going_back(stage: Stage, ledger: LedgerReader) -> Release | None:
    """The release whose rollback at the stage was begun, and is not known to have come to its end."""
    for release in newest_first(ledger):
        record = release.stage(stage.name)
        if record is not None and record.going_back:
            return release
    return None


def _as_begun(to: str, back: Traffic) -> Traffic:
    """Where a rollback that was begun goes to: all of it to one, or the split that it had before."""
    return back if ", ".join(back) == to or ", " in to else {to: 100}


def way_back(stage: Stage, endpoint: Endpoint, release: Release, ledger: LedgerReader) -> Traffic:
    """The split that a rollback of this release gives back: what served before it, or, beyond any version that was
    itself rolled back, before that. Empty where there is nothing to go back to."""
    earlier = newest_first(ledger)
    while True:
        before = release.stages[stage.name].before or {}
        there = [endpoint.deployments[name] for name in before if name in endpoint.deployments]
        marked = [one.name for one in there if stage.name in _marks(one.model, one.model_version, ledger)]
        if not marked:
            return before
        found = next((one for one in earlier if one.id != release.id and _brought(one, stage, marked[0])), None)
        if found is None:
            return {}
        release = found


def _brought(release: Release, stage: Stage, deployment: str) -> bool:
    record = release.stage(stage.name)
    return record is not None and record.promoted is not None and record.deployment == deployment


def taken_back(version: ModelVersion, ledger: LedgerReader) -> dict[str, str]:
    """The stages that this version was taken back from, each with the reason."""
    return _marks(version.name, version.version, ledger)


def mark(release: Release, stage: Stage, why: str, journal: Journal, back_to: Collection[str]) -> None:
    """Remember that this version was taken off the stage; not where another deployment of it serves there again.

    One small file a version, so that a deployment need not read through all releases to know.
    """
    version = release.version
    endpoint = journal.at.serving(stage).look(stage.endpoint)
    there = [endpoint.deployments[name] for name in back_to if endpoint and name in endpoint.deployments]
    if version is None or any((one.model, one.model_version) == (version.name, version.version) for one in there):
        return
    write_marks(version, taken_back(version, journal.at.ledger) | {stage.name: why}, journal)


def write_marks(version: ModelVersion, marks: Mapping[str, str], journal: Journal) -> None:
    """What `taken_back` tells from now on."""
    journal.renew(at_once=True)
    journal.at.ledger.keep(TAKEN_BACK, _file_of(version.name, version.version), json.dumps(dict(marks)).encode())


def _marks(model: str, version: int, ledger: LedgerReader) -> dict[str, str]:
    content = ledger.evidence(TAKEN_BACK, _file_of(model, version))
    return dict(json.loads(content)) if content else {}


def _file_of(model: str, version: int) -> str:
    return f"{model}-{version}.json"


def serving_release(stage: Stage, endpoint: Endpoint | None, ledger: LedgerReader) -> Release | None:
    """The newest release that took the stage over and whose deployment has all of its traffic."""
    if endpoint is None:
        return None
    for release in newest_first(ledger):
        record = release.stage(stage.name)
        if record and release.serves(stage.name) and live(endpoint.traffic) == {record.deployment: 100}:
            return release
    return None


def newest_first(ledger: LedgerReader) -> Iterator[Release]:
    """All releases, replayed."""
    for name in reversed(ledger.releases()):
        if (release := replay(ledger.events(name))) is not None:
            yield release


def _of_version(to: int, stage: Stage, endpoint: Endpoint, release: Release, journal: Journal) -> Traffic:
    """All of the traffic for the deployment of that version, which must be there and not have been rolled back."""
    model = release.plan.model
    there = [one.name for one in endpoint.deployments.values() if (one.model, one.model_version) == (model, to)]
    found = [name for name in there if any(_brought(one, stage, name) for one in newest_first(journal.at.ledger))]
    version = next((one for one in journal.at.registry.versions(model) if one.version == to), None)
    taken = taken_back(version, journal.at.ledger).get(stage.name) if version else None
    if not found or taken is not None:
        raise Conflict(
            f"{stage.name} cannot be rolled back to {model}:{to}",
            why=f"it was rolled back there itself: {taken}" if taken else _why_not(there),
            hint="see `ctrain status` for what is there; deploy an earlier commit with `ctrain run`",
        )
    return {found[0]: 100}


def _why_not(there: Collection[str]) -> str:
    return "it has never served there: its rollout came to no end" if there else "no deployment of it is there any more"


def _target(stage: Stage, endpoint: Endpoint, release: Release, before: Traffic) -> Traffic:
    record = release.stages[stage.name]
    if not before or record.deployment in before:
        raise Conflict(
            f"{stage.name} cannot be rolled back",
            why=f"it served nothing else before {release.id}",
            hint="deploy another release with `ctrain deploy --to`",
        )
    for name in before:
        deployment = endpoint.deployments.get(name)
        if deployment is None:
            raise Conflict(
                f"{stage.name} cannot be rolled back to {name}",
                why="that deployment is gone: only the last one that served is kept",
                hint="deploy an earlier commit with `ctrain run`",
            )
        if not deployment.healthy:
            raise NotRestored(
                f"{stage.name} cannot be rolled back to {name}",
                why="that deployment is not healthy",
                hint=f"see `ctrain logs --stage {stage.name}`, or deploy an earlier commit with `ctrain run`",
            )
    return before


def _crown_what_serves(release: Release, target: Traffic, stage: Stage, at: Backend, journal: Journal) -> None:
    endpoint = at.serving(stage).look(stage.endpoint)
    serving = {endpoint.deployments[name].model_version for name in target if endpoint and name in endpoint.deployments}
    for version in at.registry.versions(release.plan.model):
        if version.version in serving:
            journal.record(release.id, events.Crowning(version))
            at.registry.crown(version)
            journal.record(release.id, events.Crowned(version))
