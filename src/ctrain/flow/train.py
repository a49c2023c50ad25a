"""Train, or adopt the job that trains the same, and wait for its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ctrain.data import DataVersion
from ctrain.events import Closed, Submitting, Trained
from ctrain.flow.journal import LEASE_SECONDS, Journal
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.training import JobStatus, Scalar, TrainingRun, TrainingSpec

REST_SECONDS = LEASE_SECONDS
"""A wait that is longer gives the locks back until it ends: they cost calls, and a job needs no protection."""

DOUBTS = 5
"""So many looks in a row must find no job, or one in no known state, before that is believed: a platform that has a bad
moment may say so once, and a training that goes on must not be given up."""


def train(release: Release, journal: Journal) -> Release:
    """The release with its training run. A job that does not complete ends the release."""
    if release.training is not None and _usable(release.training, journal):
        return release
    plan = release.plan
    adopted = journal.at.trainer.look(plan.training.job) is not None
    if not adopted:
        journal.at.data.verify(plan.data)
    journal.record(release.id, Submitting(plan.training.job, adopted))
    run = journal.at.trainer.submit(spec_of(release, journal))
    run = wait(detach(run, release.id, journal), release.id, journal, registers=bool(plan.deploys))
    if journal.rise():
        # Nobody was kept out while we waited: somebody else may have gone on with the release.
        release = journal.read_again(release.id)
        if release.training is not None or release.ended:
            return release
    release = journal.record(release.id, Trained(run))
    if not run.status.succeeded:
        return journal.record(release.id, Closed(Ending.TRAINING_FAILED, f"the job {run.job} {_how(run)}"))
    return release


def _how(run: TrainingRun) -> str:
    """In a line: the log that may follow in the error is shown with the step."""
    if run.status is JobStatus.CANCELED:
        return "was cancelled"
    reason, _, _log = (run.error or "no reason was given").partition("\n")
    return f"ended as {run.status}: {reason}"


def detach(run: TrainingRun, release: str, journal: Journal) -> TrainingRun:
    """The job, if it is to be waited for. Raises StillRunning where the run is to leave it alone."""
    if journal.patience.detach and not run.status.ended:
        raise journal.leaving(release, f"the job {run.job} is submitted, and goes on by itself")
    return run


def wait(run: TrainingRun, release: str, journal: Journal, *, registers: bool = False) -> TrainingRun:
    """Look at the job, less and less often, until it has ended. If it `registers`, the registry is told in time.

    Raises StillRunning where the deadline comes first.
    """
    clock = journal.at.clock
    began, doubts = clock.monotonic(), 0
    while True:
        journal.tell(run)
        if registers and sum(not step.status.ended for step in run.steps) <= 1:
            journal.at.registry.warm()
            registers = False
        if run.status.ended or doubts == DOUBTS:
            return run
        journal.heed(release, f"the job {run.job} goes on by itself")
        waited, left = clock.monotonic() - began, journal.left()
        pause = journal.at.pace.after(waited)
        clock.sleep(pause if left is None else min(pause, left))
        if waited > REST_SECONDS:
            journal.rest()
        journal.beat()
        seen = journal.at.trainer.look(run.job)
        doubts = 0 if seen is not None and seen.status is not JobStatus.UNKNOWN else doubts + 1
        if doubts == DOUBTS:
            run = seen or replace(run, status=JobStatus.UNKNOWN, error="the platform knows nothing of it any more")
        elif doubts == 0 and seen is not None:
            run = seen


def _usable(run: TrainingRun, journal: Journal) -> bool:
    seen = journal.at.trainer.look(run.job)
    return seen is not None and seen.status.succeeded


def spec_of(release: Release, journal: Journal) -> TrainingSpec:
    """What is asked of the trainer for this release."""
    plan = release.plan
    data = _data(plan, journal)
    inputs: dict[str, Scalar] = {**plan.parameters, plan.data_input: data.uri}
    if plan.champion is not None and plan.champion_input is not None:
        inputs[plan.champion_input] = plan.champion.uri
    return TrainingSpec(
        job=plan.training.job,
        pipeline=Path(plan.pipeline),
        inputs=inputs,
        experiment=plan.project,
        display_name=f"{release.id} ({plan.trigger})",
        tags=_told(
            {
                "ctrain.release": release.id,
                "ctrain.trigger": plan.trigger,
                "ctrain.commit": plan.source.commit,
                "ctrain.branch": plan.source.branch,
                "ctrain.pull_request": plan.source.pull_request,
                "ctrain.data": f"{data.name}:{data.version}",
                "ctrain.fingerprint": plan.fingerprint,
            }
        ),
        fresh=plan.fresh,
    )


def _told(tags: Mapping[str, str]) -> dict[str, str]:
    """Without those that say nothing."""
    return {name: value for name, value in tags.items() if value}


def _data(plan: Plan, journal: Journal) -> DataVersion:
    return journal.at.data.sample(plan.data, plan.sample) if plan.sample else plan.data
