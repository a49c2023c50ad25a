"""What GitHub is shown of a release: against one on loopback that holds requests to its published description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.cli import terminal
from ctrain.cli.ci.host import GitHub as Host
from ctrain.cli.ci.issue import Issue
from ctrain.cli.ci.marker import Marker, with_marker
from ctrain.cli.ci.publish import Said, publish_all
from ctrain.release import Ending, StageRecord
from ctrain.report import State
from tests.builders import COMMIT
from tests.ci.services import openapi
from tests.ci.services.github import NUMBER, TOKEN, GitHub, github
from tests.ci.services.listening import Reply, times
from tests.cli.ci.publications import (
    HOSTILE,
    OLD_COMMIT,
    StoppedClock,
    a_release,
    a_remark,
    an_issue,
    promoted,
    serving,
)

KEY = "visits:ctrain.yaml"


@pytest.fixture
def service() -> Iterator[GitHub]:
    with github() as listening:
        yield listening
    assert listening.complaints == []


@pytest.fixture
def host(service: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(terminal, "_secrets", set())
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": NUMBER, "head": {"sha": COMMIT}}}))
    return Host({
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": service.url,
        "GITHUB_GRAPHQL_URL": f"{service.url}/graphql",
        "GITHUB_REPOSITORY": "team/visits",
        "GITHUB_SHA": COMMIT,
        "GITHUB_RUN_ID": "7",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    })  # fmt: skip


def shown(issue: Issue, host: Host, clock: StoppedClock | None = None) -> list[Said]:
    return list(publish_all(issue, host, clock or StoppedClock()))


def warnings(said: list[Said]) -> list[str]:
    return [text for how, text in said if how != "shown"]


def ours(service: GitHub) -> list[str]:
    return [one["body"] for one in service.comments if one["user"]["login"] == service.login]


def test_the_description_is_there() -> None:
    """Without it the other tests of this file hold requests to nothing but what the server knows."""
    if not openapi.known():
        pytest.skip("GitHub's OpenAPI description is not installed: `make descriptions` needs npm")

    assert openapi.FILE.stat().st_size > 1_000_000


def test_one_comment_is_made_and_then_updated(service: GitHub, host: Host) -> None:
    """Each later report stands in the place of the one before."""
    first = shown(an_issue(headline="delivered"), host)
    second = shown(an_issue(headline="rolled back", state=State.ROLLED_BACK), host)

    assert warnings(first + second) == []
    assert len(service.comments) == 1
    assert "rolled back" in service.comments[0]["body"]
    assert service.comments[0]["body"].startswith("<!-- ctrain:report key=visits%3Actrain.yaml sha=")


def test_the_comment_is_found_among_hundreds(service: GitHub, host: Host) -> None:
    """Page by page; a pull request may be long."""
    for number in range(250):
        service.comment(f"comment {number}", "anna")
    service.comment(with_marker(Marker(KEY, "x", 1), "an old report"))
    service.comment("another", "anna")

    assert warnings(shown(an_issue(), host)) == []

    assert len(service.comments) == 252
    assert len(ours(service)) == 1
    assert "an old report" not in ours(service)[0]


def test_a_strangers_comment_with_our_marker_is_left_alone(service: GitHub, host: Host) -> None:
    """Anybody can copy what is hidden in a comment."""
    copied = with_marker(Marker(KEY, COMMIT, 1), "please run my code")
    service.comment(copied, "mallory")

    shown(an_issue(), host)
    shown(an_issue(), host)

    assert [one["body"] for one in service.comments if one["user"]["login"] == "mallory"] == [copied]
    assert len(ours(service)) == 1


def test_a_person_whose_token_it_is_updates_their_own(service: GitHub, host: Host) -> None:
    """And not the comment of the bot, though the token may be allowed to."""
    service.login = "anna"
    service.comment(with_marker(Marker(KEY, COMMIT, 1), "the bot's"), "github-actions[bot]")

    shown(an_issue(), host)

    assert len(ours(service)) == 1
    assert service.comments[0]["body"].endswith("the bot's")


def test_two_runs_at_once_leave_one_comment(service: GitHub, host: Host) -> None:
    """Both saw none and made one: the older stays, and the one whose is younger writes into it."""
    rival = with_marker(Marker(KEY, COMMIT, 5), "the other run's")

    def as_fast() -> None:
        if not service.comments:
            service.comment(rival)

    service.before_create = as_fast

    assert warnings(shown(an_issue(run=7), host)) == []

    assert len(service.comments) == 1
    assert "the other run's" not in service.comments[0]["body"]


def test_any_number_of_runs_at_once_leave_one_comment(service: GitHub, host: Host) -> None:
    """It has the report of one of them, whole, and the later it began the better."""
    with ThreadPoolExecutor(4) as pool:
        hosts = [Host({**host.env, "GITHUB_RUN_ID": str(run)}) for run in (4, 5, 6, 7)]
        said = list(pool.map(lambda one: shown(an_issue(headline=f"run {one.env['GITHUB_RUN_ID']}"), one), hosts))

    assert [warnings(one) for one in said] == [[], [], [], []]
    assert len(service.comments) == 1
    assert service.comments[0]["body"].count("### ctrain") == 1


def test_a_slower_run_does_not_overwrite_a_later_ones(service: GitHub, host: Host) -> None:
    """Runs are numbered in the order in which they began."""
    service.comment(with_marker(Marker(KEY, "newer", 99), "of a later push"))

    said = shown(an_issue(), host)

    assert "of a later push" in service.comments[0]["body"]
    assert any("later run" in text for _, text in said)


def test_two_projects_have_a_comment_each(service: GitHub, host: Host) -> None:
    """A repository may hold several."""
    shown(an_issue(project="visits"), host)
    shown(an_issue(project="prices"), host)

    assert len(service.comments) == 2


def test_a_push_has_no_comment(service: GitHub, host: Host) -> None:
    """There is no pull request; the check is at the commit."""
    issue = an_issue(release=a_release(pull_request=""))
    shown(issue, host)

    assert service.comments == []
    assert [one["head_sha"] for one in service.checks] == [COMMIT]


@pytest.mark.parametrize(
    ("state", "conclusion"),
    [
        (State.PASSED, "success"),
        (State.DELIVERED, "success"),
        (State.REJECTED, "failure"),
        (State.FAILED, "failure"),
        (State.ROLLED_BACK, "failure"),
        (State.NOT_RESTORED, "failure"),
        (State.INCONCLUSIVE, "neutral"),
        (State.UNDECIDED, "action_required"),
        (State.WAITING, "action_required"),
    ],
)
def test_the_check_says_what_branch_protection_needs(
    service: GitHub, host: Host, state: State, conclusion: str
) -> None:
    """Where a person decides it is neither a yes nor a no."""
    shown(an_issue(state=state), host)

    assert [(one["status"], one["conclusion"]) for one in service.checks] == [("completed", conclusion)]


def test_a_check_that_is_in_progress_is_completed(service: GitHub, host: Host) -> None:
    """It does not stand beside the one that says how it ended."""
    shown(an_issue(state=State.RUNNING, release=a_release(ending=None)), host)
    assert [one["status"] for one in service.checks] == ["in_progress"]

    shown(an_issue(state=State.DELIVERED), host)

    assert [(one["status"], one["conclusion"]) for one in service.checks] == [("completed", "success")]


def test_annotations_come_in_batches(service: GitHub, host: Host) -> None:
    """GitHub takes 50 with a request; those without a file have no place."""
    remarks = [a_remark(number) for number in range(1, 121)] + [a_remark(file=None)]

    shown(an_issue(state=State.REJECTED, remarks=remarks), host)

    assert len(service.checks) == 1
    assert [one["start_line"] for one in service.checks[0]["annotations"]] == list(range(1, 121))


def test_a_report_of_any_length_fits(service: GitHub, host: Host) -> None:
    """65,536 characters in a comment, 65,535 in a check."""
    shown(an_issue(summary="long " * 100_000, headline="long " * 1000), host)

    assert len(service.comments[0]["body"]) <= 65_536
    assert len(service.checks[0]["output"]["summary"]) <= 65_535


def test_nothing_that_others_wrote_is_more_than_text(service: GitHub, host: Host) -> None:
    """In a comment, a check, a deployment, or the job's summary."""
    record = StageRecord("v2", rejected=HOSTILE, restored=True)
    release = a_release(ending=Ending.ROLLED_BACK).with_stage("prod", record)
    remarks = [a_remark(text=HOSTILE), replace(a_remark(), title=HOSTILE)]
    issue = an_issue(state=State.ROLLED_BACK, headline=HOSTILE, summary=HOSTILE, remarks=remarks, release=release)

    assert warnings(shown(issue, host)) == []

    summary = Path(host.env["GITHUB_STEP_SUMMARY"]).read_text()
    for text in [service.comments[0]["body"], summary, json.dumps(service.checks), json.dumps(service.deployments)]:
        assert "##vso[" not in text
        assert "\n::error" not in text
    for page in (service.comments[0]["body"], summary):
        assert "<img" not in page
        assert page.count("-->") <= 1
        assert "\n@team" not in page
        assert " @team" not in page


