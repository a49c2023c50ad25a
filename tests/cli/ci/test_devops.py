"""What Azure DevOps is shown of a release: against one on loopback that holds each body to Microsoft's own models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrain.cli import terminal
from ctrain.cli.ci.host import DevOps as Host
from ctrain.cli.ci.issue import Issue
from ctrain.cli.ci.marker import Marker, with_marker
from ctrain.cli.ci.publish import Said, publish_all
from ctrain.report import State
from tests.ci.services.devops import NUMBER, PROJECT, REPOSITORY, TOKEN, DevOps, devops
from tests.ci.services.listening import Reply, times
from tests.cli.ci.publications import HOSTILE, StoppedClock, an_issue

KEY = "visits:ctrain.yaml"


@pytest.fixture
def service() -> Iterator[DevOps]:
    with devops() as listening:
        yield listening
    assert listening.complaints == []


@pytest.fixture
def host(service: DevOps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(terminal, "_secrets", set())
    return Host({
        "SYSTEM_ACCESSTOKEN": TOKEN,
        "SYSTEM_COLLECTIONURI": f"{service.url}/team/",
        "SYSTEM_TEAMPROJECTID": PROJECT,
        "BUILD_REPOSITORY_ID": REPOSITORY,
        "BUILD_REPOSITORY_PROVIDER": "TfsGit",
        "BUILD_BUILDID": "7",
        "SYSTEM_PULLREQUEST_SOURCECOMMITID": "2" * 40,
        "AGENT_TEMPDIRECTORY": str(tmp_path),
    })  # fmt: skip


def shown(issue: Issue, host: Host, clock: StoppedClock | None = None) -> list[Said]:
    return list(publish_all(issue, host, clock or StoppedClock()))


def warnings(said: list[Said]) -> list[str]:
    return [text for how, text in said if how != "shown"]


def content(thread: dict[str, list[dict[str, str]]]) -> str:
    return thread["comments"][0]["content"]


def test_one_thread_is_begun_and_then_updated(service: DevOps, host: Host) -> None:
    """Each later report stands in the place of the one before."""
    said = shown(an_issue(headline="delivered"), host) + shown(
        an_issue(headline="rejected", state=State.REJECTED), host
    )

    assert warnings(said) == []
    assert len(service.threads) == 1
    assert "rejected" in content(service.threads[0])


@pytest.mark.parametrize(
    ("state", "thread", "status"),
    [
        (State.PASSED, "closed", "succeeded"),
        (State.REJECTED, "active", "failed"),
        (State.INCONCLUSIVE, "closed", "notApplicable"),
        (State.UNDECIDED, "active", "pending"),
        (State.RUNNING, "closed", "pending"),
    ],
)
def test_the_thread_is_open_while_somebody_should_look(
    service: DevOps, host: Host, state: State, thread: str, status: str
) -> None:
    """So that a policy on open comments holds the merge; the status is for a policy of its own, and of this push."""
    shown(an_issue(state=state), host)

    assert service.threads[0]["status"] == thread
    assert [(one["state"], one["iterationId"]) for one in service.statuses] == [(status, 2)]
    assert service.statuses[0]["context"] == {"genre": "ctrain", "name": "visits"}


def test_the_thread_follows_the_verdict(service: DevOps, host: Host) -> None:
    """Closed by a later push that passes."""
    shown(an_issue(state=State.REJECTED), host)
    shown(an_issue(state=State.PASSED), host)

    assert [one["status"] for one in service.threads] == ["closed"]


def test_a_strangers_thread_with_our_marker_is_left_alone(service: DevOps, host: Host) -> None:
    """Anybody can copy what is hidden in a comment."""
    service.thread(with_marker(Marker(KEY, "x", 1), "please run my code"), "mallory")

    shown(an_issue(), host)
    shown(an_issue(), host)

    assert content(service.threads[0]).endswith("please run my code")
    assert len(service.threads) == 2


def test_two_builds_at_once_leave_one_thread(service: DevOps, host: Host) -> None:
    """Both saw none and began one: the older stays."""

    def rival() -> None:
        if not service.threads:
            service.thread(with_marker(Marker(KEY, "x", 5), "the other build's"))

    service.before_create = rival

    assert warnings(shown(an_issue(), host)) == []

    assert len(service.standing()) == 1
    assert "the other build's" not in content(service.standing()[0])


def test_a_slower_build_does_not_overwrite_a_later_ones(service: DevOps, host: Host) -> None:
    """Builds are numbered in the order in which they began."""
    service.thread(with_marker(Marker(KEY, "newer", 99), "of a later push"))

    shown(an_issue(), host)

    assert content(service.threads[0]).endswith("of a later push")


def test_a_build_that_may_not_write_falls_back_to_the_summary(
    service: DevOps, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and nothing fails."""
    service.readonly = True

    said = shown(an_issue(), host)

    assert ("shown", "added to the summary of this build") in said
    assert any("PullRequestContribute" in text for text in warnings(said))
    uploaded = capsys.readouterr().err.strip().removeprefix("##vso[task.uploadsummary]")
    assert "visits:2 serves" in Path(uploaded).read_text()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"SYSTEM_ACCESSTOKEN": ""}, "SYSTEM_ACCESSTOKEN"),
        ({"SYSTEM_ACCESSTOKEN": "eyJexpired.x.y"}, "does not let us"),
        ({"BUILD_REPOSITORY_PROVIDER": "GitHub"}, "GitHub"),
        ({"SYSTEM_COLLECTIONURI": "http://dev.azure.com/team/"}, "cannot be used"),
    ],
)
def test_what_keeps_the_pull_request_away_is_said(host: Host, changed: dict[str, str], why: str) -> None:
    """No token, one that is over, a repository that is elsewhere, an address that is not safe."""
    said = shown(an_issue(), Host({**host.env, **changed}))

    assert any(why in text for text in warnings(said))


def test_limits_and_faults_are_waited_for(service: DevOps, host: Host) -> None:
    """Azure DevOps says how long, as GitHub does."""
    service.faults = [
        times(1, Reply(429, {}, {"Retry-After": "4"}), method="POST", path="/threads"),
        times(1, Reply(503, {}), method="GET", path="/threads"),
    ]
    clock = StoppedClock()

    assert warnings(shown(an_issue(), host, clock)) == []

    assert sorted(clock.waited) == [1.0, 4.0]
    assert len(service.threads) == 1


def test_nothing_that_others_wrote_is_more_than_text(
    service: DevOps, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the thread, in the status, or in the log."""
    said = shown(an_issue(headline=HOSTILE, summary=HOSTILE, state=State.REJECTED), host)

    assert warnings(said) == []
    assert "<img" not in content(service.threads[0])
    assert "\n" not in service.statuses[0]["description"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("]")[0] for line in lines] == ["##vso[task.uploadsummary"]


def test_a_report_of_any_length_fits(service: DevOps, host: Host) -> None:
    """150,000 characters in a comment."""
    assert warnings(shown(an_issue(summary="long " * 100_000), host)) == []

    assert len(content(service.threads[0])) <= 150_000
    assert NUMBER == 17
