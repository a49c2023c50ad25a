"""`ctrain doctor` on this machine: a line each, all of them, and an exit code that a script can go by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.repository import Repository
from tests.e2e.tiny import CONFIGURATION, tiny

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A project that could run."""
    repository = tiny(tmp_path_factory.mktemp("user") / "tiny")
    yield repository
    repository.down()


def test_a_project_that_can_run_passes(project: Repository) -> None:
    """Every line says what was looked at, and nothing was made by looking."""
    said = project.ctrain("doctor")
    assert said.code == 0, said.out
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["✓", subject] for subject in ("file", "pipeline", "folder", "disk", "ports", "data")
    ]
    assert not (project.root / ".ctrain").exists()


def test_each_thing_that_is_wrong_has_its_line_and_its_fix(project: Repository) -> None:
    """One that is missing does not keep the others from being looked at."""
    data, pipeline = project.root / "rows.csv", project.root / "train.yml"
    kept = data.read_text(), pipeline.read_text()
    data.unlink()
    pipeline.write_text(kept[1].replace("  factor: 0.5\n", "  other: 0.5\n"))
    try:
        said = project.ctrain("doctor")
    finally:
        data.write_text(kept[0])
        pipeline.write_text(kept[1])
    assert said.code == 2
    wrong = [line for line in said.out.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in wrong] == ["pipeline", "data"]
    assert "`data.local`" in wrong[1]


def test_a_file_that_is_wrong_is_told_problem_by_problem(project: Repository, tmp_path: Path) -> None:
    """With the place of each; nothing else can be looked at without it."""
    file = tmp_path / "ctrain.yaml"
    file.write_text(CONFIGURATION.replace("project: tiny", "projekt: tiny").replace("floor: 0.6", "flor: 0.6"))
    said = project.ctrain("doctor", "--file", str(file))
    assert said.code == 2
    lines = said.out.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("✗ file") and "ctrain.yaml:" in line for line in lines)