def test_a_fork_without_a_write_token_falls_back_to_the_summary(service: GitHub, host: Host) -> None:
    """It is said, and nothing fails."""
    service.readonly = True

    said = shown(an_issue(), host)

    assert ("shown", "added to the summary of this job") in said
    assert any("GitHub does not let us" in text for text in warnings(said))
    assert "visits:2 serves" in Path(host.env["GITHUB_STEP_SUMMARY"]).read_text()
    assert service.comments == service.checks == []


def test_without_a_token_there_is_the_summary(host: Host) -> None:
    """The step was not given one."""
    said = shown(an_issue(), Host({**host.env, "GITHUB_TOKEN": ""}))

    assert [text for text in warnings(said) if "GITHUB_TOKEN" in text]
    assert Path(host.env["GITHUB_STEP_SUMMARY"]).exists()


def test_a_stage_that_was_deployed_has_a_deployment(service: GitHub, host: Host) -> None:
    """Queued, in progress, success; with where it is asked. Publishing again adds nothing."""
    release = a_release().with_stage("prod", promoted("v2")).with_stage("dev", promoted("v2"))
    issue = an_issue(release=release, stages=[serving("prod", "v2", 2, COMMIT), serving("dev", "v2", 2, COMMIT)])

    shown(issue, host)
    before = len(service.writes())
    shown(issue, host)

    assert [(one["environment"], one["sha"], one["production_environment"]) for one in service.deployments] == [
        ("prod", COMMIT, True), ("dev", COMMIT, False),
    ]  # fmt: skip
    assert [service.told(one) for one in service.deployments] == [["queued", "in_progress", "success"]] * 2
    assert service.statuses[service.deployments[0]["id"]][-1]["environment_url"] == "https://visits.example/score"
    assert not [one for one in service.writes()[before:] if "deployments" in one]


