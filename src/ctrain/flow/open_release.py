"""Find the release that a plan continues, or open a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ctrain.events import Closed, Opened, replay
from ctrain.flow.journal import Journal
from ctrain.flow.side_by_side import endpoints
from ctrain.plan import Plan
from ctrain.ports import Backend, LedgerReader
from ctrain.release import Ending, Release, release_id
from ctrain.rollout import live
from ctrain.training import TrainingSpec


def open_release(plan: Plan, journal: Journal) -> Release:
    """The release of this plan: the one it continues or repeats, else a new one.

    Raises Conflict while another run works on the same commit and trigger, DataError for data that cannot be sampled,
    PipelineError for a pipeline that the platform would not take.
    """
    journal.lock(lock_name(plan))
    earlier = continued(plan, journal.at)
    if earlier is not None:
        return journal.here(earlier)
    _end_cancelled(plan, journal)
    if plan.sample is not None and journal.at.data.sampled(plan.data, plan.sample) is None:
        # Before anything is recorded: data that cannot be sampled is bad data, not a release that failed. A cluster
        # may take longer over it than a lock lasts unrenewed, so that it is given back; then all is looked at again.
        journal.rest()
        journal.at.data.sample(plan.data, plan.sample)
        journal.rise()
        return open_release(plan, journal)
    _check(plan, journal.at)
    taken = sum(1 for _ in releases_of(plan, journal.at.ledger, same_work=False))
    return journal.record(release_id(plan, taken), Opened(plan))


def _end_cancelled(plan: Plan, journal: Journal) -> None:
    """A run that was interrupted had its training cancelled, in seconds: its release is still to be ended."""
    earlier = next(releases_of(plan, journal.at.ledger), None)
    if earlier is not None and not earlier.ended and earlier.cancelled is not None:
        why = f"the job {earlier.awaits} was cancelled: {earlier.cancelled}"
        journal.record(earlier.id, Closed(Ending.TRAINING_FAILED, why))


def _check(plan: Plan, at: Backend) -> None:
    """What the platform would not take is a mistake in a file, not a release that failed: nothing is recorded of it."""
    if not plan.training.adopts:
        inputs = {**plan.parameters, plan.data_input: plan.data.uri}
        job = plan.training.job
        at.trainer.check(TrainingSpec(job, Path(plan.pipeline), inputs, plan.project, job))


def continued(plan: Plan, at: Backend) -> Release | None:
    """The release that running this plan would go on with, or repeat; None where it would be a new one."""
    earlier = next(releases_of(plan, at.ledger), None)
    return earlier if earlier is not None and continues(plan, earlier, at) else None


def lock_name(plan: Plan) -> str:
    """The lock that whoever works on this commit, for this trigger, holds."""
    return f"release/{plan.trigger}-{plan.source.short}"


def releases_of(plan: Plan, ledger: LedgerReader, *, same_work: bool = True) -> Iterator[Release]:
    """Releases of the plan's trigger and commit, newest first; with `same_work` only those that ask for the same."""
    prefix = release_id(plan, 0).removesuffix("1")
    for name in reversed(ledger.releases()):
        release = replay(ledger.events(name)) if name.startswith(prefix) else None
        if release is not None and (not same_work or release.plan.same_work(plan)):
            yield release


def continues(plan: Plan, earlier: Release, at: Backend) -> bool:
    """Whether running this plan is running that release again: to go on with it, or to find that it stands."""
    match earlier.ending:
        case None:
            if not earlier.judged_against(plan.champion) or earlier.cancelled is not None:
                return False
            return not plan.fresh or (earlier.plan.fresh and earlier.training is None)
        case Ending.TRAINING_FAILED:
            return False
        case Ending.REJECTED | Ending.UNDECIDED | Ending.NEUTRAL:
            return not plan.fresh and _digest(earlier.plan) == _digest(plan)
        case Ending.ROLLED_BACK | Ending.NOT_RESTORED:
            return not plan.fresh
        case Ending.DELIVERED:
            rolled_back = any(record.rolled_back is not None for record in earlier.stages.values())
            return not plan.fresh and (rolled_back or _stands(earlier, at))


def _digest(plan: Plan) -> str:
    return plan.champion.digest if plan.champion else ""


def _stands(release: Release, at: Backend) -> bool:
    """Whether every stage still serves what the release brought there."""
    seen = endpoints([step.stage for step in release.plan.deploys], at)
    for step in release.plan.deploys:
        record, endpoint = release.stage(step.stage.name), seen[step.stage.name]
        if record is None or endpoint is None or live(endpoint.traffic) != {record.deployment: 100}:
            return False
    return True
