"""What a CI tells us: who calls, why, and whose code it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ctrain.cli.ci import caller
from ctrain.project import Trigger


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ("pull_request", Trigger.PULL_REQUEST),
        ("push", Trigger.MAIN),
        ("schedule", Trigger.SCHEDULE),
        ("workflow_dispatch", Trigger.MANUAL),
        ("merge_group", Trigger.PULL_REQUEST),
        ("issue_comment", None),
        ("pull_request_target", None),
        ("workflow_run", None),
    ],
)
def test_github_says_why_we_run(event: str, trigger: Trigger | None) -> None:
    """By the event's name; one that is no trigger of ours is none."""
    assert caller({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event}, "anna").trigger is trigger


@pytest.mark.parametrize(
    ("reason", "trigger"),
    [
        ("PullRequest", Trigger.PULL_REQUEST),
        ("IndividualCI", Trigger.MAIN),
        ("BatchedCI", Trigger.MAIN),
        ("Schedule", Trigger.SCHEDULE),
        ("Manual", Trigger.MANUAL),
        ("BuildCompletion", None),
        ("ResourceTrigger", None),
    ],
)
def test_azure_pipelines_says_why_we_run(reason: str, trigger: Trigger | None) -> None:
    """By the build's reason."""
    assert caller({"TF_BUILD": "True", "BUILD_REASON": reason}, "anna").trigger is trigger


def test_github_names_the_pull_request_and_the_run() -> None:
    """The number from the merge ref, the branch that was proposed, the run's page."""
    who = caller(
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_REF": "refs/pull/17/merge",
            "GITHUB_HEAD_REF": "faster",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "team/visits",
            "GITHUB_RUN_ID": "99",
            "GITHUB_ACTOR": "anna",
        },
        "runner",
    )

    assert (who.pull_request, who.branch) == ("17", "faster")
    assert who.run_url == "https://github.example/team/visits/actions/runs/99"
    assert who.name == "anna in GitHub Actions run 99"


def test_a_laptop_has_no_trigger() -> None:
    """A person says why, or it is `manual`."""
    who = caller({}, "anna@laptop")

    assert (who.name, who.trigger) == ("anna@laptop", None)


def test_what_a_ci_tells_is_a_line_each() -> None:
    """A branch's or an account's name cannot make another line of a log."""
    who = caller({"GITHUB_ACTIONS": "true", "GITHUB_HEAD_REF": "a\n::error::b", "GITHUB_ACTOR": "x\r\ny"}, "runner")

    assert who.branch == "a ::error::b"
    assert who.name.startswith("x y in ")


@pytest.mark.parametrize(
    ("word", "trigger"),
    [
        ("drift", Trigger.DRIFT),
        ("ctrain-drift", Trigger.DRIFT),
        ("ctrain-data", Trigger.SCHEDULE),
        ("ctrain-model", Trigger.SCHEDULE),
        ("ctrain-main", Trigger.MAIN),
        ("ctrain-manual", Trigger.MANUAL),
        ("Ctrain-Pull-Request", Trigger.PULL_REQUEST),
        ("deploy", None),
        ("", None),
    ],
)
def test_another_system_names_the_trigger(tmp_path: Path, word: str, trigger: Trigger | None) -> None:
    """By the type of a `repository_dispatch` event on GitHub, by the resource's alias in Azure Pipelines."""
    on_github = on("repository_dispatch", {"action": word}, tmp_path)
    on_azure = {"TF_BUILD": "True", "BUILD_REASON": "ResourceTrigger", "RESOURCES_TRIGGERINGALIAS": word}

    assert caller(on_github, "").trigger is trigger
    assert caller(on_azure, "").trigger is trigger


def test_a_reusable_workflow_is_called_for_the_callers_reason() -> None:
    """GitHub gives a called workflow the event of the one that called it; `workflow_call` is none that we see."""
    called = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}

    assert (caller(called, "").trigger, caller(called, "").branch) == (Trigger.MAIN, "main")


@pytest.mark.parametrize(
    ("ref", "branch"),
    [("refs/heads/main", "main"), ("refs/heads/fix/main", "fix/main"), ("refs/tags/main", "tags/main")],
)
def test_only_the_branch_itself_is_the_branch(ref: str, branch: str) -> None:
    """A branch that ends like `main`, or a tag of that name, is not `main`, though both CIs have such a variable."""
    github = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": ref, "GITHUB_REF_NAME": "main"}
    azure = {"TF_BUILD": "True", "BUILD_SOURCEBRANCH": ref, "BUILD_SOURCEBRANCHNAME": "main"}

    assert caller(github, "").branch == branch
    assert caller(azure, "").branch == branch


def test_a_merge_queue_knows_its_pull_request() -> None:
    """By the branch that GitHub makes for it."""
    ref = "refs/heads/gh-readonly-queue/main/pr-17-6dcb09b5b57875f334f61aebed695e2e4193db5e"

    assert (
        caller({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "merge_group", "GITHUB_REF": ref}, "").pull_request
        == "17"
    )


def test_azure_pipelines_names_the_pull_request_of_either_host() -> None:
    """GitHub's has a number; that of Azure Repos an id only."""
    pull = {"TF_BUILD": "True", "SYSTEM_PULLREQUEST_PULLREQUESTID": "17"}

    assert caller(pull, "").pull_request == "17"
    assert caller({**pull, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "4"}, "").pull_request == "4"


def on(event: str, payload: Mapping[str, object], folder: Path) -> Mapping[str, str]:
    """The environment of a GitHub job for that event."""
    file = folder / "event.json"
    file.write_text(json.dumps(payload))
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file)}
