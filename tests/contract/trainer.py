"""What every Trainer promises."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ctrain.errors import TrainingFailed
from ctrain.ports import Clock, Trainer
from ctrain.training import JobStatus, TrainingRun, TrainingSpec

Spec = Callable[[str, str], TrainingSpec]
"""Makes a spec from how its training should behave (`ok`, `fail`, `slow`) and the job's name."""


def ended(trainer: Trainer, job: str, clock: Clock) -> TrainingRun:
    """The job once it has ended; bounded."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        run = trainer.look(job)
        assert run is not None
        if run.status.ended:
            return run
        clock.sleep(0.05)
    raise AssertionError(f"{job} did not end")


class TrainerContract:
    """Bind it with the fixtures `trainer`, `spec` and `clock`."""

    def test_a_job_that_was_never_submitted_is_none(self, trainer: Trainer) -> None:
        """Absence is no error and no status."""
        assert trainer.look("ctrain-nothing-1") is None

    def test_a_preview_changes_nothing(self, trainer: Trainer, spec: Spec) -> None:
        """Planning cannot write: the job does not exist afterwards."""
        preview = trainer.preview(spec("ok", "ctrain-a-1"))

        assert [step.name for step in preview.steps] == ["train"]
        assert trainer.look("ctrain-a-1") is None

    def test_previews_of_the_same_code_have_the_same_digests(self, trainer: Trainer, spec: Spec) -> None:
        """The fingerprint is made of them."""
        one, two = trainer.preview(spec("ok", "ctrain-a-1")), trainer.preview(spec("fail", "ctrain-b-1"))

        assert (one.code, one.environment) == (two.code, two.environment)

    def test_a_completed_job_has_its_output(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """Only `Completed` is success, and then the output is there."""
        trainer.submit(spec("ok", "ctrain-a-1"))

        run = ended(trainer, "ctrain-a-1", clock)

        assert run.status is JobStatus.COMPLETED
        assert (trainer.fetch("ctrain-a-1", "model") / "weights").is_file()

    def test_the_same_name_again_is_the_same_job(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """A second submit adopts what the first one started, and starts nothing."""
        trainer.submit(spec("ok", "ctrain-a-1"))
        first = ended(trainer, "ctrain-a-1", clock)

        again = trainer.submit(spec("ok", "ctrain-a-1"))

        assert (again.run_id, again.submitted, again.status) == (first.run_id, first.submitted, first.status)

    def test_a_failed_step_fails_the_job_and_says_why(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """With the step's name and the end of its log."""
        trainer.submit(spec("fail", "ctrain-f-1"))

        run = ended(trainer, "ctrain-f-1", clock)

        assert run.status is JobStatus.FAILED
        assert [(step.name, step.status) for step in run.steps] == [("train", JobStatus.FAILED)]
        assert "boom" in (run.steps[0].error or "")

    def test_cancelling_is_honoured(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """The job ends `Canceled`, which is no success."""
        trainer.submit(spec("slow", "ctrain-s-1"))

        trainer.cancel("ctrain-s-1")

        assert ended(trainer, "ctrain-s-1", clock).status is JobStatus.CANCELED

    def test_cancelling_an_ended_job_leaves_it(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """A late cancel is no failure, neither is one of nothing."""
        trainer.submit(spec("ok", "ctrain-a-1"))
        ended(trainer, "ctrain-a-1", clock)

        trainer.cancel("ctrain-a-1")
        trainer.cancel("ctrain-nothing-1")

        assert ended(trainer, "ctrain-a-1", clock).status is JobStatus.COMPLETED

    def test_an_output_that_is_not_there_cannot_be_fetched(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """It is an error of the training, in words."""
        trainer.submit(spec("ok", "ctrain-a-1"))
        ended(trainer, "ctrain-a-1", clock)

        with pytest.raises(TrainingFailed, match="nothing"):
            trainer.fetch("ctrain-a-1", "nothing")

    def test_logs_are_best_effort(self, trainer: Trainer, spec: Spec, clock: Clock) -> None:
        """Something for a job that ran, nothing for one that is unknown."""
        trainer.submit(spec("ok", "ctrain-a-1"))
        ended(trainer, "ctrain-a-1", clock)

        assert trainer.logs("ctrain-a-1")
        assert trainer.logs("ctrain-nothing-1") == ""
