"""THE flow.

plan -> train -> gate -> register -> for each stage: place -> smoke -> shift traffic -> promote | roll back
"""

from __future__ import annotations

from typing import assert_never

from ctrain.events import Closed
from ctrain.flow.deploy import deploy
from ctrain.flow.journal import Journal
from ctrain.flow.judge import judge
from ctrain.flow.open_release import open_release
from ctrain.flow.register import register
from ctrain.flow.revive import revive_all
from ctrain.flow.steer import restore
from ctrain.flow.train import train
from ctrain.plan import Deploy, Gate, Plan, Register, Train
from ctrain.release import Ending, Release


def deliver(plan: Plan, journal: Journal) -> Release:
    """Take a commit to production, or leave production as it was.

    Walks the plan's steps from wherever the release of this plan has come to. The release is left open where a stage
    waits for a person, where its rollout is paused, and where ctrain is interrupted: running again goes on from there.
    A release that was delivered stays as it is; endpoints of its that went down are started again. One that left a
    stage not as it was tries again to restore it.
    """
    return go_on(open_release(plan, journal), journal, allow_older=plan.allow_older)


def go_on(release: Release, journal: Journal, *, allow_older: bool = False) -> Release:
    """The release, as far as its own plan takes it from where it is."""
    if release.ending is Ending.DELIVERED:
        return revive_all(release, journal)
    if release.ending is Ending.NOT_RESTORED:
        return restore(release, journal)
    for step in release.plan.steps:
        if release.ended:
            return release
        match step:
            case Train():
                release = train(release, journal)
            case Gate():
                release = judge(release, journal)
            case Register():
                release = register(release, journal)
            case Deploy():
                if release.waits_for == step.stage.name:
                    return release
                release = deploy(release, step, journal, allow_older=allow_older)
                if release.paused_at == step.stage.name:
                    return release
            case _:
                assert_never(step)
    return close(release, journal)


def judge_alone(release: Release, journal: Journal) -> Release:
    """The release with its verdict, ended where its plan has nothing after the gate: a pull request's."""
    release = judge(release, journal)
    passed = release.verdict is not None and release.verdict.passed
    return close(release, journal) if passed and isinstance(release.plan.steps[-1], Gate) else release


def close(release: Release, journal: Journal) -> Release:
    """The end of a release that came through all of its plan."""
    if release.ended:
        return release
    stages = ", ".join(step.stage.name for step in release.plan.deploys)
    why = f"{release.version} serves {stages}" if stages else "the plan deploys nowhere"
    return journal.record(release.id, Closed(Ending.DELIVERED, why))
