"""Jobs on Azure ML, over the loopback Azure: one job whatever happens, few requests, and the truth about each step."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path

import pytest

from ctrain.backends.azureml.trainer import PACE, AzureTrainer
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.errors import CtrainError, PlatformUnavailable
from ctrain.training import JobStatus, TrainingRun
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import CountingClock
from tests.backends.azureml.pipelines import a_training, write_pipeline

JOB = ".*/jobs/ctrain-a-1"

COUNT = """\
import sys
from pathlib import Path
before = len(Path(sys.argv[1], "count").read_text()) if len(sys.argv) > 2 else 0
if before == 2:
    import mlflow
    mlflow.log_metric("auc", 0.5)
    mlflow.log_metric("loss", float("nan"))
Path(sys.argv[-1], "count").write_text("x" * (before + 1))
"""
"""Counts steps; the third one logs metrics."""


@pytest.fixture
def trainer(workspace: AzureWorkspace, tmp_path: Path) -> AzureTrainer:
    return AzureTrainer(workspace, tmp_path / "outputs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a pipeline of two steps."""
    return write_pipeline(tmp_path / "project")


def ended(trainer: AzureTrainer, job: str = "ctrain-a-1") -> TrainingRun:
    """The job once it has ended; bounded."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        run = trainer.look(job)
        if run is not None and run.status.ended:
            return run
        time.sleep(0.1)
    raise AssertionError(f"{job} did not end")


def jobs_of(azure: Loopback, place: Place) -> dict[str, dict[str, object]]:
    listed: dict[str, dict[str, object]] = azure.control("GET", f"{place.arm_id}/jobs")
    return listed


def told(azure: Loopback, place: Place, run: str, status: str, seconds: float | None = None) -> None:
    """From now on this is the status that Azure tells of a job or step."""
    azure.control("PUT", f"{place.arm_id}/jobs/{run}/status", {"status": status, "seconds": seconds})


def test_an_answer_that_is_lost_makes_no_second_job(
    azure: Loopback, place: Place, trainer: AzureTrainer, file: Path
) -> None:
    """The PUT took effect, its answer did not come; the same PUT again meets the job."""
    azure.fault("reset after", method="PUT", path=f"{JOB}.*", times=1)

    run = trainer.submit(a_training(file))

    assert run.job == "ctrain-a-1"
    assert list(jobs_of(azure, place)) == ["ctrain-a-1"]


def test_a_job_that_somebody_made_meanwhile_is_adopted(
    azure: Loopback, place: Place, trainer: AzureTrainer, file: Path, workspace: AzureWorkspace
) -> None:
    """Also where Azure refuses ours as another job of that name."""
    other = AzureTrainer(workspace)
    azure.fault("answer", method="GET", path=f"{JOB}.*", times=1, status=404, body={"error": {"code": "NotFound"}})
    other.submit(a_training(file, rate=0.7))
    azure.fault("answer", method="GET", path=f"{JOB}.*", times=1, status=404, body={"error": {"code": "NotFound"}})

    run = trainer.submit(a_training(file, rate=0.8))

    assert run.job == "ctrain-a-1"
    assert list(jobs_of(azure, place)) == ["ctrain-a-1"]


def test_what_azure_refuses_is_told_in_its_words(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """And nothing is adopted where nothing is."""
    refusal = {"error": {"code": "UserError", "message": "The compute is being deleted."}}
    azure.fault("answer", method="PUT", path=f"{JOB}.*", times=None, status=400, body=refusal)

    with pytest.raises(CtrainError, match="The compute is being deleted"):
        trainer.submit(a_training(file))


def test_two_that_upload_the_same_code_do_not_trip(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """One of them meets the other's blob: https://github.com/Azure/azure-sdk-for-python/issues/30155."""
    exists = {"error": {"code": "BlobAlreadyExists", "message": "The specified blob already exists."}}
    azure.fault("answer", method="PUT", host=r".*\.blob\..*", times=1, status=409, body=exists,
                headers={"x-ms-error-code": "BlobAlreadyExists"})  # fmt: skip

    assert trainer.submit(a_training(file)).job == "ctrain-a-1"


