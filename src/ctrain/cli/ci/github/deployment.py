"""GitHub's deployments: what serves each stage, as the repository's page shows it, brought to what is.

A job that is bound to an environment has a deployment that GitHub keeps by itself; it is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ctrain.cli.ci.caller import Payload
from ctrain.cli.ci.commands import one_line
from ctrain.cli.ci.github.repository import Repository
from ctrain.cli.ci.issue import Issue
from ctrain.errors import CtrainError
from ctrain.flow.status import StageStatus
from ctrain.project import Trigger
from ctrain.release import Release, StageRecord

State = Literal["queued", "in_progress", "success", "failure", "inactive"]

_ORDER: tuple[State, ...] = ("queued", "in_progress")
"""What comes before an end, in this order."""


@dataclass(frozen=True)
class Deployment:
    """One that should be there: of a commit, at a stage, in these states one after the other.

    `of` tells it from others of the same release: the deployment on the platform that it stands for.
    """

    stage: str
    commit: str
    of: str
    states: tuple[State, ...]
    says: str
    url: str = ""


def post_deployments(at: Repository, issue: Issue) -> Iterator[str]:
    """Bring the deployments of each stage that the release acted upon to what is; what was done, in words."""
    seen = {stage.stage: stage for stage in issue.stages}
    for name, record in issue.release.stages.items():
        for wanted in deployments_of(issue.release, name, record, seen.get(name)):
            try:
                yield from _bring(at, issue, wanted)
            except CtrainError as problem:
                yield f"{name}: its deployment is not shown: {problem.why}"


def deployments_of(release: Release, name: str, record: StageRecord, now: StageStatus | None) -> Sequence[Deployment]:
    """What GitHub should show of a stage. A rollout that failed has its own, and one of what serves again."""
    commit, of = release.plan.source.commit, record.deployment
    serving = [one for one in now.deployments if one.percent] if now is not None else []
    url = _public(now.endpoint.scoring_url) if now is not None and now.endpoint is not None else ""
    taken = record.rolled_back or record.rejected
    if record.restored or record.rolled_back:
        failed = Deployment(name, commit, of, (*_ORDER, "failure"), taken or "rolled back")
        old = next((one for one in serving if one.commit and one.deployment.name != of), None)
        if old is None:
            return [failed]
        version = f"{old.deployment.model}:{old.deployment.model_version}"
        again = Deployment(name, old.commit, old.deployment.name, (*_ORDER, "success"), f"{version} serves again", url)
        return [failed, again]
    if record.promoted is None:
        return [Deployment(name, commit, of, _ORDER, "the rollout is under way")]
    if serving and all(one.deployment.name != of for one in serving):
        return [Deployment(name, commit, of, (*_ORDER, "success", "inactive"), "another version serves by now")]
    return [Deployment(name, commit, of, (*_ORDER, "success"), f"{release.version} serves", url)]


def _bring(at: Repository, issue: Issue, wanted: Deployment) -> Iterator[str]:
    known: int | None = None
    for item in at.api.pages(f"{at.path}/deployments", environment=wanted.stage, sha=wanted.commit, per_page=100):
        found = Payload(item)
        number = int(found.text("id"))
        mark = found.text("payload", "ctrain")
        if mark == _mark(issue, wanted):
            known = number
            break
        if not mark and _of_this_run(at, number):
            return
    if known is None:
        known = _create(at, issue, wanted)
    told = [
        Payload(item).text("state") for item in at.api.pages(f"{at.path}/deployments/{known}/statuses", per_page=100)
    ]
    ahead = _ahead(wanted.states, told)
    for state in ahead:
        at.api.post(f"{at.path}/deployments/{known}/statuses", _status(issue, wanted, state))
    if ahead:
        yield f"{wanted.stage}: deployment of {wanted.commit[:7]} is {ahead[-1].replace('_', ' ')}"


def _ahead(wanted: Sequence[State], told: Sequence[str]) -> Sequence[State]:
    """The states that are left to be told: those after the last one that was. GitHub lists the newest first."""
    latest = told[0] if told else ""
    places = [place for place, state in enumerate(wanted) if state == latest]
    if not told or places:
        return wanted[places[-1] + 1 :] if places else wanted
    return wanted[-1:]


def _create(at: Repository, issue: Issue, wanted: Deployment) -> int:
    body: dict[str, object] = {
        "ref": wanted.commit,
        "environment": wanted.stage,
        "description": one_line(wanted.says, 140),
        "auto_merge": False,
        "required_contexts": [],
        "payload": {"ctrain": _mark(issue, wanted)},
        "production_environment": wanted.stage == issue.last,
        "transient_environment": issue.release.plan.trigger is Trigger.PULL_REQUEST,
    }
    return int(Payload(at.api.post(f"{at.path}/deployments", body)).text("id") or 0)


def _mark(issue: Issue, wanted: Deployment) -> str:
    return f"{issue.release.id} {wanted.of}"


def _status(issue: Issue, wanted: Deployment, state: State) -> dict[str, object]:
    body: dict[str, object] = {"state": state, "description": one_line(wanted.says, 140), "auto_inactive": True}
    if issue.run_url.startswith("https://"):
        body["log_url"] = issue.run_url
    if wanted.url and state == "success":
        body["environment_url"] = wanted.url
    return body


def _of_this_run(at: Repository, number: int) -> bool:
    """Whether GitHub made it itself, for a job of this run that is bound to the environment."""
    for item in at.api.pages(f"{at.path}/deployments/{number}/statuses", per_page=100):
        if f"/actions/runs/{at.run}/" in f"{Payload(item).text('log_url')}/":
            return True
    return False


def _public(url: str) -> str:
    """An endpoint that others can reach; one on the runner itself is gone with it."""
    return url if urlsplit(url).scheme == "https" else ""
