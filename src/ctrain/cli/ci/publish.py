"""`ctrain report --publish`: the report, wherever this CI can show it; what it cannot show is said, and no failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ctrain.cli.ci.caller import Caller
from ctrain.cli.ci.devops import pull_request as devops
from ctrain.cli.ci.github.check import post_check
from ctrain.cli.ci.github.comment import post_comment
from ctrain.cli.ci.github.deployment import post_deployments
from ctrain.cli.ci.github.repository import repository
from ctrain.cli.ci.host import DevOps, GitHub, Host, Note
from ctrain.cli.ci.issue import Issue
from ctrain.errors import CtrainError, NotAllowed
from ctrain.report import State, markdown

if TYPE_CHECKING:
    from ctrain.flow.status import StageStatus
    from ctrain.ports import Clock
    from ctrain.release import Release
    from ctrain.report import Report

REPORT = 200_000
"""Characters of a report in a job summary, which takes a mebibyte of several verbs."""

Said = tuple[Literal["shown", "not allowed", "failed"], str]
"""What was shown where, or why it was not: as nobody let us, which a workflow may want, or as it could not be done."""


def issue_of(
    report: Report,
    release: Release,
    stages: Sequence[StageStatus],
    *,
    who: Caller,
    key: str,
    last: str,
) -> Issue:
    """What is to be published. The release may be of another run than this one: its pull request is where it goes."""
    source = release.plan.source
    return Issue(
        report=report,
        release=release,
        stages=stages,
        last=last,
        key=key,
        commit=source.commit,
        pull_request=source.pull_request or who.pull_request,
        run=0,
        run_url=who.run_url or source.run_url,
    )


def publish_all(issue: Issue, host: Host, clock: Clock) -> Iterator[Said]:
    """Show it everywhere, one after the other. Nothing that fails keeps the rest from being shown."""
    match host:
        case GitHub():
            yield from _on_github(issue, host, clock)
        case DevOps():
            yield from _on_devops(issue, host, clock)
        case _:
            yield "failed", "this is no CI that ctrain can publish to; `--format md` gives the report"


def _on_github(issue: Issue, host: GitHub, clock: Clock) -> Iterator[Said]:
    summarize(issue.report, host)
    if host.env.get("GITHUB_STEP_SUMMARY"):
        yield "shown", "added to the summary of this job"
    try:
        at = repository(host.env, clock)
    except CtrainError as problem:
        yield _not_shown(problem)
        return
    try:
        issue = replace(issue, run=at.run, commit=at.head_of(issue.commit))
        if issue.pull_request.isdecimal():
            yield from _tried("the pull request", lambda: [post_comment(at, issue)])
        yield from _tried("the check", lambda: [post_check(at, issue)])
        yield from _tried("the deployments", lambda: post_deployments(at, issue))
    finally:
        at.close()


def _on_devops(issue: Issue, host: DevOps, clock: Clock) -> Iterator[Said]:
    if host.upload(markdown(issue.report, limit=REPORT), "ctrain"):
        yield "shown", "added to the summary of this build"
    if not issue.pull_request.isdecimal():
        return
    try:
        at = devops.pull_request(host.env, issue.pull_request, clock)
    except CtrainError as problem:
        yield _not_shown(problem)
        return
    build = host.env.get("BUILD_BUILDID", "")
    issue = replace(issue, run=int(build) if build.isdecimal() else 0)
    try:
        yield from _tried("the pull request", lambda: [devops.post_thread(at, issue)])
        yield from _tried("the status", lambda: [devops.post_status(at, issue)])
    finally:
        at.api.close()


def _tried(what: str, post: Callable[[], Iterable[str]]) -> Iterator[Said]:
    try:
        for line in post():
            yield "shown", line
    except CtrainError as problem:
        yield _not_shown(problem, f"{what} is not shown: ")


def _not_shown(problem: CtrainError, what: str = "") -> Said:
    how: Literal["not allowed", "failed"] = "not allowed" if isinstance(problem, NotAllowed) else "failed"
    return how, f"{what}{problem.what}: {problem.why} ({problem.hint})"


def annotate(report: Report, host: Host, root: Path) -> None:
    """Show the report's remarks at the lines that they are about, in the repository at `root`; each once in a job."""
    for remark in report.remarks:
        note = Note(remark.level, remark.title, remark.text)
        if remark.file is not None:
            note = replace(note, file=root / remark.file, line=remark.line or 1)
        if host.first(str(note)):
            host.annotate(note)


def summarize(report: Report, host: Host) -> None:
    """Add the report to what the CI shows of this job: all of it once there is something to decide, else its head."""
    text = markdown(report, limit=REPORT)
    if report.state is State.RUNNING:
        text = text.partition("\n\n")[0]
    if host.first(text):
        host.summarize(text)