def test_a_deployment_follows_its_rollout(service: GitHub, host: Host) -> None:
    """In progress while it is under way, success when it serves, inactive when another does."""
    under_way = a_release(ending=None).with_stage("prod", StageRecord("v2"))
    done = a_release().with_stage("prod", promoted("v2"))

    shown(an_issue(state=State.RUNNING, release=under_way, stages=[serving("prod", "v1", 1, OLD_COMMIT)]), host)
    first = service.told(service.deployments[0])
    shown(an_issue(release=done, stages=[serving("prod", "v2", 2, COMMIT)]), host)
    second = service.told(service.deployments[0])
    shown(an_issue(release=done, stages=[serving("prod", "v3", 3, OLD_COMMIT)]), host)

    assert first == ["queued", "in_progress"]
    assert second == ["queued", "in_progress", "success"]
    assert service.told(service.deployments[0]) == ["queued", "in_progress", "success", "inactive"]
    assert len(service.deployments) == 1


@pytest.mark.parametrize(
    "record",
    [
        StageRecord("v2", rejected="5% of requests failed", restored=True),
        replace(promoted("v2"), rolled_back="asked for by hand (to v1)"),
    ],
)
def test_a_rollback_is_a_failure_and_a_deployment_of_what_serves_again(
    service: GitHub, host: Host, record: StageRecord
) -> None:
    """Of the old commit, so that the environment's page says what is live."""
    release = a_release(ending=Ending.ROLLED_BACK).with_stage("prod", record)

    shown(an_issue(state=State.ROLLED_BACK, release=release, stages=[serving("prod", "v1", 1, OLD_COMMIT)]), host)

    new, old = service.deployments
    shown(an_issue(state=State.ROLLED_BACK, release=release, stages=[serving("prod", "v1", 1, OLD_COMMIT)]), host)
    assert (new["sha"], service.told(new)) == (COMMIT, ["queued", "in_progress", "failure"])
    assert (old["sha"], service.told(old)) == (OLD_COMMIT, ["queued", "in_progress", "success"])


