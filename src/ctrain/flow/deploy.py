"""Take a version to one stage: look, decide, act, and look again."""

from __future__ import annotations

from contextlib import suppress

from ctrain import events, rollout
from ctrain.errors import Conflict, NewChampion, NotRestored, UsageError
from ctrain.events import AbortAsked
from ctrain.flow.act import refuse_changed_code
from ctrain.flow.drive import drive
from ctrain.flow.journal import Journal
from ctrain.flow.ordering import is_older, refuse_older
from ctrain.flow.roll_back import taken_back
from ctrain.flow.steer import restore, take_back
from ctrain.flow.under_way import not_restored, under_way
from ctrain.flow.undo_drill import undo_drill
from ctrain.flow.way_out import way_out
from ctrain.plan import Deploy
from ctrain.release import Ending, Release
from ctrain.rollout import Stage

POLL_SECONDS = 0.1
DOUBTS = 5
"""So many looks in a row must say that something else serves, before that is believed."""


def deploy(release: Release, step: Deploy, journal: Journal, *, allow_older: bool = False) -> Release:
    """The release with this stage taken over, or restored and ended, or paused there.

    An older commit does not take over from a newer one, unless it is allowed to: then Conflict is raised.

    A version that was rolled back at any of the plan's stages stays off them all: that ends the release. Raises
    Conflict where the champion has changed since the release was planned.
    """
    stage = step.stage
    crowns = step.last and not release.crowned
    if release.serves(stage.name) and not crowns:
        return release
    journal.lock(stage.lock)
    try:
        release = journal.read_again(release.id)  # whoever had the lock before may have taken it off
        if release.serves(stage.name):
            return _crown(release, journal) if crowns and _still_serves(release, stage, journal) else release
        if (why := _taken_off(release, journal)) is not None:
            return _leave(release, why, journal)
        _refuse_new_champion(release, journal)
        endpoint = undo_drill(stage, journal.at.serving(stage).look(stage.endpoint), journal)
        if not allow_older:
            refuse_older(release, stage, endpoint, journal.at.ledger)
        _clear_the_way(release, step, journal, allow_older=allow_older)
        release = drive(_again(release, step, journal), step, journal)
        if release.ending is Ending.ROLLED_BACK:
            _leave_none_behind(release, journal)
        return _crown(release, journal) if crowns and release.serves(stage.name) else release
    finally:
        journal.unlock(stage.lock)


def _leave(release: Release, why: str, journal: Journal) -> Release:
    """Ended, once no stage has a rollout of it under way: each serves what it served before it."""
    for step in release.plan.deploys:
        record = release.stage(step.stage.name)
        if record is not None and record.under_way and not release.ended:
            release = take_back(release, step.stage, journal, AbortAsked(step.stage.name, journal.by, why))
    _leave_none_behind(release, journal)
    last = release.plan.deploys[-1]
    if last.last and release.serves(last.stage.name) and not release.crowned:
        # It was rolled back at an earlier stage, after it had taken over the last one and before it was crowned.
        journal.lock(last.stage.lock)
        try:
            if _still_serves(release, last.stage, journal):
                release = _crown(release, journal)
        finally:
            journal.unlock(last.stage.lock)
    if release.ending is Ending.NOT_RESTORED:
        return restore(release, journal)
    if release.ending is Ending.ROLLED_BACK and release.why == why:
        return release
    return journal.record(release.id, events.Closed(Ending.ROLLED_BACK, why))


def _leave_none_behind(release: Release, journal: Journal) -> None:
    """An earlier release of the same version may have died half way to another stage: nobody would go on with it."""
    for step in release.plan.deploys:
        other = under_way(step.stage, journal.at.ledger)
        if other is None or other.id == release.id or other.version != release.version:
            continue
        with suppress(Conflict):  # whoever works on it is told the same as it comes to its next stage
            asked = AbortAsked(step.stage.name, journal.by, "", superseded_by=release.id)
            take_back(other, step.stage, journal, asked)


def _still_serves(release: Release, stage: Stage, journal: Journal) -> bool:
    """Whether the stage serves what this release brought there, and not what somebody brought there since.

    A platform may tell of what was for a while: that it does not is believed once it has said so a few times.
    """
    serving, ours = journal.at.serving(stage), {release.stages[stage.name].deployment: 100}
    for _ in range(DOUBTS):
        endpoint = serving.look(stage.endpoint)
        if endpoint is not None and rollout.live(endpoint.traffic) == ours:
            return True
        journal.at.clock.sleep(POLL_SECONDS)
    other = under_way(stage, journal.at.ledger)  # what has not taken over yet may have to give it back
    return other is not None and rollout.live(other.stages[stage.name].before or {}) == ours


