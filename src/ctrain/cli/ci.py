"""Which CI is this, and what it told us: the only file that knows a CI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ctrain.project import Trigger


@dataclass(frozen=True)
class Caller:
    """Who runs ctrain, and why. `name` is for people; `trigger` is None on a laptop."""

    name: str
    trigger: Trigger | None = None
    branch: str = ""
    pull_request: str = ""
    run_url: str = ""


_GITHUB_EVENTS = {
    "pull_request": Trigger.PULL_REQUEST,
    "push": Trigger.MAIN,
    "schedule": Trigger.SCHEDULE,
    "workflow_dispatch": Trigger.MANUAL,
}

_AZURE_REASONS = {
    "PullRequest": Trigger.PULL_REQUEST,
    "IndividualCI": Trigger.MAIN,
    "BatchedCI": Trigger.MAIN,
    "Schedule": Trigger.SCHEDULE,
    "Manual": Trigger.MANUAL,
}


def caller(env: Mapping[str, str], user: str) -> Caller:
    """Read the environment of GitHub Actions or Azure Pipelines; anything else is a person at a machine.

    Sources: "Default environment variables" of GitHub Actions, "Predefined variables" of Azure Pipelines.
    """
    if env.get("GITHUB_ACTIONS") == "true":
        return _github(_Lines(env))
    if env.get("TF_BUILD") == "True":
        return _azure(_Lines(env))
    return Caller(user)


class _Lines(dict[str, str]):
    """Variables whose values are what they are meant to be: a line each, whoever named the branch or the account."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__({name: " ".join(value.split()) for name, value in env.items()})


def _github(env: Mapping[str, str]) -> Caller:
    ref = env.get("GITHUB_REF", "")
    pull = re.fullmatch(r"refs/pull/(\d+)/merge", ref)
    url = f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/"
    return Caller(
        name=f"{env.get('GITHUB_ACTOR', 'somebody')} in GitHub Actions run {env.get('GITHUB_RUN_ID', '?')}",
        trigger=_GITHUB_EVENTS.get(env.get("GITHUB_EVENT_NAME", "")),
        branch=env.get("GITHUB_HEAD_REF") or env.get("GITHUB_REF_NAME", ""),
        pull_request=pull.group(1) if pull else "",
        run_url=url + env.get("GITHUB_RUN_ID", ""),
    )


def _azure(env: Mapping[str, str]) -> Caller:
    url = f"{env.get('SYSTEM_COLLECTIONURI', '')}{env.get('SYSTEM_TEAMPROJECT', '')}/_build/results?buildId="
    return Caller(
        name=f"{env.get('BUILD_REQUESTEDFOR', 'somebody')} in Azure Pipelines build {env.get('BUILD_BUILDID', '?')}",
        trigger=_AZURE_REASONS.get(env.get("BUILD_REASON", "")),
        branch=env.get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or env.get("BUILD_SOURCEBRANCHNAME", ""),
        pull_request=env.get("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", ""),
        run_url=url + env.get("BUILD_BUILDID", ""),
    )