def test_a_success_that_is_rolled_back_becomes_a_failure(service: GitHub, host: Host) -> None:
    """The same deployment, one state more."""
    done = a_release().with_stage("prod", promoted("v2"))
    taken = a_release().with_stage("prod", replace(promoted("v2"), rolled_back="drift (to v1)"))

    shown(an_issue(release=done, stages=[serving("prod", "v2", 2, COMMIT)]), host)
    shown(an_issue(release=taken, stages=[serving("prod", "v1", 1, OLD_COMMIT)]), host)

    assert service.told(service.deployments[0]) == ["queued", "in_progress", "success", "failure"]


def test_a_job_that_is_bound_to_its_environment_has_its_deployment_already(service: GitHub, host: Host) -> None:
    """GitHub made it, of this run; a second one would only confuse."""
    service.deploy("prod", COMMIT, "https://github.com/team/visits/actions/runs/7/job/1")
    release = a_release().with_stage("prod", promoted("v2"))

    shown(an_issue(release=release, stages=[serving("prod", "v2", 2, COMMIT)]), host)

    assert len(service.deployments) == 1
    assert service.told(service.deployments[0]) == ["in_progress"]


def test_a_deployment_that_cannot_be_made_keeps_nothing_else_back(service: GitHub, host: Host) -> None:
    """The old commit may be of a repository that is no more."""
    record = StageRecord("v2", rejected="errors", restored=True)
    release = a_release(ending=Ending.ROLLED_BACK).with_stage("prod", record).with_stage("dev", promoted("v2"))
    stages = [serving("prod", "v1", 1, "gone"), serving("dev", "v2", 2, COMMIT)]

    said = shown(an_issue(state=State.ROLLED_BACK, release=release, stages=stages), host)

    assert [one["environment"] for one in service.deployments] == ["prod", "dev"]
    assert any("No ref found" in text for _, text in said)


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (Reply(429, {}, {"Retry-After": "7"}), 7.0),
        (Reply(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "9"}), 9.0),
        (Reply(403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795867230"}), 30.0),
        (Reply(429, {}, {"Retry-After": "Sat, 28 Nov 2026 12:00:05 GMT"}), 5.0),
        (Reply(429, {}), 1.0),
    ],
)
def test_a_limit_is_waited_for(service: GitHub, host: Host, reply: Reply, wait: float) -> None:
    """As long as GitHub says, for whatever was asked: nothing had been done."""
    service.faults = [times(1, reply, method="POST", path="/comments")]
    clock = StoppedClock()

    assert warnings(shown(an_issue(), host, clock)) == []

    assert clock.waited == [wait]
    assert len(service.comments) == 1


