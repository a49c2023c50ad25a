"""Take a stage back to the deployment that served before, which is still warm."""

from __future__ import annotations

import json
from collections.abc import Iterator

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

    It goes back to what served before, or to the version `to`. Raises Conflict where there is nothing to go back to, or
    that version was itself rolled back there, and NotRestored where it could not be done.
    """
    journal.lock(stage.lock)
    endpoint = undo_drill(stage, journal.at.serving(stage).look(stage.endpoint), journal)
    release = serving_release(stage, endpoint, journal.at.ledger)
    if endpoint is None or release is None:
        raise Conflict(
            f"{stage.name} cannot be rolled back",
            why="no release that the ledger knows serves it",
            hint="see `ctrain status`",
        )
    before = (
        release.stages[stage.name].before or {} if to is None else _of_version(to, stage, endpoint, release, journal)
    )
    kept = [name for name in before if name in endpoint.deployments]
    endpoint = revive(release, stage, kept, journal)
    target = _target(stage, endpoint, release, before)
    journal.record(release.id, events.Shifting(stage.name, target))
    journal.at.serving(stage).route(stage.endpoint, dict.fromkeys(endpoint.traffic, 0) | dict(target))
    journal.record(release.id, events.Shifted(stage.name, target))
    _mark(release, stage, why, journal)
    release = journal.record(release.id, events.RolledBack(stage.name, ", ".join(target), why))
    if last:
        _crown_what_serves(release, target, stage, journal.at, journal)
    return release


def taken_back(version: ModelVersion, ledger: LedgerReader) -> dict[str, str]:
    """The stages that this version was taken back from, each with the reason."""
    content = ledger.evidence(TAKEN_BACK, _file_of(version))
    return dict(json.loads(content)) if content else {}


def _mark(release: Release, stage: Stage, why: str, journal: Journal) -> None:
    """One small file a version, so that a deployment need not read through all releases to know."""
    if release.version is not None:
        taken = taken_back(release.version, journal.at.ledger) | {stage.name: why}
        journal.at.ledger.keep(TAKEN_BACK, _file_of(release.version), json.dumps(taken).encode())


def _file_of(version: ModelVersion) -> str:
    return f"{version.name}-{version.version}.json"


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
    found = [one.name for one in endpoint.deployments.values() if (one.model, one.model_version) == (model, to)]
    version = next((one for one in journal.at.registry.versions(model) if one.version == to), None)
    taken = taken_back(version, journal.at.ledger).get(stage.name) if version else None
    if not found or taken is not None:
        raise Conflict(
            f"{stage.name} cannot be rolled back to {model}:{to}",
            why=f"it was rolled back there itself: {taken}" if taken else "no deployment of it is there any more",
            hint="see `ctrain status` for what is there; deploy an earlier commit with `ctrain run`",
        )
    return {found[0]: 100}


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
