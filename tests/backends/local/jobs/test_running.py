"""Jobs: what a pipeline's steps get, do and leave. Real processes throughout."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backends.local.jobs.builders import (
    AT,
    a_pipeline,
    a_spec,
    a_step,
    an_input,
    an_output,
    ended,
    running,
    trained,
)

from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import PipelineError, PlatformUnavailable, TrainingFailed, UsageError
from ctrain.pipeline.graph import Asset, FromParent, FromStep, Mixed, Pipeline, PipelineStep, ValueType
from ctrain.training import JobStatus

FILE, FOLDER, STRING = ValueType.URI_FILE, ValueType.URI_FOLDER, ValueType.STRING
Trainers = Callable[[Pipeline], LocalTrainer]


def test_outputs_flow_from_step_to_step(trainer_of: Trainers) -> None:
    """A folder output exists when its step starts, a file output does not; the next step reads them."""
    trainer = trainer_of(
        a_pipeline(
            a_step(
                "prep",
                "echo rows > ${{outputs.data}}/a.csv && test ! -e ${{outputs.note}} && echo n > ${{outputs.note}}",
                outputs={"data": FOLDER, "note": FILE},
            ),
            a_step(
                "train",
                "cat ${{inputs.data}}/a.csv ${{inputs.note}} > ${{outputs.model}}/model.txt",
                inputs={"data": FOLDER, "note": FILE},
                bindings={"data": FromStep("prep", "data"), "note": FromStep("prep", "note")},
                outputs={"model": ValueType.MLFLOW_MODEL},
                exposes={"model": "model"},
            ),
            outputs={"model": ValueType.MLFLOW_MODEL},
        )
    )
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.COMPLETED, run.error
    assert (Path(run.outputs["model"]) / "model.txt").read_text() == "rows\nn\n"
    assert trainer.fetch("job-1", "model") == Path(run.outputs["model"])
    assert [(step.name, step.status) for step in run.steps] == [
        ("prep", JobStatus.COMPLETED),
        ("train", JobStatus.COMPLETED),
    ]


def test_a_step_runs_in_a_copy_of_its_code_as_it_was(trainer_of: Trainers, tmp_path: Path) -> None:
    """Without what is ignored, writable, and never the user's own files."""
    code = tmp_path / "code"
    (code / "lib").mkdir(parents=True)
    (code / "main.py").write_text("import lib.part")
    (code / "lib" / "part.py").write_text("print('imported')")
    (code / "secret.txt").write_text("no")
    (code / ".amlignore").write_text("secret.txt\n")
    trainer = trainer_of(a_pipeline(a_step("s", "ls; python main.py; echo changed > main.py", code=code)))
    assert trained(trainer, a_spec()).status is JobStatus.COMPLETED
    log = trainer.logs("job-1", "s")
    assert "imported" in log
    assert "secret" not in log
    assert (code / "main.py").read_text() == "import lib.part"


def test_literals_defaults_and_mixed_text_reach_the_command(trainer_of: Trainers) -> None:
    """Booleans are written `True` and `False`; text with expressions in it is put together."""
    trainer = trainer_of(
        a_pipeline(
            a_step(
                "s",
                "echo ${{inputs.flag}} ${{inputs.rate}} ${{inputs.name}} '${{inputs.title}}' $AZURE_ML_INPUT_rate",
                inputs={"flag": ValueType.BOOLEAN, "rate": ValueType.NUMBER, "name": STRING, "title": STRING},
                bindings={
                    "flag": True,
                    "rate": FromParent("rate"),
                    "name": Mixed(("run-", FromParent("rate"), "!")),
                    "title": "it's $(touch hit)",
                },
            ),
            inputs={"rate": ValueType.NUMBER},
        )
    )
    trained(trainer, a_spec(inputs={"rate": 0.5}))
    assert trainer.logs("job-1", "s") == "True 0.5 run-0.5! it's $(touch hit) 0.5\n"


