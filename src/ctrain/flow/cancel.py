"""Stop a release's training: because a person says so, or because the run that waited for it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from ctrain.errors import Locked, StillRunning, UsageError
from ctrain.events import Cancelling, Closed, Event, Trained
from ctrain.flow.journal import LEASE_SECONDS, Journal
from ctrain.flow.open_release import lock_name
from ctrain.flow.roll_back import newest_first
from ctrain.flow.train import wait
from ctrain.ports import Backend
from ctrain.release import Ending, Release
from ctrain.training import TrainingRun

NEIGHBOURS = 10
"""Among so many other releases one is looked for that waits for the same job: each is a read of the ledger."""

INTERRUPTED = "the run that waited for it was interrupted"

Found = Literal["nothing", "busy", "waits", "cancelled", "training", "rollout", "open"]


@dataclass(frozen=True)
class Leftover:
    """What a run that was cut off left behind, and what became of it.

    `nothing` is left where the release has ended; `busy`: `holder` works on it; it `waits` for a person; its training
    was `cancelled`; its `training` goes on, or shall; it was cut off amid a `rollout`; or between steps, and is `open`.
    """

    found: Found
    release: Release
    holder: str = ""


def cancel_training(release: Release, journal: Journal) -> TrainingRun:
    """The job as it ended. Raises UsageError where there is none, or it has ended already.

    Where nobody waits for the job, the release is ended here.
    """
    job = release.awaits or release.plan.training.job
    run = journal.at.trainer.look(job)
    if run is None or run.status.ended:
        raise UsageError(
            f"the release {release.id} has no training to cancel",
            why=f"its job is {run.status.told}" if run else "its job was never submitted",
            hint="see `ctrain show` for what happened",
        )
    journal.at.trainer.cancel(job)
    run = wait(run, release.id, journal)
    try:
        journal.lock(lock_name(release.plan))
    except Locked:
        return run  # whoever waits for it records its end
    release = journal.read_again(release.id)
    if release.awaits == job and not release.ended:
        _end(release, run, "somebody asked for it", journal)
    return run


def on_signal(release: Release, at: Backend, by: str) -> bool:
    """Ask the release's training to stop, if its plan says so for a run that is interrupted; whether it was asked.

    The signal leaves seconds: nothing is waited for, and the release is ended by whoever comes next.
    """
    job = release.awaits
    if job is None or not _ours_to_cancel(release, at):
        return False
    at.ledger.append(Event(release.id, at.clock.now(), by, Cancelling(job, INTERRUPTED)))
    at.trainer.cancel(job)
    return True


def clean_up(release: Release, journal: Journal, run_url: str = "") -> Leftover:
    """Do what the plan says for a release whose run was cut off: its training is cancelled, or left alone.

    A rollout is never touched. Doing it again changes nothing. A lock that is held by the CI run `run_url` is its job's
    that was killed, and is waited for: it runs out by itself.
    """
    try:
        _lock(release, journal, run_url)
    except Locked as held:
        return Leftover("busy", release, held.holder)
    release = journal.read_again(release.id)
    if release.ended:
        return Leftover("nothing", release)
    if release.amid is not None:
        return Leftover("rollout", release)
    if release.waits_for is not None:
        return Leftover("waits", release)
    if release.awaits is None:
        return Leftover("open", release)
    return _clean_up_training(release, release.awaits, journal)


def _lock(release: Release, journal: Journal, run_url: str) -> None:
    try:
        journal.lock(lock_name(release.plan))
    except Locked as held:
        if not run_url or held.where != run_url:
            raise
        journal.patience = replace(journal.patience, lock=LEASE_SECONDS)
        journal.lock(lock_name(release.plan))


def _clean_up_training(release: Release, job: str, journal: Journal) -> Leftover:
    run = journal.at.trainer.look(job)
    if run is None:
        return Leftover("open", release)
    if release.cancelled is None:
        if run.status.ended:
            return Leftover("open", release)
        if not _ours_to_cancel(release, journal.at):
            return Leftover("training", release)
        release = journal.record(release.id, Cancelling(job, INTERRUPTED))
    if not run.status.ended:
        journal.at.trainer.cancel(job)
        try:
            run = wait(run, release.id, journal)
        except StillRunning:
            return Leftover("cancelled", release)
        if journal.rise():
            release = journal.read_again(release.id)
    if run.status.succeeded:
        return Leftover("open", release)  # it was done before it was stopped
    return Leftover("cancelled", release if release.ended else _end(release, run, INTERRUPTED, journal))


def _end(release: Release, run: TrainingRun, why: str, journal: Journal) -> Release:
    if run.status.succeeded:
        return journal.record(release.id, Trained(run))
    journal.record(release.id, Trained(run))
    return journal.record(release.id, Closed(Ending.TRAINING_FAILED, f"the job {run.job} was cancelled: {why}"))


def _ours_to_cancel(release: Release, at: Backend) -> bool:
    """Whether the plan says `cancel`, the release itself submitted the job, and no other waits for it."""
    if release.plan.on_cancel != "cancel" or release.adopted:
        return False
    others = (other for other in newest_first(at.ledger) if other.id != release.id)
    return all(other.ended or other.awaits != release.awaits for other in islice(others, NEIGHBOURS))
