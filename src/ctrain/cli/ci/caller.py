"""Who calls ctrain, and which trigger that is: read from what the CI tells each step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctrain.project import Trigger


@dataclass(frozen=True)
class Caller:
    """Who runs ctrain, and why. `name` is for people; `trigger` is None on a laptop.

    `event` is what the CI calls the reason. `stranger` says why what runs here may be the code of somebody who may not
    write to the repository, and is empty where it is not; `exposed`, that it runs beside the repository's secrets.
    """

    name: str
    trigger: Trigger | None = None
    branch: str = ""
    pull_request: str = ""
    run_url: str = ""
    event: str = ""
    stranger: str = ""
    exposed: bool = False


_GITHUB_EVENTS = {
    "pull_request": Trigger.PULL_REQUEST,
    "merge_group": Trigger.PULL_REQUEST,
    "push": Trigger.MAIN,
    "schedule": Trigger.SCHEDULE,
    "workflow_dispatch": Trigger.MANUAL,
}

_AZURE_REASONS = {
    "PullRequest": Trigger.PULL_REQUEST,
    "IndividualCI": Trigger.MAIN,
    "BatchedCI": Trigger.MAIN,
    "Schedule": Trigger.SCHEDULE,
    "ScheduleForced": Trigger.SCHEDULE,
    "Manual": Trigger.MANUAL,
    "UserCreated": Trigger.MANUAL,
}

_BY_ALIAS = ("BuildCompletion", "ResourceTrigger", "Triggered")
"""Reasons of Azure Pipelines that say only that something else started us; the resource's alias says what."""

NAMED = {**{trigger.value: trigger for trigger in Trigger}, "data": Trigger.SCHEDULE, "model": Trigger.SCHEDULE}
"""Triggers by the word in a `repository_dispatch` event's type, or in a pipeline resource's alias.

New data, or a new model that the training builds on, is what a schedule looks for: it may have come in between.
"""


def caller(env: Mapping[str, str], user: str) -> Caller:
    """Read the environment of GitHub Actions or Azure Pipelines; anything else is a person at a machine.

    Sources: "Default environment variables" of GitHub Actions, "Predefined variables" of Azure Pipelines.
    """
    if env.get("GITHUB_ACTIONS") == "true":
        return _github(_Lines(env), event_of(env))
    if env.get("TF_BUILD") == "True":
        return _azure(_Lines(env))
    return Caller(user)


class _Lines(dict[str, str]):
    """Variables whose values are what they are meant to be: a line each, whoever named the branch or the account."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__({name: " ".join(value.split()) for name, value in env.items()})


@dataclass(frozen=True)
class Payload:
    """GitHub's description of the event, of which anybody may have written a part: asked for texts, by path."""

    content: object

    def text(self, *keys: str) -> str:
        """The text there, in one line; empty where there is none."""
        found = self.content
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return " ".join(str(found).split()) if isinstance(found, str | int) else ""


def event_of(env: Mapping[str, str]) -> Payload:
    """What is in GITHUB_EVENT_PATH; nothing where that cannot be read."""
    try:
        return Payload(json.loads(Path(env.get("GITHUB_EVENT_PATH", "")).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return Payload(None)


def _github(env: Mapping[str, str], event: Payload) -> Caller:
    ref, name = env.get("GITHUB_REF", ""), env.get("GITHUB_EVENT_NAME", "")
    url = f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/"
    trigger = _GITHUB_EVENTS.get(name)
    if name == "repository_dispatch":
        trigger = named(event.text("action"))
    return Caller(
        name=f"{env.get('GITHUB_ACTOR', 'somebody')} in GitHub Actions run {env.get('GITHUB_RUN_ID', '?')}",
        trigger=trigger,
        branch=env.get("GITHUB_HEAD_REF") or _branch(ref or env.get("GITHUB_REF_NAME", "")),
        pull_request=_number(ref) or event.text("pull_request", "number"),
        run_url=url + env.get("GITHUB_RUN_ID", ""),
        event=name,
        stranger=_stranger(name, event),
        exposed=name in _WITH_SECRETS,
    )


def _number(ref: str) -> str:
    """The pull request's, of a merge ref or of a merge queue's branch."""
    pull = re.fullmatch(r"refs/pull/(\d+)/merge|refs/heads/gh-readonly-queue/.*/pr-(\d+)-[0-9a-f]+", ref)
    return (pull[1] or pull[2]) if pull else ""


_WITH_SECRETS = ("pull_request_target", "workflow_run")
"""Events whose runs have the repository's secrets and a token that may write, whoever caused them.

Source: "Secure use reference" of GitHub Actions, on `pull_request_target` and `workflow_run`.
"""


def _stranger(name: str, event: Payload) -> str:
    match name:
        case "pull_request_target":
            return "`pull_request_target` runs for pull requests of anybody, beside the repository's secrets"
        case "workflow_run":
            return _stranger_before(event)
        case "pull_request" if _elsewhere(event, event.text("pull_request", "head", "repo", "full_name")):
            return "the pull request comes from a fork"
        case _:
            return ""


def _stranger_before(event: Payload) -> str:
    """Of the run that started this one: trusted is a push, a schedule or a person's, in this repository."""
    before = event.text("workflow_run", "event")
    if before not in ("push", "schedule", "workflow_dispatch", "repository_dispatch"):
        return f"the run before was started by `{before or 'something unknown'}`, which strangers can cause"
    if _elsewhere(event, event.text("workflow_run", "head_repository", "full_name")):
        return "the run before was of a fork"
    return ""


def _elsewhere(event: Payload, whole: str) -> bool:
    """Whether that repository is another one; one that is gone or unknown is."""
    return not whole or whole != event.text("repository", "full_name")


def named(word: str) -> Trigger | None:
    """The trigger that a `repository_dispatch` type or a resource's alias names, with `ctrain-` before it or not."""
    return NAMED.get(word.lower().removeprefix("ctrain-").replace("-", "_"))


def _azure(env: Mapping[str, str]) -> Caller:
    url = f"{env.get('SYSTEM_COLLECTIONURI', '')}{env.get('SYSTEM_TEAMPROJECT', '')}/_build/results?buildId="
    reason = env.get("BUILD_REASON", "")
    trigger = _AZURE_REASONS.get(reason)
    if reason in _BY_ALIAS:
        trigger = named(env.get("RESOURCES_TRIGGERINGALIAS", ""))
    fork = env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true"
    # A pull request on GitHub has a number beside the id; one in Azure Repos has an id only.
    number = env.get("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER") or env.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
    return Caller(
        name=f"{env.get('BUILD_REQUESTEDFOR', 'somebody')} in Azure Pipelines build {env.get('BUILD_BUILDID', '?')}",
        trigger=trigger,
        branch=_branch(env.get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or env.get("BUILD_SOURCEBRANCH", "")),
        pull_request=number,
        run_url=url + env.get("BUILD_BUILDID", ""),
        event=reason,
        stranger="the pull request comes from a fork" if fork else "",
    )


def _branch(ref: str) -> str:
    """The branch's whole name, not its last part as in BUILD_SOURCEBRANCHNAME: `fix/main` is not `main`.

    A tag keeps its `tags/`, as a tag that is called `main` is not that branch.
    """
    return ref.removeprefix("refs/").removeprefix("heads/")
