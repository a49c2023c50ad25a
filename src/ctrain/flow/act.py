"""Carry out one action of a rollout: recorded before it is done, and after."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from ctrain import events, rollout
from ctrain.errors import Conflict, CtrainError, UsageError
from ctrain.flow.journal import Journal
from ctrain.flow.prepare import scoring_digest
from ctrain.flow.smoke_test import smoke_test
from ctrain.flow.watch import watch
from ctrain.plan import Deploy
from ctrain.release import Release
from ctrain.rollout import Rollout, Stage, deployment_of
from ctrain.serving import DeploymentSpec, DeploymentState

POLL_SECONDS = 0.1
DOUBTS = 3
"""So many looks in a row must bear out what a smoke test took for granted, before its fail is believed."""

Effect = (
    rollout.Create
    | rollout.Begin
    | rollout.Place
    | rollout.Smoke
    | rollout.Shift
    | rollout.Mirror
    | rollout.Watch
    | rollout.Reject
    | rollout.Collect
    | rollout.Remove
)


def wanted(release: Release, step: Deploy) -> Rollout:
    """What the step wants at its stage. Raises UsageError where the release has no model."""
    if release.version is None:
        raise UsageError(
            f"the release {release.id} has no model version to deploy",
            why="a model is registered once it has passed the gate",
            hint="run `ctrain run`, or `ctrain train` and `ctrain gate`, first",
        )
    stage = step.stage
    return Rollout(stage.endpoint, deployment_of(release.version, stage.deployment, step.code), stage.rollout)


def act(action: Effect, release: Release, step: Deploy, journal: Journal) -> Release:
    """The release, once it is done."""
    stage = step.stage
    serving, endpoint, name = journal.at.serving(stage), stage.endpoint, stage.name
    match action:
        case rollout.Create():
            journal.record(release.id, events.Creating(name, endpoint))
            serving.create(endpoint)
        case rollout.Begin(deployment, before):
            return journal.record(release.id, events.RolloutBegan(name, deployment, before))
        case rollout.Place(spec):
            refuse_changed_code(step)
            there = promoted(spec, release, stage, journal)  # may take minutes: the lock is looked at after it
            journal.record(release.id, events.Placing(name, spec.name))
            serving.place(endpoint, there)
        case rollout.Smoke(deployment, live):
            verdict = smoke_test(release.id, stage, deployment, journal, live=live)
            if not verdict.passed and not _as_asked(stage, deployment, journal, live=live):
                return release  # a look had told of what was: there is nothing to judge yet
            return journal.record(release.id, events.Smoked(name, deployment, live, verdict))
        case rollout.Shift(traffic):
            journal.record(release.id, events.Shifting(name, traffic))
            serving.route(endpoint, traffic)
            return journal.record(release.id, events.Shifted(name, traffic))
        case rollout.Mirror(traffic):
            journal.record(release.id, events.Mirroring(name, traffic))
            serving.mirror(endpoint, traffic)
        case rollout.Watch(deployment, share):
            seconds = stage.rollout.bake_at(share)
            journal.record(release.id, events.Watching(name, deployment, share, seconds))
            verdict = watch(release, stage, deployment, journal, live=share > 0, seconds=seconds)
            return journal.record(release.id, events.Watched(name, deployment, share, verdict))
        case rollout.Reject(deployment, why):
            return journal.record(release.id, events.Rejected(name, deployment, why))
        case rollout.Collect(deployment):
            return journal.record(
                release.id, events.Logged(name, deployment, _log(endpoint, deployment, step, journal))
            )
        case rollout.Remove(deployment, why):
            journal.record(release.id, events.Removing(name, deployment, why))
            serving.remove(endpoint, deployment)
        case _:
            assert_never(action)
    return journal.releases.get(release.id, release)


def _log(endpoint: str, deployment: str, step: Deploy, journal: Journal) -> str:
    """Best effort: that there is none must not keep a stage from being restored."""
    try:
        return journal.at.serving(step.stage).logs(endpoint, deployment)
    except CtrainError:
        return ""


def promoted(spec: DeploymentSpec, release: Release, stage: Stage, journal: Journal) -> DeploymentSpec:
    """The same, with the model where the stage's workspace has it."""
    if release.version is None:
        return spec
    return replace(spec, model_uri=journal.at.registry.promote(release.version, stage))


def refuse_changed_code(step: Deploy) -> None:
    """Raises Conflict where the scoring code is no longer what was planned."""
    if scoring_digest(step.stage) != step.code:
        raise Conflict(
            f"the scoring code of {step.stage.name} has changed",
            why="it is no longer what was planned",
            hint="run again, for a plan with the code as it is now",
        )


def _as_asked(stage: Stage, deployment: str, journal: Journal, *, live: bool) -> bool:
    """Whether it was there, up and, to be asked as users do, had all of the traffic, by each of a few looks."""
    for _ in range(DOUBTS):
        endpoint = journal.at.serving(stage).look(stage.endpoint)
        one = endpoint.deployments.get(deployment) if endpoint is not None else None
        if one is None or one.state in (DeploymentState.CREATING, DeploymentState.UPDATING):
            return False
        if live and endpoint is not None and endpoint.traffic.get(deployment, 0) < 100:
            return False
        journal.at.clock.sleep(POLL_SECONDS)
    return True
