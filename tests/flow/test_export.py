"""A registered model's files, for use elsewhere: those that the gate passed, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.digest import tree_digest
from ctrain.errors import Conflict, UsageError
from ctrain.flow.export import export
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import open_release
from ctrain.flow.train import train
from tests.builders import a_plan
from tests.flow.conftest import Run
from tests.memory import MemoryBackend


def test_the_files_are_those_of_the_version(world: MemoryBackend, run: Run) -> None:
    """By the digest that they were registered with."""
    release = run(a_plan())

    version, files = export(release, world.ports)

    assert version == release.version
    assert tree_digest(files) == version.digest


def test_a_release_without_a_version_has_nothing_to_export(world: MemoryBackend, journal: Journal) -> None:
    """A model that was not judged leaves by no door."""
    release = train(open_release(a_plan(), journal), journal)

    with pytest.raises(UsageError, match="has no model to export"):
        export(release, world.ports)


def test_files_that_were_changed_since_are_refused(world: MemoryBackend, run: Run) -> None:
    """What the gate passed, or nothing."""
    release = run(a_plan())
    _, files = export(release, world.ports)
    changed = files if files.is_file() else next(Path(file) for file in sorted(files.rglob("*")) if file.is_file())
    changed.write_bytes(b"another model")

    with pytest.raises(Conflict, match="not those that were registered"):
        export(release, world.ports)
