"""Stop a release's training job, and see it stop."""

from __future__ import annotations

from ctrain.errors import UsageError
from ctrain.flow.journal import Journal
from ctrain.flow.train import wait
from ctrain.release import Release
from ctrain.training import TrainingRun


def cancel_training(release: Release, journal: Journal) -> TrainingRun:
    """The job as it ended. Raises UsageError where there is none, or it has ended already."""
    trainer = journal.at.trainer
    run = trainer.look(release.plan.training.job)
    if run is None or run.status.ended:
        raise UsageError(
            f"the release {release.id} has no training to cancel",
            why=f"its job is {run.status.lower()}" if run else "its job was never submitted",
            hint="see `ctrain show` for what happened",
        )
    trainer.cancel(run.job)
    return wait(run, release.id, journal)
