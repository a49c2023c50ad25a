"""The verbs that read: they change nothing, and give data on stdout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.cli import documents, pages
from ctrain.cli.neutral import neutral
from ctrain.cli.session import Session, project_file, session
from ctrain.cli.terminal import give, give_json, say
from ctrain.errors import ExitCode, UsageError
from ctrain.flow.open_release import continued
from ctrain.flow.prepare import prepare
from ctrain.flow.roll_back import newest_first
from ctrain.flow.status import status as look_at_stages
from ctrain.release import Release
from ctrain.rollout import live

if TYPE_CHECKING:
    from ctrain.verdict import Finding


def plan(trigger: str | None, *, fresh: bool, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=False) as s:
        made = prepare(s.project, s.at, s.source, s.trigger(trigger), fresh=fresh)
        earlier = continued(made, s.at)
    if json:
        give_json(documents.document("plan", made, continues=earlier.id if earlier else None))
    else:
        give(pages.plan(earlier.plan, earlier) if earlier else pages.plan(made))
    return ExitCode.DONE


def status(*, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=False) as s:
        champion = s.at.registry.champion(s.project.model.name)
        stages = look_at_stages(s.project.stages, s.at)
    if json:
        give_json(documents.document("status", documents.Status(champion, stages)))
    else:
        give(pages.status(stages, champion))
    return ExitCode.DONE


def history(count: int, *, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=False) as s:
        releases = tuple(islice(newest_first(s.at.ledger), count))
    if json:
        give_json(documents.document("history", tuple(documents.brief(release) for release in releases)))
    else:
        give(pages.history(releases))
    return ExitCode.DONE


def show(name: str | None, *, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=False) as s:
        release = s.release(name)
        events = tuple(s.at.ledger.events(release.id))
    if json:
        give_json(documents.document("release", documents.Record(release, events)))
    else:
        give(pages.release(release, events))
    return ExitCode.DONE


def logs(
    name: str | None, *, step: str | None, stage: str | None, json: bool, file: Path | None, backend: str | None
) -> int:
    with session(file, backend, show=False) as s:
        if stage is not None:
            found = documents.Logs(None, stage, None, neutral(_serving_log(s, stage)))
        else:
            release = s.release(name)
            found = documents.Logs(release.id, None, step, neutral(_training_log(s, release, step)))
    if json:
        give_json(documents.document("logs", found))
    elif found.text.strip():
        give(found.text.rstrip("\n"))
    else:
        say("there is no log yet")
    return ExitCode.DONE


def _serving_log(s: Session, stage: str) -> str:
    wanted = s.project.stage(stage)
    serving = s.at.serving(wanted)
    endpoint = serving.look(wanted.endpoint)
    if endpoint is None:
        return ""
    shares = live(endpoint.traffic) or dict.fromkeys(endpoint.deployments, 0)
    logs = {name: serving.logs(endpoint.name, name) for name in shares}
    if len(logs) == 1:
        return "".join(logs.values())
    return "\n".join(f"=== {name}, {shares[name]}% of the traffic\n{log}" for name, log in logs.items())


def _training_log(s: Session, release: Release, step: str | None) -> str:
    run = s.at.trainer.look(release.plan.training.job)
    known = [one.name for one in run.steps] if run else []
    if step is not None and step not in known:
        raise UsageError(
            f"the training has no step {step!r}", why=f"it has: {', '.join(known) or 'none'}", hint="name one of them"
        )
    return s.at.trainer.logs(release.plan.training.job, step)


def validate(*, json: bool, file: Path | None, backend: str | None) -> int:
    from ctrain.flow.prepare import check_pipeline
    from ctrain.project import load_project

    found = project_file(file)
    project = load_project(found)
    pipeline = check_pipeline(project, any_job=(backend or project.backend) == "azureml")
    if json:
        steps = tuple(step.name for step in pipeline.steps)
        give_json(documents.document("validation", documents.Validation(project.name, str(found), steps)))
    else:
        give(f"{found}: ok, {len(project.stages)} stages; {project.pipeline.name}: ok, {len(pipeline.steps)} steps")
    return ExitCode.DONE


def doctor(*, json: bool, file: Path | None, backend: str | None) -> int:
    """Every check, a line each as it is made. Ends with 2 where something is not as a release needs it."""
    from ctrain.verdict import Outcome, Verdict

    findings = []
    for finding in _examined(file, backend):
        findings.append(finding)
        if not json:
            give(pages.finding(finding))
    if json:
        give_json(documents.document("doctor", tuple(findings)))
    return ExitCode.DONE if Verdict(tuple(findings)).outcome is Outcome.PASS else ExitCode.USAGE


def _examined(file: Path | None, backend: str | None) -> Iterator[Finding]:
    from ctrain.backends import Visitor, connect
    from ctrain.cli.ci.host import guard, here
    from ctrain.errors import CtrainError, ProjectError
    from ctrain.flow.examine import examine, wrong
    from ctrain.project import load_project
    from ctrain.verdict import Finding, Outcome

    guard()
    try:
        found = project_file(file)
        project = load_project(found)
        yield Finding("file", Outcome.PASS, f"{found} is complete")
        at = connect(project, backend or project.backend, Visitor(say, hide=here().mask))
    except ProjectError as error:
        for problem in error.problems:
            yield Finding("file", Outcome.FAIL, str(problem))
    except CtrainError as error:
        yield wrong("file", error)
    else:
        yield from examine(project, at)
