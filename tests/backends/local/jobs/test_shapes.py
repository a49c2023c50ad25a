"""Shapes of public Azure ML pipelines, read from their YAML and run as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.backends.local.jobs.builders import a_spec, trained

from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.training import JobStatus

SHAPES = sorted((Path(__file__).parents[3] / "pipeline" / "shapes").glob("*/pipeline.yml"))


@pytest.mark.parametrize("file", SHAPES, ids=[file.parent.name for file in SHAPES])
def test_it_runs(file: Path, home: Home) -> None:
    """All steps are completed, and the pipeline's outputs hold what its `expected.json` says."""
    trainer = LocalTrainer(home)
    run = trained(trainer, a_spec(file=file))
    assert run.status is JobStatus.COMPLETED, f"{run.error}\n{trainer.logs('job-1')}"
    assert run.steps
    expected = json.loads((file.parent / "expected.json").read_text())
    assert {name: content(Path(run.outputs[name])) for name in expected} == expected


def content(place: Path) -> str | dict[str, str]:
    """A file's text, or that of each file in a folder."""
    if place.is_file():
        return place.read_text()
    return {str(file.relative_to(place)): file.read_text() for file in place.rglob("*") if file.is_file()}


def test_there_are_shapes() -> None:
    """A parametrised test over nothing would pass in silence."""
    assert len(SHAPES) >= 8
