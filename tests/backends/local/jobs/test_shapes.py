"""Shapes of public Azure ML pipelines, read from their YAML and run as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backends.local.jobs.builders import a_spec, trained

from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.training import JobStatus

SHAPES = sorted((Path(__file__).parents[3] / "pipeline" / "shapes").glob("*/pipeline.yml"))


@pytest.mark.parametrize("file", SHAPES, ids=[file.parent.name for file in SHAPES])
def test_it_runs(file: Path, home: Home) -> None:
    """All steps are completed, and every output of the pipeline is there."""
    trainer = LocalTrainer(home)
    run = trained(trainer, a_spec(file=file))
    assert run.status is JobStatus.COMPLETED, f"{run.error}\n{trainer.logs('job-1')}"
    assert run.steps
    assert all(Path(place).exists() for place in run.outputs.values())


def test_there_are_shapes() -> None:
    """A parametrised test over nothing would pass in silence."""
    assert len(SHAPES) >= 8
