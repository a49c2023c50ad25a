"""Judging: what a verdict makes of a release, by trigger."""

from __future__ import annotations

import pytest

from ctrain.errors import ExitCode
from ctrain.gate import GateSettings, OnInconclusive, Rule
from ctrain.project import Trigger
from ctrain.release import Ending
from ctrain.verdict import Outcome
from tests.builders import a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

FLOOR = {"auc": Rule(direction="up", rule="absolute", floor=0.7)}
TOO_FEW = GateSettings(metrics=FLOOR, min_rows=1000)


def test_too_few_rows_are_no_failure_of_a_pull_request(world: MemoryBackend, run: Run) -> None:
    """Neutral: it ends with exit code 0 and says inconclusive. Run again, it writes nothing."""
    plan = a_plan(trigger=Trigger.PULL_REQUEST, stages=(), gate=TOO_FEW)

    release = run(plan)
    before = world.writes

    assert release.verdict is not None
    assert release.verdict.outcome is Outcome.INCONCLUSIVE
    assert release.ending is Ending.NEUTRAL
    assert release.ending.exit_code is ExitCode.DONE
    assert "1,000 are asked for" in release.why
    assert run(plan).ending is Ending.NEUTRAL
    assert world.writes == before


@pytest.mark.parametrize("trigger", sorted(set(Trigger) - {Trigger.PULL_REQUEST}))
def test_too_few_rows_block_everything_else(world: MemoryBackend, run: Run, trigger: Trigger) -> None:
    """A person decides: exit code 4, nothing registered."""
    release = run(a_plan(trigger=trigger, gate=TOO_FEW))

    assert release.ending is Ending.UNDECIDED
    assert release.ending.exit_code is ExitCode.UNDECIDED
    assert world.registry.versions("visits") == ()


def test_neutral_never_deploys(world: MemoryBackend, run: Run) -> None:
    """Also where a project asks for it on main: no failure, and no model either."""
    gate = GateSettings(metrics=FLOOR, min_rows=1000, on_inconclusive=OnInconclusive(main="neutral"))

    release = run(a_plan(gate=gate))

    assert release.ending is Ending.NEUTRAL
    assert world.registry.versions("visits") == ()
    assert world.serving.endpoints == {}


def test_what_cannot_be_measured_is_a_failure_of_a_pull_request_too(world: MemoryBackend, run: Run) -> None:
    """An error is not a lack of rows."""
    gate = GateSettings(metrics={"f2": FLOOR["auc"]})

    release = run(a_plan(trigger=Trigger.PULL_REQUEST, stages=(), gate=gate))

    assert release.ending is Ending.UNDECIDED


def test_a_worse_model_fails_a_pull_request(world: MemoryBackend, run: Run) -> None:
    """Neutral is for what too few rows left open, and for nothing else."""
    world.trainer.outputs = outputs(quality=0.0)

    assert run(a_plan(trigger=Trigger.PULL_REQUEST, stages=())).ending is Ending.REJECTED