@pytest.mark.parametrize(("given", "said"), [({}, "none\n"), ({"seed": 7}, "none --seed 7\n")])
def test_an_optional_input_may_stay_away(trainer_of: Trainers, given: dict[str, int], said: str) -> None:
    """`$[[...]]` goes with the pipeline's own optional input."""
    trainer = trainer_of(
        a_pipeline(
            a_step(
                "s",
                "echo none $[[--seed ${{inputs.seed}}]]",
                inputs={"seed": an_input("seed", ValueType.INTEGER, optional=True)},
                bindings={"seed": FromParent("seed")},
            ),
            inputs={"seed": an_input("seed", ValueType.INTEGER, optional=True)},
        )
    )
    trained(trainer, a_spec(inputs=given))
    assert trainer.logs("job-1", "s") == said


def test_a_nested_pipeline_is_run_flat(trainer_of: Trainers) -> None:
    """Its steps are named `outer.inner`; it takes inputs and exposes outputs through both levels."""
    inner = a_pipeline(
        a_step(
            "a",
            "echo ${{inputs.word}} > ${{outputs.o}}",
            inputs={"word": STRING},
            bindings={"word": FromParent("word")},
            outputs={"o": FILE},
            exposes={"o": "made"},
        ),
        inputs={"word": STRING},
        outputs={"made": FILE},
    )
    trainer = trainer_of(
        a_pipeline(
            PipelineStep("outer", AT, inner, {"word": FromParent("word")}, {"made": "made"}),
            a_step(
                "b",
                "cat ${{inputs.i}} ${{inputs.i}} > ${{outputs.o}}",
                inputs={"i": FILE},
                bindings={"i": FromStep("outer", "made")},
                outputs={"o": FILE},
                exposes={"o": "twice"},
            ),
            inputs={"word": STRING},
            outputs={"made": FILE, "twice": FILE},
        )
    )
    run = trained(trainer, a_spec(inputs={"word": "hi"}))
    assert [step.name for step in run.steps] == ["outer.a", "b"]
    assert Path(run.outputs["made"]).read_text() == "hi\n"
    assert Path(run.outputs["twice"]).read_text() == "hi\nhi\n"


def test_steps_that_do_not_need_each_other_run_side_by_side(trainer_of: Trainers, tmp_path: Path) -> None:
    """Each of the two waits for the other to have started: one after the other they would never end."""
    meet = "touch {0}/{1}; until test -e {0}/{2}; do sleep 0.01; done"
    place = shlex.quote(str(tmp_path))
    trainer = trainer_of(
        a_pipeline(a_step("a", meet.format(place, "a", "b")), a_step("b", meet.format(place, "b", "a")))
    )
    assert trained(trainer, a_spec()).status is JobStatus.COMPLETED


def test_a_failed_step_says_why(trainer_of: Trainers) -> None:
    """Its exit code and last lines are in the error, the steps after it don't start, the others do."""
    trainer = trainer_of(
        a_pipeline(
            a_step("bad", "seq 100; echo boom >&2; exit 3", outputs={"o": FOLDER}),
            a_step("after", inputs={"i": FOLDER}, bindings={"i": FromStep("bad", "o")}),
            a_step("other", "sleep 0.1"),
        )
    )
    run = trained(trainer, a_spec())
    bad, after, other = run.steps
    assert run.status is JobStatus.FAILED
    assert "the step 'bad' failed" in (run.error or "")
    assert bad.error is not None
    assert "exit code 3" in bad.error
    assert bad.error.splitlines()[-1] == "boom"
    assert len(bad.error.splitlines()) == 21
    assert bad.log is not None
    assert Path(bad.log).read_text().startswith("1\n2\n")
    assert (after.status, other.status) == (JobStatus.NOT_STARTED, JobStatus.COMPLETED)
    with pytest.raises(TrainingFailed, match="no output"):
        trainer.fetch("job-1", "o")


def test_a_pipeline_may_stop_at_its_first_failure(trainer_of: Trainers) -> None:
    """`continue_on_step_failure: false` cancels what runs."""
    trainer = trainer_of(
        a_pipeline(a_step("slow", "sleep 60"), a_step("bad", "exit 1"), continue_on_step_failure=False)
    )
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.FAILED
    assert [step.status for step in run.steps] == [JobStatus.CANCELED, JobStatus.FAILED]


def test_an_output_that_was_not_written_fails_the_step(trainer_of: Trainers) -> None:
    """An empty folder as the pipeline's model would be registered as nothing; a lost file could not be read."""
    trainer = trainer_of(
        a_pipeline(a_step("s", outputs={"model": FOLDER}, exposes={"model": "model"}), outputs={"model": FOLDER})
    )
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.FAILED
    assert "wrote nothing to its output 'model'" in (run.error or "")


