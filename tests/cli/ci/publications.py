"""A release as it is published, for the tests of those that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ctrain.cli.ci.issue import Issue
from ctrain.flow.status import ServingNow, StageStatus
from ctrain.release import Ending, Release, StageRecord
from ctrain.report import Remark, Report, State
from ctrain.report.report import Headline
from ctrain.serving import Deployment, DeploymentState, Endpoint
from ctrain.version import Source
from tests.builders import COMMIT, a_plan, a_version

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OLD = "0ld" * 13 + "1"
OLD_COMMIT = OLD.replace("l", "a").replace("d", "b").replace("0", "c")

HOSTILE = (
    'x\n::error::y ##vso[task.complete]z | <img src=x onerror=alert(1)> --> @team [a](javascript:b) `c` ${{ d }} "'
)


@dataclass
class StoppedClock:
    """A clock that tells what was waited for."""

    waited: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.waited))

    def monotonic(self) -> float:
        return sum(self.waited)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


def a_release(*, ending: Ending | None = Ending.DELIVERED, pull_request: str = "17", commit: str = COMMIT) -> Release:
    plan = a_plan(commit=commit)
    source = Source(commit=commit, branch="faster", pull_request=pull_request)
    return Release("main-b41c9e2-1", replace(plan, source=source), NOW, version=a_version(2), ending=ending)


def an_issue(
    *,
    state: State = State.DELIVERED,
    release: Release | None = None,
    remarks: Sequence[Remark] = (),
    run: int = 7,
    stages: Sequence[StageStatus] = (),
    headline: str = "delivered",
    project: str = "visits",
    summary: str = "visits:2 serves dev, test and prod.",
) -> Issue:
    made = Report(project=project, state=state, headline=Headline(headline), summary=summary, remarks=tuple(remarks))
    release = release or a_release()
    return Issue(
        report=made,
        release=release,
        stages=stages,
        last="prod",
        key=f"{project}:ctrain.yaml",
        commit=release.plan.source.commit,
        pull_request=release.plan.source.pull_request,
        run=run,
        run_url="https://ci.example/runs/7",
    )


def a_remark(number: int = 1, *, text: str = "too low", file: str | None = "ctrain.yaml") -> Remark:
    return Remark("error", "auc: fail", text, "gate/auc", file, number if file else None)


def serving(
    stage: str, deployment: str, version: int, commit: str, url: str = "https://visits.example/score"
) -> StageStatus:
    """A stage that is served by this deployment alone."""
    placed = Deployment(
        deployment, DeploymentState.SUCCEEDED, ready=True, model="visits", model_version=version, model_digest="d"
    )
    endpoint = Endpoint(
        f"visits-{stage}", url, running=True, traffic={deployment: 100}, deployments={deployment: placed}
    )
    return StageStatus(stage, endpoint, (ServingNow(placed, 100, commit, None, None),))


def promoted(deployment: str) -> StageRecord:
    return StageRecord(deployment, promoted=NOW)