def test_steps_are_told_by_their_names_in_the_pipeline(trainer: AzureTrainer, file: Path) -> None:
    """With what failed, the end of its log, and those that never ran."""
    trainer.submit(a_training(file, behave="fail-prep"))

    run = ended(trainer)

    assert run.status is JobStatus.FAILED
    assert [(step.name, step.status) for step in run.steps] == [
        ("prep", JobStatus.FAILED), ("train", JobStatus.NOT_STARTED),
    ]  # fmt: skip
    assert "boom" in (run.steps[0].error or "")
    assert (run.error or "").startswith("the step prep failed: ")
    assert "prep starts" in trainer.logs("ctrain-a-1", "prep")
    assert trainer.logs("ctrain-a-1", "train") == trainer.logs("ctrain-a-1", "nothing") == ""


def test_reused_steps_name_the_job_that_ran_them(trainer: AzureTrainer, file: Path) -> None:
    """And their outputs can be fetched, as they are the earlier job's."""
    trainer.submit(a_training(file))
    ended(trainer)
    trainer.submit(a_training(file, "ctrain-b-1"))

    again = ended(trainer, "ctrain-b-1")

    assert [step.reused_from for step in again.steps] == ["ctrain-a-1", "ctrain-a-1"]
    assert (trainer.fetch("ctrain-b-1", "model") / "deep" / "more.txt").is_file()


