"""The files of a model that was registered, to be used elsewhere."""

from __future__ import annotations

from pathlib import Path

from ctrain.digest import tree_digest
from ctrain.errors import Conflict, UsageError
from ctrain.ports import Backend
from ctrain.release import Release
from ctrain.version import ModelVersion


def export(release: Release, at: Backend) -> tuple[ModelVersion, Path]:
    """The release's version, and where its files are now: those that the gate passed, by their digest.

    Raises UsageError where the release has registered none, Conflict where the files are not what was registered.
    """
    version, run = release.version, release.training
    if version is None or run is None:
        raise UsageError(
            f"the release {release.id} has no model to export",
            why="a model is registered once the gate has passed it, and this one was not",
            hint="see `ctrain show` for what happened, or name another release of `ctrain history`",
        )
    files = at.trainer.fetch(run.job, release.plan.model_output)
    digest = tree_digest(files)
    if digest != version.digest:
        raise Conflict(
            f"the files of {version} are not those that were registered",
            why=f"their digest is {digest[:12]}, and the gate passed {version.digest[:12]}",
            hint="somebody changed the outputs of the job; train again with `ctrain run --fresh`",
        )
    return version, files
