"""Let a version that was rolled back from a stage go there again; who, when and why is in the ledger."""

from __future__ import annotations

from ctrain.errors import UsageError
from ctrain.events import Readmitted
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import newest_first, taken_back, write_marks
from ctrain.release import Release
from ctrain.rollout import Stage
from ctrain.version import ModelVersion


def readmit(stage: Stage, number: int, model: str, journal: Journal, *, who: str, reason: str) -> Release:
    """The release whose version may go to the stage again.

    The same training gives the same model, to the byte, so that without this nothing but another model would help.
    Raises UsageError for a version that is not marked.
    """
    journal.lock(stage.lock)
    version = next((one for one in journal.at.registry.versions(model) if one.version == number), None)
    marks = taken_back(version, journal.at.ledger) if version is not None else {}
    release = _of(version, stage, journal) if version is not None and stage.name in marks else None
    if version is None or release is None:
        marked = ", ".join(f"{model}:{one}" for one in _marked(stage, model, journal)) or "none"
        raise UsageError(
            f"{model}:{number} was not rolled back from {stage.name}",
            why=f"the versions that were: {marked}",
            hint="nothing keeps it from being deployed there" if version else "name one of them",
        )
    left = {name: why for name, why in marks.items() if name != stage.name}
    journal.record(release.id, Readmitted(stage.name, str(version), who, reason))
    write_marks(version, left, journal)
    return release


def _of(version: ModelVersion, stage: Stage, journal: Journal) -> Release | None:
    """The newest release that took this version to the stage; else the newest that has it."""
    having = [one for one in newest_first(journal.at.ledger) if one.version == version]
    return next((one for one in having if one.stage(stage.name) is not None), having[0] if having else None)


def _marked(stage: Stage, model: str, journal: Journal) -> list[int]:
    versions = journal.at.registry.versions(model)
    return [one.version for one in versions if stage.name in taken_back(one, journal.at.ledger)]