def test_an_ended_job_is_asked_for_once(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """It does not change any more."""
    trainer.submit(a_training(file))
    first = ended(trainer)
    mark = azure.mark()

    assert trainer.look("ctrain-a-1") is first
    assert not azure.calls(since=mark)


def test_an_hours_wait_costs_under_100_calls(
    azure: Loopback, place: Place, session: AzureSession, file: Path, tmp_path: Path
) -> None:
    """Of all kinds together, with the pace that the flow is given: the job and its steps in turn."""
    session.clock = clock = CountingClock()
    trainer = AzureTrainer(AzureWorkspace(place.address, session), tmp_path / "outputs")
    trainer.submit(a_training(file, behave="slow"))
    looked = 0
    mark = azure.mark()
    while clock.monotonic() < 3600:
        clock.sleep(PACE.after(clock.monotonic()))
        run = trainer.look("ctrain-a-1")
        assert run is not None and not run.status.ended
        looked += 1

    calls = azure.calls(since=mark)
    trainer.cancel("ctrain-a-1")

    assert looked <= len(calls) <= looked + 5 < 80, Counter(call["path"].rpartition("/")[2] for call in calls)


def test_every_state_is_told_and_only_completed_is_success(
    azure: Loopback, place: Place, workspace: AzureWorkspace, file: Path
) -> None:
    """Whatever Azure says: a state that nobody knows is `Unknown`."""
    AzureTrainer(workspace).submit(a_training(file, behave="slow"))
    said = {status.value: status for status in JobStatus} | {"Whatever": JobStatus.UNKNOWN}
    seen = {}
    for status in said:
        told(azure, place, "ctrain-a-1", status)
        seen[status] = AzureTrainer(workspace).look("ctrain-a-1")
    AzureTrainer(workspace).cancel("ctrain-a-1")

    assert {status: run and run.status for status, run in seen.items()} == said
    assert [status for status, run in seen.items() if run and run.status.succeeded] == ["Completed"]


def test_a_job_that_stopped_responding_may_come_back(
    azure: Loopback, place: Place, trainer: AzureTrainer, file: Path
) -> None:
    """`NotResponding` is not the end, whatever the SDK's own table says."""
    trainer.submit(a_training(file))
    told(azure, place, "ctrain-a-1", "NotResponding", 1.0)
    seen = trainer.look("ctrain-a-1")
    azure.advance(2.0)

    assert seen is not None and seen.status is JobStatus.NOT_RESPONDING
    assert ended(trainer).status is JobStatus.COMPLETED


def test_steps_that_cannot_be_read_do_not_hide_the_job(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """While it runs they are news only; the job itself is asked instead."""
    trainer.submit(a_training(file, behave="slow"))
    while (run := trainer.look("ctrain-a-1")) is None or run.status is not JobStatus.RUNNING:
        time.sleep(0.05)
    azure.fault("answer", path=".*/children.*", times=None, status=400, body={"error": {"code": "x", "message": "no"}})

    seen = [trainer.look("ctrain-a-1") for _ in range(4)]
    trainer.cancel("ctrain-a-1")

    assert {run.status for run in seen if run} == {JobStatus.RUNNING}


@pytest.mark.parametrize("path", [".*/rundata.*", ".*/batchGetResolvedUris.*"])
def test_an_answer_that_says_nothing_does_not_lose_the_outputs(
    azure: Loopback, trainer: AzureTrainer, file: Path, path: str
) -> None:
    """They would be looked for where Azure ML puts what nobody placed, and count as gone."""
    trainer.submit(a_training(file))
    ended(trainer)
    again = AzureTrainer(trainer._workspace)
    azure.fault("answer", status=200, body={"value": "something else"}, method="POST", path=path)

    with pytest.raises(PlatformUnavailable, match="could not be used"):
        again.look("ctrain-a-1")
    seen = again.look("ctrain-a-1")
    assert seen is not None
    assert seen.outputs


@pytest.mark.parametrize("body", ["", {"value": "something else"}])
def test_what_is_no_job_is_taken_for_none(azure: Loopback, trainer: AzureTrainer, body: dict[str, str] | str) -> None:
    """An answer from who knows whom: a state that nobody knows would look like an end, and start another job."""
    azure.fault("answer", status=200, body=body, method="GET", path=JOB + r"(\?.*)?")

    with pytest.raises(PlatformUnavailable, match="could not be used"):
        trainer.look("ctrain-a-1")


def test_logs_that_cannot_be_read_are_no_failure(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """Neither of the job nor of us."""
    azure.fault("answer", path=".*/details.*", times=None, status=403, body={"error": {"code": "x", "message": "no"}})
    trainer.submit(a_training(file, behave="fail-train"))

    assert ended(trainer).status is JobStatus.FAILED
    assert trainer.logs("ctrain-a-1") == ""


def test_a_job_is_cancelled_while_it_runs(trainer: AzureTrainer, file: Path) -> None:
    """Its steps with it."""
    trainer.submit(a_training(file, behave="slow"))
    while not any(step.status is JobStatus.RUNNING for step in trainer.submit(a_training(file)).steps):
        time.sleep(0.05)

    trainer.cancel("ctrain-a-1")

    assert ended(trainer).status is JobStatus.CANCELED


def test_inner_pipelines_are_told_flat(trainer: AzureTrainer, tmp_path: Path) -> None:
    """As the preview names their steps, metrics too."""
    from tests.backends.azureml.test_preview import INNER, NESTED, STEP

    plain = "{image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04}"
    file = write_pipeline(tmp_path / "nested", NESTED.replace("azureml:sklearn@latest", plain))
    (file.parent / "inner.yml").write_text(INNER)
    (file.parent / "step.yml").write_text(STEP.replace("azureml:sklearn@latest", plain))
    (file.parent / "code" / "step.py").write_text(COUNT)
    spec = a_training(file)
    trainer.submit(spec)

    run = ended(trainer)

    names = [step.name for step in trainer.preview(spec).steps]
    assert run.status is JobStatus.COMPLETED, run.error
    assert sorted(step.name for step in run.steps) == sorted(names)  # in the order of their start, which may differ
    assert (list(run.metrics), run.metrics["inner.b.auc"]) == (["inner.b.auc", "inner.b.loss"], 0.5)
    assert math.isnan(run.metrics["inner.b.loss"])


def test_no_secret_is_in_what_a_trainer_tells(azure: Loopback, trainer: AzureTrainer, file: Path) -> None:
    """Tokens, keys and signed URLs stay where they are."""
    trainer.submit(a_training(file, behave="fail-train"))
    shown = f"{ended(trainer)} {trainer.logs('ctrain-a-1')} {trainer.preview(a_training(file))}"

    assert not [kind for secret, kind in azure.secrets().items() if secret in shown]


def test_a_workspace_that_is_away_is_said_to_be(azure: Loopback, trainer: AzureTrainer) -> None:
    """An error is not an absence: no second job is started for it."""
    azure.fault("answer", path=f"{JOB}.*", times=None, status=400, body="<html>")

    with pytest.raises(CtrainError):
        trainer.look("ctrain-a-1")