def test_a_killed_step_names_its_signal(trainer_of: Trainers) -> None:
    """`exit code -9` tells nobody anything."""
    run = trained(trainer_of(a_pipeline(a_step("s", "kill -9 $$"))), a_spec())
    assert "SIGKILL" in (run.error or "")


def test_what_a_step_leaves_running_ends_with_it(trainer_of: Trainers, tmp_path: Path) -> None:
    """As a container's end would end it."""
    mark = tmp_path / "mark"
    command = f"(trap '' HUP; sleep 1; touch {shlex.quote(str(mark))}) & echo started"
    trained(trainer_of(a_pipeline(a_step("s", command), a_step("t", "sleep 1.2"))), a_spec())
    assert not mark.exists()


def test_an_output_is_copied_where_it_was_asked_for(trainer_of: Trainers, tmp_path: Path) -> None:
    """A local `path:` is honoured, one in a datastore is not ours."""
    wanted = tmp_path / "out" / "metrics.json"
    trainer = trainer_of(
        a_pipeline(
            a_step("s", "echo 1 > ${{outputs.o}}", outputs={"o": FILE}, exposes={"o": "o"}),
            a_step("t", "echo 1 > ${{outputs.o}}", outputs={"o": FILE}, exposes={"o": "p"}),
            outputs={"o": an_output("o", FILE, str(wanted)), "p": an_output("p", FILE, "azureml://datastores/x/y")},
        )
    )
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.COMPLETED, run.error
    assert wanted.read_text() == "1\n"


def test_a_lost_output_makes_the_job_unknown(trainer_of: Trainers) -> None:
    """What was completed and is gone is neither success nor failure."""
    trainer = trainer_of(
        a_pipeline(a_step("s", "echo 1 > ${{outputs.o}}", outputs={"o": FILE}, exposes={"o": "o"}), outputs={"o": FILE})
    )
    Path(trained(trainer, a_spec()).outputs["o"]).unlink()
    run = trainer.look("job-1")
    assert run is not None
    assert run.status is JobStatus.UNKNOWN
    assert "'o' is gone" in (run.error or "")
    with pytest.raises(TrainingFailed, match="is gone"):
        trainer.fetch("job-1", "o")


def test_python_in_a_command_is_the_interpreter_of_ctrain(trainer_of: Trainers) -> None:
    """Whatever else is called python on this machine."""
    trainer = trainer_of(a_pipeline(a_step("s", "python -c 'import sys; print(sys.prefix)'")))
    trained(trainer, a_spec())
    assert trainer.logs("job-1", "s").strip() == sys.prefix


def test_a_step_has_its_own_variables(trainer_of: Trainers) -> None:
    """Those of the step win over all others."""
    trainer = trainer_of(
        a_pipeline(a_step("s", 'echo "$A $AZURE_ML_OUTPUT_o"', variables={"A": "x $y"}, outputs={"o": FOLDER}))
    )
    trained(trainer, a_spec())
    assert trainer.logs("job-1", "s").startswith("x $y /")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"sed": 1}, "did you mean 'seed'"),
        ({}, "'data' has no value"),
        ({"data": "/nowhere/at/all"}, "does not exist"),
        ({"data": "/"}, "must be a file"),
        ({"data": "azureml:visits@latest"}, "not on this machine"),
        ({"data": "https://example.org/x.csv"}, "not on this machine"),
        ({"data": "/etc/hostname", "seed": "many"}, "type integer"),
    ],
)
def test_bad_inputs_are_refused_before_anything_starts(
    trainer_of: Trainers, home: Home, inputs: dict[str, str | int], message: str
) -> None:
    """Preview and submit say the same, and nothing is left behind."""
    trainer = trainer_of(
        a_pipeline(
            a_step(
                "s",
                inputs={"data": FILE, "seed": ValueType.INTEGER},
                bindings={"data": FromParent("data"), "seed": FromParent("seed")},
            ),
            inputs={"data": FILE, "seed": an_input("seed", ValueType.INTEGER, optional=True)},
        )
    )
    for act in (trainer.preview, trainer.submit):
        with pytest.raises(PipelineError) as caught:
            act(a_spec(inputs=inputs))
        assert message in str(caught.value)
    assert trainer.look("job-1") is None


