"""Take a version to one stage: look, decide, act, and look again."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from ctrain import events, rollout
from ctrain.errors import Conflict, NewChampion, UsageError
from ctrain.flow.journal import Journal, Waiting
from ctrain.flow.judge import blocking_reason
from ctrain.flow.leaving import leave_in_time
from ctrain.flow.ordering import refuse_older
from ctrain.flow.prepare import scoring_digest
from ctrain.flow.roll_back import taken_back
from ctrain.flow.smoke_test import smoke_test
from ctrain.flow.undo_drill import undo_drill
from ctrain.flow.watch import watch
from ctrain.plan import Deploy
from ctrain.release import Ending, Release
from ctrain.rollout import Rollout, Seen, Stage, deployment_of, next_step
from ctrain.serving import DeploymentSpec

POLL_SECONDS = 0.1
READY_SECONDS = 1800.0
"""How long a deployment may take to become ready before it is given up."""

DOUBTS = 5
"""So many looks in a row must say that something else serves, before that is believed."""


def deploy(release: Release, step: Deploy, journal: Journal, *, allow_older: bool = False) -> Release:
    """The release with this stage taken over, or restored and ended.

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
            return journal.record(release.id, events.Closed(Ending.ROLLED_BACK, why))
        _refuse_new_champion(release, journal)
        endpoint = undo_drill(stage, journal.at.serving(stage).look(stage.endpoint), journal)
        if not allow_older:
            refuse_older(release, stage, endpoint, journal.at.ledger)
        release = _roll_out(_again(release, step, journal), step, journal)
        return _crown(release, journal) if crowns and not release.ended else release
    finally:
        journal.unlock(stage.lock)


def _still_serves(release: Release, stage: Stage, journal: Journal) -> bool:
    """Whether the stage serves what this release brought there, and not what somebody brought there since.

    A platform may tell of what was for a while: that it does not is believed once it has said so a few times.
    """
    record, serving = release.stage(stage.name), journal.at.serving(stage)
    for _ in range(DOUBTS):
        endpoint = serving.look(stage.endpoint)
        if record is not None and endpoint is not None and rollout.live(endpoint.traffic) == {record.deployment: 100}:
            return True
        journal.at.clock.sleep(POLL_SECONDS)
    return False


def _taken_off(release: Release, journal: Journal) -> str | None:
    """Why this version must not go where the plan takes it: it was rolled back at one of the stages."""
    taken = taken_back(release.version, journal.at.ledger) if release.version else {}
    for step in release.plan.deploys:
        if step.stage.name in taken:
            return f"{release.version} was rolled back at {step.stage.name}: {taken[step.stage.name]}"
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


def _again(release: Release, step: Deploy, journal: Journal) -> Release:
    """A rollout that failed before is tried again when a person says so."""
    stage, record = step.stage, release.stage(step.stage.name)
    if record is None or not record.over:
        return release
    _refuse_changed_code(step)
    endpoint = journal.at.serving(stage).look(stage.endpoint)
    before = rollout.live(endpoint.traffic) if endpoint else {}
    return journal.record(release.id, events.RolloutBegan(stage.name, record.deployment, before))


def _roll_out(release: Release, step: Deploy, journal: Journal) -> Release:
    if release.version is None:
        raise UsageError(
            f"the release {release.id} has no model version to deploy",
            why="a model is registered once it has passed the gate",
            hint="run `ctrain run`, or `ctrain train` and `ctrain gate`, first",
        )
    stage = step.stage
    wanted = Rollout(stage.endpoint, deployment_of(release.version, stage.deployment, step.code), stage.rollout)
    began = journal.at.clock.monotonic()
    while True:
        waited = journal.at.clock.monotonic() - began
        action = next_step(wanted, _look(release, stage, journal, overdue=waited > READY_SECONDS))
        record = release.stage(stage.name)
        leave_in_time(release.id, stage, action, journal, given_up=record is not None and record.rejected is not None)
        match action:
            case rollout.Done():
                return journal.record(release.id, events.Promoted(stage.name, wanted.target.name))
            case rollout.Restored(why):
                journal.record(release.id, events.Restored(stage.name, why))
                return journal.record(release.id, events.Closed(Ending.ROLLED_BACK, f"{stage.name}: {why}"))
            case rollout.Stuck(why):
                return journal.record(release.id, events.Closed(Ending.NOT_RESTORED, f"{stage.name}: {why}"))
            case rollout.Yield(why):
                raise Conflict(
                    f"somebody else changes {stage.endpoint}",
                    why=why,
                    hint="look at `ctrain status`; once its traffic is as it should be, run again",
                )
            case rollout.Wait(name):
                journal.tell(Waiting(stage.name, name, waited))
                journal.beat()
                journal.at.clock.sleep(max(POLL_SECONDS, journal.at.pace.after(waited)))
            case _:
                release = _act(action, release, step, journal)
                if isinstance(action, rollout.Place):
                    began = journal.at.clock.monotonic()  # an endpoint that took long leaves its model as much time


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


