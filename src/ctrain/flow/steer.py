"""What a person asks of a rollout, whether somebody drives it right now or nobody does: pause, resume, abort.

It is recorded without the stage's lock, which stays with who drives; that process reads it within seconds.
"""

from __future__ import annotations

from ctrain.errors import Conflict, StillRunning, UsageError
from ctrain.events import AbortAsked, PauseAsked, Resumed
from ctrain.flow.drive import drive
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import lock_name
from ctrain.flow.under_way import torn_by, under_way
from ctrain.plan import Deploy
from ctrain.release import Release
from ctrain.rollout import Stage

HEED_SECONDS = 120.0
"""For so long an abort waits for whoever drives the rollout: as long as the lock outlives a driver that died."""

POLL_SECONDS = 1.0


def pause(stage: Stage, journal: Journal, *, who: str, reason: str) -> Release:
    """The release whose rollout stops where it is. Raises UsageError where none is under way."""
    release = _under_way(stage, journal)
    record = release.stages[stage.name]
    if record.paused is not None or record.halted is not None:
        return release
    if record.rejected is not None or record.aborted is not None:
        raise UsageError(
            f"the rollout at {stage.name} cannot be paused",
            why=f"it is being taken back: {record.rejected or record.aborted}",
            hint=f"see `ctrain rollout status {stage.name}`",
        )
    return journal.record(release.id, PauseAsked(stage.name, who, reason))


def resume(stage: Stage, journal: Journal, *, who: str, reason: str) -> Release:
    """The release whose rollout may go on. What served before and is gone by now is done without from here on.

    Raises UsageError where there is nothing that a person could let go on.
    """
    release = _under_way(stage, journal)
    record = release.stages[stage.name]
    endpoint = journal.at.serving(stage).look(stage.endpoint)
    there = endpoint.deployments if endpoint is not None else {}
    without = tuple(name for name in record.before or () if name not in there and name not in record.missed)
    if record.paused is None and record.halted is None and not without:
        raise UsageError(
            f"the rollout at {stage.name} is not paused",
            why=f"{release.id} waits for nobody there",
            hint="where no process drives it, `ctrain run` or `ctrain resume` goes on with it",
        )
    share = record.halted if record.halted is not None else record.share
    return journal.record(release.id, Resumed(stage.name, share, who, reason, without))


def abort(stage: Stage, journal: Journal, *, who: str, reason: str) -> Release:
    """The release whose version was given up, once the stage serves what it served before.

    Who drives the rollout does it; where nobody does, it is done here, and so for a release that ended with the stage
    not restored. Raises UsageError where there is nothing to abort, and StillRunning where who drives has not done it
    in time.
    """
    release = under_way(stage, journal.at.ledger) or torn_by(stage, journal.at)
    if release is None:
        raise _nothing(stage)
    asked = AbortAsked(stage.name, who, reason)
    if release.stages[stage.name].aborted is None:
        release = journal.record(release.id, asked)
    began = journal.at.clock.monotonic()
    while True:
        try:
            return take_back(release, stage, journal, asked)
        except Conflict as held:
            release = journal.read_again(release.id)
            if release.stages[stage.name].over:
                return release
            if journal.at.clock.monotonic() - began > HEED_SECONDS:
                raise StillRunning(
                    f"the rollout at {stage.name} is being aborted",
                    why=f"{held.why}; it has been told, and has not come to an end",
                    hint=f"see `ctrain rollout status {stage.name}`, or run this again",
                ) from None
            journal.at.clock.sleep(POLL_SECONDS)


def restore(release: Release, journal: Journal) -> Release:
    """A release that ended with stages not as they were: once more, where no other one has taken them over since."""
    for step in release.plan.deploys:
        torn = torn_by(step.stage, journal.at)
        if torn is not None and torn.id == release.id:
            release = take_back(release, step.stage, journal, None)
    return release


def take_back(release: Release, stage: Stage, journal: Journal, asked: AbortAsked | None) -> Release:
    """The release with the stage restored, as was asked. Raises Conflict where somebody else works on it.

    That it is given up may be known already: then nobody needs to ask, and what others changed since is respected.
    """
    names = [lock_name(release.plan), stage.lock]
    taken = [name for name in names if name not in journal.leases]
    try:
        for name in taken:
            journal.lock(name)
        release = journal.read_again(release.id)
        record = release.stages[stage.name]
        if not record.under_way:
            return release
        if asked is not None and record.aborted is None:
            journal.record(release.id, asked)
            release = journal.read_again(release.id)
        return drive(release, step_of(release, stage), journal)
    finally:
        for name in reversed(taken):
            journal.unlock(name)


def step_of(release: Release, stage: Stage) -> Deploy:
    """The step of its plan that takes the release to the stage."""
    return next(step for step in release.plan.deploys if step.stage.name == stage.name)


def _under_way(stage: Stage, journal: Journal) -> Release:
    release = under_way(stage, journal.at.ledger)
    if release is None:
        raise _nothing(stage)
    return journal.read_again(release.id)


def _nothing(stage: Stage) -> UsageError:
    return UsageError(
        f"no rollout is under way at {stage.name}",
        why="the last one there, if there was any, has come to its end",
        hint=f"see `ctrain status`; `ctrain rollback {stage.name}` gives a stage back that was taken over",
    )