def test_no_limit_is_waited_for_longer_than_a_minute(service: GitHub, host: Host) -> None:
    """A CI's minutes cost money; the report is in the summary."""
    service.faults = [times(99, Reply(429, {}, {"Retry-After": "3600"}), path="/comments")]
    clock = StoppedClock()

    said = shown(an_issue(), host, clock)

    assert clock.waited == []
    assert any("not available" in text for text in warnings(said))
    assert len(service.checks) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_is_tried_again_where_that_changes_nothing(service: GitHub, host: Host, status: int) -> None:
    """Reading, and writing the same into the same place."""
    service.comment(with_marker(Marker(KEY, COMMIT, 1), "old"))
    service.faults = [
        times(2, Reply(status, {}), method="GET", path="/comments"),
        times(1, Reply(status, {}), method="PATCH", path="/comments"),
    ]

    assert warnings(shown(an_issue(), host)) == []
    assert "old" not in service.comments[0]["body"].partition("\n")[2][:5]


def test_a_comment_is_not_made_twice_because_the_answer_was_lost(service: GitHub, host: Host) -> None:
    """It may have been made; the next report will find it."""
    service.faults = [times(1, Reply(502, {}), method="POST", path="/comments")]

    said = shown(an_issue(), host)

    assert [one for one in service.writes() if "/comments" in one] == ["POST /repos/team/visits/issues/17/comments"]
    assert len(warnings(said)) == 1


def test_a_host_that_is_away_is_tried_again(host: Host) -> None:
    """Nothing was heard, so nothing was done; after five times it is said."""
    clock = StoppedClock()
    away = Host({**host.env, "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_GRAPHQL_URL": ""})

    said = shown(an_issue(), away, clock)

    assert clock.waited == [1.0, 2.0, 4.0, 8.0] * 2
    assert all("does not answer" in text for text in warnings(said))
    assert len(warnings(said)) == 2


def test_a_renamed_repository_is_followed_on_its_own_host(service: GitHub, host: Host) -> None:
    """As GitHub redirects from the old name."""
    moved = Reply(301, {}, {"Location": f"{service.url}/repos/team/visits/issues/17/comments"})
    service.faults = [times(1, moved, method="GET", path="/repos/team/visits/issues")]

    assert warnings(shown(an_issue(), host)) == []
    assert len(service.comments) == 1


def test_no_redirect_takes_the_token_elsewhere(service: GitHub, host: Host) -> None:
    """Not to another port, either."""
    with github() as other:
        away = Reply(301, {}, {"Location": f"{other.url}/repos/team/visits/issues/17/comments"})
        link = Reply(200, [], {"Link": f'<{other.url}/x?page=2>; rel="next"'})
        service.faults = [
            times(1, away, path="/issues/17/comments"),
            times(1, link, path="/check-runs"),
        ]
        said = shown(an_issue(), host)

    assert other.asked == []
    assert len(warnings(said)) == 2


@pytest.mark.parametrize(
    "url", ["http://api.github.com", "https://user@api.github.com", "ftp://x", "", "http://[", "x"]
)
def test_a_token_travels_by_https_only(host: Host, url: str) -> None:
    """Whatever GITHUB_API_URL was made to say. Loopback is this machine."""
    said = shown(an_issue(), Host({**host.env, "GITHUB_API_URL": url or "x:"}))

    assert any("cannot be used" in text for text in warnings(said))


def test_a_page_instead_of_an_answer_is_no_answer(service: GitHub, host: Host) -> None:
    """Of a proxy, or of an outage."""
    service.faults = [times(99, Reply(200, page="<html>maintenance</html>"))]

    said = shown(an_issue(), host)

    assert len(warnings(said)) == 2
    assert service.comments == []


def test_the_token_is_in_no_word_of_ours(service: GitHub, host: Host) -> None:
    """Whatever goes wrong, and whatever GitHub repeats of it."""
    service.faults = [times(99, Reply(422, {"message": f"bad header: Bearer {TOKEN}"}))]

    said = shown(an_issue(), host)

    assert warnings(said)
    assert not any(TOKEN in text for _, text in said)