Effect = (
    rollout.Create
    | rollout.Begin
    | rollout.Place
    | rollout.Smoke
    | rollout.Shift
    | rollout.Mirror
    | rollout.Watch
    | rollout.Reject
    | rollout.Remove
)


def _act(action: Effect, release: Release, step: Deploy, journal: Journal) -> Release:
    stage = step.stage
    serving, endpoint, name = journal.at.serving(stage), stage.endpoint, stage.name
    match action:
        case rollout.Create():
            journal.record(release.id, events.Creating(name, endpoint))
            serving.create(endpoint)
        case rollout.Begin(deployment, before):
            return journal.record(release.id, events.RolloutBegan(name, deployment, before))
        case rollout.Place(spec):
            _refuse_changed_code(step)
            there = _promoted(spec, release, stage, journal)  # may take minutes: the lock is looked at after it
            journal.record(release.id, events.Placing(name, spec.name))
            serving.place(endpoint, there)
        case rollout.Smoke(deployment, live):
            verdict = smoke_test(release.id, stage, deployment, journal, live=live)
            return journal.record(release.id, events.Smoked(name, deployment, live, verdict))
        case rollout.Shift(traffic):
            journal.record(release.id, events.Shifting(name, traffic))
            serving.route(endpoint, traffic)
            return journal.record(release.id, events.Shifted(name, traffic))
        case rollout.Mirror(traffic):
            journal.record(release.id, events.Mirroring(name, traffic))
            serving.mirror(endpoint, traffic)
        case rollout.Watch(deployment, share):
            seconds = stage.rollout.bake_seconds
            journal.record(release.id, events.Watching(name, deployment, share, seconds))
            verdict = watch(release, stage, deployment, journal, live=share > 0)
            return journal.record(release.id, events.Watched(name, deployment, share, verdict))
        case rollout.Reject(deployment, why):
            log = serving.logs(endpoint, deployment)
            return journal.record(release.id, events.Rejected(name, deployment, why, log))
        case rollout.Remove(deployment, why):
            journal.record(release.id, events.Removing(name, deployment, why))
            serving.remove(endpoint, deployment)
        case _:
            assert_never(action)
    return release


def _promoted(spec: DeploymentSpec, release: Release, stage: Stage, journal: Journal) -> DeploymentSpec:
    """The same, with the model where the stage's workspace has it."""
    if release.version is None:
        return spec
    return replace(spec, model_uri=journal.at.registry.promote(release.version, stage))


def _refuse_changed_code(step: Deploy) -> None:
    if scoring_digest(step.stage) != step.code:
        raise Conflict(
            f"the scoring code of {step.stage.name} has changed",
            why="it is no longer what was planned",
            hint="run again, for a plan with the code as it is now",
        )


def _look(release: Release, stage: Stage, journal: Journal, *, overdue: bool) -> Seen:
    endpoint = journal.at.serving(stage).look(stage.endpoint)
    record = release.stage(stage.name)
    if record is None:
        return Seen(endpoint)
    why = record.rejected
    for verdict in record.watched.values():
        if why is not None and not verdict.passed:
            why = f"{why}: {blocking_reason(verdict)}"
    if why is not None and record.smoked is not None and not record.smoked.passed:
        why = f"{why}: {blocking_reason(record.smoked)}"
    return Seen(
        endpoint,
        before=record.before,
        smoked=record.smoked.outcome if record.smoked else None,
        proven=record.proven.outcome if record.proven else None,
        watched={share: verdict.outcome for share, verdict in record.watched.items()},
        rejected=why,
        overdue=overdue,
    )


def _crown(release: Release, journal: Journal) -> Release:
    if release.version is None:
        return release
    journal.record(release.id, events.Crowning(release.version))
    journal.at.registry.crown(release.version)
    return journal.record(release.id, events.Crowned(release.version))
