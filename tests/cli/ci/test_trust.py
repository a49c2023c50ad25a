"""A stranger's code is not deployed, and not trained beside secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ctrain.cli.ci import caller
from ctrain.cli.ci.trust import Act, refuse_strangers
from ctrain.errors import ExitCode, UsageError
from tests.cli.ci.test_caller import on

OURS = {"repository": {"full_name": "team/visits"}}


def pull(of: str | None) -> Mapping[str, object]:
    return {**OURS, "pull_request": {"head": {"repo": {"full_name": of} if of else None}}}


def after(event: str, of: str) -> Mapping[str, object]:
    return {**OURS, "workflow_run": {"event": event, "head_repository": {"full_name": of}}}


@pytest.mark.parametrize(
    ("event", "payload", "refused"),
    [
        ("push", OURS, ()),
        ("schedule", OURS, ()),
        ("workflow_dispatch", OURS, ()),
        ("pull_request", pull("team/visits"), ()),
        ("pull_request", pull("mallory/visits"), ("deploy",)),
        ("pull_request", pull(None), ("deploy",)),
        ("pull_request_target", pull("team/visits"), ("train", "deploy")),
        ("pull_request_target", pull("mallory/visits"), ("train", "deploy")),
        ("workflow_run", after("push", "team/visits"), ()),
        ("workflow_run", after("schedule", "team/visits"), ()),
        ("workflow_run", after("push", "mallory/visits"), ("train", "deploy")),
        ("workflow_run", after("pull_request", "team/visits"), ("train", "deploy")),
        ("workflow_run", after("pull_request_target", "team/visits"), ("train", "deploy")),
        ("workflow_run", after("issue_comment", "team/visits"), ("train", "deploy")),
        ("workflow_run", {}, ("train", "deploy")),
    ],
)
@pytest.mark.parametrize("act", ["train", "deploy"])
def test_github_strangers(
    tmp_path: Path, event: str, payload: Mapping[str, object], refused: tuple[Act, ...], act: Act
) -> None:
    """By the event and its origin; what is not known to be ours is a stranger's."""
    assert may(on(event, payload, tmp_path), act) is (act not in refused)


def test_an_event_that_cannot_be_read_is_a_strangers() -> None:
    """Whoever can hide the origin must gain nothing by it."""
    assert not may({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_run"}, "train")


@pytest.mark.parametrize(("fork", "deploys"), [("True", False), ("False", True), ("", True)])
def test_azure_pipelines_strangers(fork: str, deploys: bool) -> None:
    """A fork's pull request may be trained and judged."""
    env = {"TF_BUILD": "True", "BUILD_REASON": "PullRequest", "SYSTEM_PULLREQUEST_ISFORK": fork}

    assert may(env, "train")
    assert may(env, "deploy") is deploys


def test_a_person_at_a_machine_is_no_stranger() -> None:
    """Nobody else's code runs there."""
    assert may({}, "deploy")


def may(env: Mapping[str, str], act: Act) -> bool:
    try:
        refuse_strangers(caller(env, "anna"), act)
    except UsageError as refusal:
        assert refusal.exit_code is ExitCode.USAGE
        return False
    return True
