"""Steps are taken from earlier jobs exactly when nothing that decides their outputs has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.backends.local.jobs.builders import a_pipeline, a_spec, a_step, trained

from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.plan import LocalPath, PlannedEnvironment, PlannedOutput, PlannedStep, Text, Upstream
from ctrain.backends.local.jobs.reuse import step_key
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.pipeline.graph import FromParent, FromStep, Pipeline, ValueType
from ctrain.training import JobStatus, TrainingRun

FILE, FOLDER = ValueType.URI_FILE, ValueType.URI_FOLDER
Trainers = Callable[[Pipeline], LocalTrainer]


def a_chain(*, prep: str = "cat ${{inputs.data}} > ${{outputs.o}}", deterministic: bool = True) -> Pipeline:
    return a_pipeline(
        a_step(
            "prep",
            prep,
            inputs={"data": FILE},
            bindings={"data": FromParent("data")},
            outputs={"o": FILE},
            deterministic=deterministic,
        ),
        a_step(
            "train",
            "cat ${{inputs.i}} > ${{outputs.m}}; date +%N >> ${{outputs.m}}",
            inputs={"i": FILE},
            bindings={"i": FromStep("prep", "o")},
            outputs={"m": FILE},
            exposes={"m": "model"},
        ),
        inputs={"data": FILE},
        outputs={"model": FILE},
    )


def reused(run: TrainingRun) -> list[str | None]:
    assert run.status is JobStatus.COMPLETED, run.error
    return [step.reused_from for step in run.steps]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.csv"
    file.write_text("1")
    return file


def test_the_same_again_runs_nothing(trainer_of: Trainers, data: Path) -> None:
    """Outputs are those of the first job; preview says so before."""
    trainer = trainer_of(a_chain())
    first = trained(trainer, a_spec("one", inputs={"data": str(data)}))
    preview = trainer.preview(a_spec("two", inputs={"data": str(data)}))
    second = trained(trainer, a_spec("two", inputs={"data": str(data)}))
    assert reused(first) == [None, None]
    assert [step.reused_from for step in preview.steps] == reused(second) == ["one", "one"]
    assert second.outputs == first.outputs


def test_data_counts_by_content_not_by_name(trainer_of: Trainers, data: Path, tmp_path: Path) -> None:
    """A moved file is the same data; a changed one under the same name, size and all, is not."""
    trainer = trainer_of(a_chain())
    trained(trainer, a_spec("one", inputs={"data": str(data)}))
    moved = data.rename(tmp_path / "moved.csv")
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(moved)}))) == ["one", "one"]
    moved.write_text("2")
    assert reused(trained(trainer, a_spec("three", inputs={"data": str(moved)}))) == [None, None]


def test_what_follows_a_step_that_ran_again_runs_again(trainer_of: Trainers, data: Path) -> None:
    """A job's outputs belong together: none is of an older execution than what it was made from."""
    trainer = trainer_of(a_chain())
    trained(trainer, a_spec("one", inputs={"data": str(data)}))
    home = trainer.home.jobs / "one" / "steps" / "prep" / "outputs" / "o"
    home.unlink()
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}))) == [None, None]
    assert reused(trained(trainer, a_spec("three", inputs={"data": str(data)}))) == ["two", "two"]


def test_a_changed_output_is_no_hit(trainer_of: Trainers, data: Path) -> None:
    """Its size is not what the step left."""
    trainer = trainer_of(a_chain())
    first = trained(trainer, a_spec("one", inputs={"data": str(data)}))
    with Path(first.outputs["model"]).open("a") as model:
        model.write("more")
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}))) == ["one", None]


def test_a_step_that_is_not_deterministic_always_runs(trainer_of: Trainers, data: Path) -> None:
    """And so does what follows it."""
    trainer = trainer_of(a_chain(deterministic=False))
    trained(trainer, a_spec("one", inputs={"data": str(data)}))
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}))) == [None, None]


def test_fresh_runs_all_and_is_what_comes_next(trainer_of: Trainers, data: Path) -> None:
    """`--fresh` trains anew; a later job takes the newest."""
    trainer = trainer_of(a_chain())
    trained(trainer, a_spec("one", inputs={"data": str(data)}))
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}, fresh=True))) == [None, None]
    assert reused(trained(trainer, a_spec("three", inputs={"data": str(data)}))) == ["two", "two"]


def test_a_job_may_force_its_rerun(trainer_of: Trainers, data: Path) -> None:
    """`settings.force_rerun` in the pipeline."""
    trainer = trainer_of(replace(a_chain(), force_rerun=True))
    trained(trainer, a_spec("one", inputs={"data": str(data)}))
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}))) == [None, None]


def test_a_failed_step_is_never_a_hit_and_a_good_one_before_it_is(home: Home, data: Path, tmp_path: Path) -> None:
    """Correct the cause outside, submit again: only what failed runs."""
    flag = tmp_path / "flag"
    train = a_step(
        "train",
        f"test -e '{flag}' && echo 1 > ${{{{outputs.m}}}}",
        inputs={"i": FILE},
        bindings={"i": FromStep("prep", "o")},
        outputs={"m": FILE},
        exposes={"m": "model"},
    )
    bad = replace(a_chain(), steps=(a_chain().steps[0], train))
    trainer = LocalTrainer(home, read=lambda _: bad)
    assert trained(trainer, a_spec("one", inputs={"data": str(data)})).status is JobStatus.FAILED
    flag.touch()
    assert reused(trained(trainer, a_spec("two", inputs={"data": str(data)}))) == ["one", None]


def test_code_counts(trainer_of: Trainers, tmp_path: Path) -> None:
    """One byte of code that is not ignored."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "run.sh").write_text("true")
    trainer = trainer_of(a_pipeline(a_step("s", "sh run.sh", code=code)))
    trained(trainer, a_spec("one"))
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "x.pyc").write_text("")
    assert reused(trained(trainer, a_spec("two"))) == ["one"]
    (code / "run.sh").write_text("true ")
    assert reused(trained(trainer, a_spec("three"))) == [None]


WORDS = st.text(st.sampled_from("ab/\n\0"), max_size=3)
STEPS = st.builds(
    PlannedStep,
    name=st.just("s"),
    command=WORDS,
    inputs=st.dictionaries(
        WORDS,
        st.one_of(
            st.builds(Text, WORDS),
            st.builds(LocalPath, st.just("/p"), WORDS),
            st.builds(Upstream, st.sampled_from(["one", "two"]), WORDS),
        ),
        max_size=2,
    ),
    outputs=st.dictionaries(WORDS, st.builds(PlannedOutput, st.booleans(), st.just(True)), max_size=2),
    environment=st.builds(PlannedEnvironment, WORDS),
    code_digest=WORDS,
    variables=st.dictionaries(WORDS, WORDS, max_size=2),
)
IDENTITIES = {"one": "1", "two": "2"}


@given(STEPS, STEPS)
def test_keys_are_equal_only_for_equal_steps(one: PlannedStep, other: PlannedStep) -> None:
    """No two different steps share a key, whatever is in their names and values."""
    assert (step_key(one, IDENTITIES) == step_key(other, IDENTITIES)) == (one == other)


@given(STEPS, st.sampled_from(["name", "component", "code"]))
def test_a_key_does_not_ask_what_a_step_is_called(step: PlannedStep, field: str) -> None:
    """Renaming, or moving the folder that everything lies in, loses nothing."""
    assert step_key(replace(step, **{field: "x"}), IDENTITIES) == step_key(step, IDENTITIES)  # type: ignore[arg-type]
