"""Judging a release's rows again, by another gate: nothing is recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.errors import DataError, UsageError
from ctrain.flow.rejudge import rejudge, rows_of
from ctrain.gate import GateSettings, Rule
from ctrain.release import Ending
from ctrain.verdict import Outcome
from tests.builders import a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

STRICT = GateSettings(metrics={"auc": Rule(direction="up", rule="absolute", floor=0.99)}, min_rows=50)


def test_another_gate_judges_the_same_rows(world: MemoryBackend, run: Run) -> None:
    """A release that was delivered would have been refused by a stricter one; and not a write more."""
    world.trainer.outputs = outputs(quality=0.5)
    release = run(a_plan())
    before = world.writes

    verdict = rejudge(release, STRICT, release.plan.evaluation, world.ports)

    assert release.ending is Ending.DELIVERED
    assert verdict.outcome is Outcome.FAIL
    assert rejudge(release, release.plan.gate, release.plan.evaluation, world.ports) == release.verdict
    assert world.writes == before


def test_rows_that_changed_since_are_refused(world: MemoryBackend, run: Run) -> None:
    """A verdict on them would be about something else."""
    release = run(a_plan())
    assert release.training is not None
    rows = Path(release.training.outputs["evaluation"]) / "rows.csv"
    rows.write_text(rows.read_text().replace("\n1,1,", "\n1,0,"))

    with pytest.raises(DataError, match="not those that were judged"):
        rows_of(release, STRICT, release.plan.evaluation, world.ports)


def test_a_release_without_rows_cannot_be_judged(world: MemoryBackend, run: Run) -> None:
    """Its training failed, or has not ended."""
    failed = run(a_plan(parameters={"behave": "fail"}))

    for release in (failed, replace(failed, training=None)):
        with pytest.raises(UsageError, match="no evaluation rows"):
            rejudge(release, STRICT, release.plan.evaluation, world.ports)
