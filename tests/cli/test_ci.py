"""What a CI tells us, and what we keep it from being told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.cli.ci import caller
from ctrain.cli.neutral import neutral
from ctrain.project import Trigger


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ("pull_request", Trigger.PULL_REQUEST),
        ("push", Trigger.MAIN),
        ("schedule", Trigger.SCHEDULE),
        ("workflow_dispatch", Trigger.MANUAL),
        ("issue_comment", None),
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
    ],
)
def test_azure_pipelines_says_why_we_run(reason: str, trigger: Trigger) -> None:
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


@pytest.mark.parametrize(
    "payload",
    [
        "::set-env name=PATH::/evil",
        "   ::add-mask::x",
        "before ##[command]x",
        "before ##vso[task.setvariable variable=PATH]/evil",
        "##VSO[task.prependpath]/evil",
        "#\x00#vso[task.setvariable]x",
        "\x1b[2J\x1b]0;title\x07::error::x",
        "ok\r::error::x",
        "ok\n::error::x",
        "ok\u2028::error::x",
    ],
)
def test_no_text_is_a_command(payload: str) -> None:
    """Neither for GitHub's runner, nor for Azure's agent, nor for a terminal."""
    assert commands(neutral(payload)) == []


@given(st.text(alphabet=st.sampled_from("#:[]vso \n\r\t\x00\x1b\x07ab##::") | st.characters()))
def test_text_made_harmless_stays_harmless(text: str) -> None:
    """Taking something out never puts a command together from what is left."""
    made = neutral(text)

    assert commands(made) == []
    assert "\x1b" not in made


def test_ordinary_text_stays_as_it_is() -> None:
    """Accents, colons and code are no danger."""
    text = "größer: a::b C++::std\n\tindented — fine"

    assert neutral(text) == text


def commands(text: str) -> list[str]:
    """What either CI would obey, by the rules of their parsers."""
    lines = text.splitlines()
    github = [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    return github + [line for line in lines if "##vso[" in line.lower()]


def test_what_a_ci_tells_is_a_line_each() -> None:
    """A branch's or an account's name cannot make another line of a log."""
    who = caller({"GITHUB_ACTIONS": "true", "GITHUB_HEAD_REF": "a\n::error::b", "GITHUB_ACTOR": "x\r\ny"}, "runner")

    assert who.branch == "a ::error::b"
    assert who.name.startswith("x y in ")
