"""A second look, at more rows of the same model."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.gate import Extend, GateSettings, OnInconclusive, Rule
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.training import TrainingRun, TrainingSpec
from ctrain.verdict import Outcome
from tests.builders import a_plan
from tests.flow.conftest import Run
from tests.flow.test_deliver import Killed, Mortal
from tests.memory import MemoryBackend


def evaluated(*, changes_model: bool = False) -> Callable[[TrainingSpec, Path], None]:
    """Sixty rows, or as many as the input `evaluation_rows` asks for: an AUC of about 0.84."""

    def write(spec: TrainingSpec, folder: Path) -> None:
        many = int(spec.inputs.get("evaluation_rows", 60))
        for name in ("model", "evaluation"):
            (folder / name).mkdir()
        (folder / "model" / "weights").write_text(f"{many if changes_model else 0}")
        with (folder / "evaluation" / "rows.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["row_id", "visited", "prediction"])
            for row in range(many):
                noise = ((row * 2654435761) % 1000) / 1000
                table.writerow([row, row % 2, round(0.3 * (row % 2) + 0.7 * noise, 6)])

    return write


def gate(floor: float = 0.78, value: int = 3000) -> GateSettings:
    return GateSettings(
        metrics={"auc": Rule(direction="up", rule="absolute", floor=floor)},
        min_rows=50,
        on_inconclusive=OnInconclusive(main="extend"),
        extend=Extend(input="evaluation_rows", value=value),
    )


def plan(settings: GateSettings | None = None) -> Plan:
    return a_plan(gate=settings or gate(), stages=())


@pytest.fixture
def few(tmp_path: Path) -> MemoryBackend:
    return MemoryBackend(tmp_path / "few", evaluated())


def once(world: MemoryBackend, wanted: Plan) -> Release:
    journal = Journal(world.ports, "a test", lambda _: None)
    try:
        return deliver(wanted, journal)
    finally:
        journal.unlock_all()


def kinds(world: MemoryBackend, release: str) -> list[str]:
    return [event.what.kind for event in world.ledger.events(release)]


def test_more_rows_decide_what_few_left_open(few: MemoryBackend) -> None:
    """The same model is judged on 3,000 rows instead of 60, at 97.5%, and delivered."""
    release = once(few, plan())

    assert release.verdict is not None
    assert (release.verdict.outcome, release.rows, release.looks) == (Outcome.PASS, 3000, 2)
    assert release.ending is Ending.DELIVERED
    assert "97.5% CI" in release.verdict.findings[0].says
    assert kinds(few, release.id) == [
        "opened", "submitting", "trained", "judged", "extending", "trained", "judged", "closed",
    ]  # fmt: skip


def test_a_first_look_that_decides_is_the_only_one(few: MemoryBackend) -> None:
    """A floor that sixty rows show is not looked at again."""
    release = once(few, plan(gate(floor=0.55)))

    assert (release.looks, release.rows) == (1, 60)
    assert len(few.trainer.runs) == 1


def test_what_stays_open_blocks_after_one_extension(few: MemoryBackend) -> None:
    """One row more than sixty is not enough: undecided, and not asked for a third time, not by another run either."""
    wanted = plan(gate(value=61))
    release = once(few, wanted)
    before = few.writes

    assert (release.ending, release.looks) == (Ending.UNDECIDED, 2)
    assert once(few, wanted).ending is Ending.UNDECIDED
    assert few.writes == before


def test_an_input_that_changes_the_model_is_refused(few: MemoryBackend) -> None:
    """A second look at another model is another release."""
    few.trainer.outputs = evaluated(changes_model=True)

    release = once(few, plan())

    assert release.ending is Ending.UNDECIDED
    assert "changes the model" in release.why


def test_an_extension_that_fails_leaves_the_release_undecided(few: MemoryBackend) -> None:
    """The first verdict stands, with the reason."""
    wanted = plan(gate())
    submit = few.trainer.submit

    def fails(spec: TrainingSpec) -> TrainingRun:
        extra = {"behave": "fail"} if "evaluation_rows" in spec.inputs else {}
        return submit(replace(spec, inputs={**spec.inputs, **extra}))

    few.trainer.submit = fails  # type: ignore[method-assign]
    release = once(few, wanted)

    assert release.ending is Ending.UNDECIDED
    assert "could not be extended" in release.why
    assert release.training is not None
    assert release.training.status.succeeded


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_it_ends_like_undisturbed(tmp_path: Path, after: bool) -> None:
    """Before or after its n-th call of a port, for every n, and run again: two looks, and the same verdict."""
    for death in count(1):
        world = MemoryBackend(tmp_path / f"{after}-{death}", evaluated())
        mortal = Mortal(world.ports, death, after=after)
        with suppress(Killed):
            deliver(plan(), Journal(mortal.ports, "a test that dies", lambda _: None))
        if mortal.lives > 0:
            break
        world.ledger.leases.clear()

        release = once(world, plan())

        assert (release.ending, release.looks, release.rows) == (Ending.DELIVERED, 2, 3000), f"killed at {death}"
        assert len(world.trainer.runs) == 2
    assert death > 15


def test_a_refusal_that_was_not_closed_is_closed_by_the_next_run(world: MemoryBackend, run: Run) -> None:
    """Killed between the verdict and the end: the verdict stands, it is not registered over."""
    world.trainer.outputs = evaluated()
    wanted = plan(GateSettings(metrics={"auc": Rule(direction="up", rule="absolute", floor=0.99)}, min_rows=50))
    first = run(wanted)
    assert first.ending is Ending.REJECTED
    world.ledger.lines.pop()

    assert run(wanted).ending is Ending.REJECTED
