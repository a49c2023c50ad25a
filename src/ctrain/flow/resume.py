"""Go on with a release by the plan that was recorded, on any machine, from wherever it has come to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ctrain.errors import NewChampion, UsageError
from ctrain.flow.deliver import go_on
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import lock_name
from ctrain.flow.prepare import data_digest
from ctrain.flow.roll_back import newest_first
from ctrain.ports import Backend, LedgerReader
from ctrain.project import Project, Trigger
from ctrain.release import Release
from ctrain.training import Scalar, TrainingSpec
from ctrain.version import Source

NEWEST = 50
"""Among so many releases an open one is looked for: each is a read of the ledger."""


def resume(release: Release, project: Project, journal: Journal, *, allow_older: bool = False) -> Release:
    """The release, as far as its plan takes it. One that has ended stays as it is, but for endpoints that went down.

    Raises UsageError where the project is no longer what was planned, and Conflict where the champion has changed, or
    another run works on the release.
    """
    journal.lock(lock_name(release.plan))
    release = journal.read_again(release.id)
    if not release.ended:
        _refuse_other_policy(release, project)
        _refuse_other_champion(release, journal.at)
        _refuse_other_code(release, journal.at)
    return go_on(release, journal, allow_older=allow_older or release.plan.allow_older)


def to_resume(source: Source, at: Backend, *, trigger: Trigger | None = None) -> Release | None:
    """This commit's newest open release, else the newest open one; None where there is nothing to go on with.

    A pull request goes on with its own only: it must not deploy what somebody else merged. Of other commits those are
    passed over that their champion keeps from going on.
    """
    others: list[Release] = []
    for release in open_releases(at.ledger):
        if release.plan.source.commit == source.commit:
            if trigger is not Trigger.PULL_REQUEST or release.plan.trigger is trigger:
                return release
        else:
            others.append(release)
    if trigger is Trigger.PULL_REQUEST:
        return None
    return next((one for one in others if one.judged_against(at.registry.champion(one.plan.model))), None)


def own_open(source: Source, at: Backend, trigger: Trigger | None) -> Release | None:
    """This commit's newest open release; of that trigger, where a CI says what it runs for."""
    own = [release for release in open_releases(at.ledger) if release.plan.source.commit == source.commit]
    return next((release for release in own if trigger in (None, release.plan.trigger)), None)


def open_releases(ledger: LedgerReader) -> Iterator[Release]:
    """Those that have not ended, newest first; without those that a newer one of their commit and trigger replaced."""
    seen: set[str] = set()
    for release in islice(newest_first(ledger), NEWEST):
        work = lock_name(release.plan)
        if work not in seen and not release.ended:
            yield release
        seen.add(work)


def _refuse_other_policy(release: Release, project: Project) -> None:
    plan = release.plan
    if plan.project != project.name:
        raise UsageError(
            f"{release.id} is of another project",
            why=f"it is of {plan.project}, and {project.file.name} describes {project.name}",
            hint=f"go to the folder of {plan.project}",
        )
    if plan.policy != project.policy_digest:
        raise UsageError(
            f"{release.id} cannot be gone on with as the project is here",
            why=f"the gate, the evaluation or the stages of {project.file.name} are not those it was planned with",
            hint=f"check out the commit {plan.source.short} as it was, and resume there; "
            "or `ctrain run`, for a new release by this file",
        )


def _refuse_other_champion(release: Release, at: Backend) -> None:
    """What was judged against another champion proves nothing; what is left of it would end in a refusal."""
    champion = at.registry.champion(release.plan.model)
    if not release.judged_against(champion):
        raise NewChampion(
            f"the champion has changed since {release.id} was planned",
            why=f"it was {release.plan.champion or 'none'}, and is {champion or 'none'} now",
            hint="run `ctrain run`: the model is judged against today's champion, without training anew",
        )


def _refuse_other_code(release: Release, at: Backend) -> None:
    """A job that is still to be submitted takes its code from here. One that was submitted has it."""
    plan = release.plan
    if release.training is not None or at.trainer.look(plan.training.job) is not None:
        return
    inputs: dict[str, Scalar] = {**plan.parameters, plan.data_input: plan.data.uri}
    if plan.champion is not None and plan.champion_input is not None:
        inputs[plan.champion_input] = plan.champion.uri
    preview = at.trainer.preview(TrainingSpec("plan", Path(plan.pipeline), inputs, plan.project, "plan"))
    asked, data = plan.identity, data_digest(plan.data, plan.sample, preview.inputs)
    parts = {"code": asked.code == preview.code, "environment": asked.environment == preview.environment}
    changed = [name for name, same in {**parts, "inputs": asked.data == data}.items() if not same]
    if changed:
        raise UsageError(
            f"{release.id} cannot be trained from here",
            why=f"its job was not submitted yet, and the pipeline's {' and '.join(changed)} are not what was planned",
            hint=f"check out the commit {plan.source.short} as it was, and resume there; or `ctrain run`",
        )