def test_a_data_asset_kept_here_is_found(trainer_of: Trainers, home: Home) -> None:
    """`@latest` is the highest version, as numbers go."""
    for version in ("9", "10"):
        (home.data / "assets" / "visits" / version).mkdir(parents=True)
        (home.data / "assets" / "visits" / version / "v").write_text(version)
    trainer = trainer_of(
        a_pipeline(
            a_step(
                "s", "cat ${{inputs.d}}/v", inputs={"d": FOLDER}, bindings={"d": Asset("azureml:visits@latest", FOLDER)}
            )
        )
    )
    trained(trainer, a_spec())
    assert trainer.logs("job-1", "s") == "10"


def test_a_name_cannot_leave_the_folder(trainer_of: Trainers) -> None:
    """Names come from outside, too."""
    with pytest.raises(UsageError, match="not a job's name"):
        trainer_of(a_pipeline()).look("../../etc")


def test_a_home_that_cannot_be_used_is_the_platforms_fault(tmp_path: Path) -> None:
    """No traceback: what, why and a hint."""
    (tmp_path / "file").write_text("")
    trainer = LocalTrainer(Home(tmp_path / "file" / "home"), read=lambda _: a_pipeline(a_step("s")))
    with pytest.raises(PlatformUnavailable, match="cannot use its folder"):
        trainer.submit(a_spec())


def test_a_full_disk_ends_a_job_readably(trainer_of: Trainers) -> None:
    """The step's own complaint is in the error; the job's state stays whole."""
    trainer = trainer_of(a_pipeline(a_step("s", "echo x > /dev/full")))
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.FAILED
    assert "No space left on device" in (run.error or "")


def test_logs_are_there_while_a_step_runs(trainer_of: Trainers) -> None:
    """Python's output is not held back until its end."""
    trainer = trainer_of(a_pipeline(a_step("s", "python -c \"import time; print('now'); time.sleep(60)\"")))
    trainer.submit(a_spec())
    run = running(trainer, "s")
    assert run.steps[0].status is JobStatus.RUNNING
    assert trainer.logs("job-1") == "== s ==\nnow\n"
    trainer.cancel("job-1")
    assert ended(trainer).status is JobStatus.CANCELED


def test_a_step_that_runs_longer_than_its_limit_is_killed(trainer_of: Trainers) -> None:
    """`limits.timeout`, as Azure ML ends it; the reason says so."""
    step = replace(a_step("slow", "sleep 60"), timeout=1)
    trainer = trainer_of(a_pipeline(step))
    trainer.submit(a_spec("slow"))

    run = ended(trainer, "slow")

    assert run.status is JobStatus.FAILED
    assert "longer than its limit of 1 s" in (run.steps[0].error or "")


def test_an_input_that_changes_while_a_step_runs_fails_it(trainer_of: Trainers, tmp_path: Path) -> None:
    """What was made of it must not be kept as if it were made of the pinned content."""
    data = tmp_path / "rows.csv"
    data.write_text("1\n")
    step = a_step(
        "read",
        "cat ${{inputs.rows}} && echo 2 >> ${{inputs.rows}}",
        inputs={"rows": FILE},
        bindings={"rows": Asset(str(data), FILE)},
    )
    trainer = trainer_of(a_pipeline(step))
    trainer.submit(a_spec("changing"))

    run = ended(trainer, "changing")

    assert run.status is JobStatus.FAILED
    assert "changed while it ran" in (run.steps[0].error or "")


def test_files_that_the_pipeline_names_itself_are_part_of_the_preview(trainer_of: Trainers, tmp_path: Path) -> None:
    """A lookup table that changes makes another training, though nobody passed it in."""
    table = tmp_path / "lookup.csv"
    table.write_text("a\n")
    step = a_step("read", "cat ${{inputs.t}}", inputs={"t": FILE}, bindings={"t": Asset(str(table), FILE)})
    trainer = trainer_of(a_pipeline(step))
    before = trainer.preview(a_spec("x")).inputs

    table.write_text("b\n")

    assert before != ""
    assert trainer.preview(a_spec("x")).inputs != before