def _taken_off(release: Release, journal: Journal) -> str | None:
    """Why this version must not go where the plan takes it: it was rolled back at one of the stages."""
    taken = taken_back(release.version, journal.at.ledger) if release.version else {}
    for step in release.plan.deploys:
        if step.stage.name in taken:
            number = release.version.version if release.version else 0
            again = f"`ctrain readmit {step.stage.name} {number} --reason ...` lets it go there again"
            return f"{release.version} was rolled back at {step.stage.name}: {taken[step.stage.name]}; {again}"
    return None


def _refuse_new_champion(release: Release, journal: Journal) -> None:
    """What was judged against a champion of yesterday has not been proven against the one that serves today."""
    champion = journal.at.registry.champion(release.plan.model)
    if not release.judged_against(champion):
        was = release.plan.champion or "none"
        raise NewChampion(
            f"the champion has changed since {release.id} was planned",
            why=f"it was {was}, and is {champion or 'none'} now",
            hint="run `ctrain run` again: the model is judged against today's champion, without training anew",
        )


def _clear_the_way(release: Release, step: Deploy, journal: Journal, *, allow_older: bool) -> None:
    """A rollout that somebody left at this stage is taken back before another one begins.

    Raises Conflict for one that a person paused, that is of a newer commit, or that somebody works on.
    """
    stage, own = step.stage, release.stage(step.stage.name)
    other = under_way(stage, journal.at.ledger) if own is None or not own.under_way else None
    if other is None or other.id == release.id:
        return
    record = other.stages[stage.name]
    if record.halted is not None or record.paused is not None:
        raise Conflict(
            f"the rollout of {other.id} at {stage.name} is paused",
            why=record.paused or f"it waits at {record.halted}% of the traffic for a person to let it go on",
            hint=f"`ctrain rollout resume {stage.name}`, or abort it so, and run again",
        )
    if not allow_older and is_older(release, other, journal.at.ledger):
        raise Conflict(
            f"the rollout of {other.id} at {stage.name} is under way",
            why=f"it is of a newer commit, {other.plan.source.short}",
            hint=f"leave it; or `ctrain rollout abort {stage.name}`, and run again with --allow-older",
        )
    _leave_none_behind(other, journal)  # first: once that release has ended, nobody would
    other = take_back(other, stage, journal, AbortAsked(stage.name, journal.by, "", superseded_by=release.id))
    if not_restored(other, stage):
        raise NotRestored(
            f"{stage.name} is not as it was before {other.id}",
            why=other.why,
            hint="run one of these, and then run again",
            commands=way_out(other, stage, None, journal.at.ledger),
        )


def _again(release: Release, step: Deploy, journal: Journal) -> Release:
    """A rollout that failed before is tried again when a person says so."""
    stage, record = step.stage, release.stage(step.stage.name)
    if record is None or not record.over:
        return release
    refuse_changed_code(step)
    endpoint = journal.at.serving(stage).look(stage.endpoint)
    before = rollout.live(endpoint.traffic) if endpoint else {}
    return journal.record(release.id, events.RolloutBegan(stage.name, record.deployment, before))


def step_to(release: Release, stage: str) -> Deploy:
    """The plan's step to that stage, once the stages before it are served by this release.

    Raises UsageError for a stage that the plan leaves out, and for one whose turn has not come.
    """
    names = [step.stage.name for step in release.plan.deploys]
    if stage not in names:
        raise UsageError(
            f"{release.id} does not go to {stage}",
            why=f"the trigger {release.plan.trigger} deploys to: {', '.join(names) or 'nowhere'}",
            hint="add the stage to the trigger's `deploy`, or run with another --trigger",
        )
    ahead = next((name for name in names[: names.index(stage)] if not release.serves(name)), None)
    if ahead is not None:
        raise UsageError(
            f"{release.id} cannot go to {stage} yet",
            why=f"it has not been taken to {ahead}, which comes first",
            hint=f"run `ctrain deploy --to {ahead}` first",
        )
    return release.plan.deploys[names.index(stage)]


def _crown(release: Release, journal: Journal) -> Release:
    if release.version is None:
        return release
    journal.record(release.id, events.Crowning(release.version))
    journal.at.registry.crown(release.version)
    return journal.record(release.id, events.Crowned(release.version))
