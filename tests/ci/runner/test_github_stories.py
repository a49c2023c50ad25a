"""Our GitHub workflows, run: what a pull request, a merge, a cancelled and a superseded run come to.

The files are those that `ctrain init` writes. The runs share one platform, the local one, as the jobs of a real run
share Azure ML.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runner.github_run import Run
from tests.ci.runner.stories import BLOCKS, OnGitHub, on_github, until
from tests.ci.services.github import NUMBER, github
from tests.ci.services.github import GitHub as GitHubService
from tests.e2e.tiny import TRAINING

pytestmark = [pytest.mark.e2e]
long = pytest.mark.long

NASTY = 'fix/$(touch${IFS}pwned);"`touch${IFS}pwned`'
"""A branch that git allows."""
SLOW = TRAINING.replace('print("training', 'import time\ntime.sleep(float(factor) * 10)\nprint("training')
WORSE = ('f"{name},{x},{label},{x * float(factor)}', 'f"{name},{x},{label},{-x * float(factor)}')


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """The environments that a person was asked for."""
    return []


@pytest.fixture(scope="module")
def service() -> Iterator[GitHubService]:
    """GitHub's REST API, which knows each job's token and what it may."""
    with github() as made:
        yield made
        assert not made.complaints


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, service: GitHubService, asked: list[str]) -> Iterator[OnGitHub]:
    """A repository with ctrain's building blocks published elsewhere; prod asks a person."""

    def yes(job: Any) -> bool:
        asked.append(job.environment_name)
        return True

    made = on_github(tmp_path_factory.mktemp("user"), service, "--blocks", BLOCKS, environments={"prod": yes})
    yield made
    made.repository.down()


def ended(run: Run, conclusion: str) -> Run:
    assert run.wait().conclusion == conclusion, run.text()
    return run


def ran(run: Run) -> dict[str, str]:
    """The jobs that had a machine, by their path without the parts that are always there, and how each ended."""
    return {name.removeprefix("ctrain/").removesuffix("/ctrain"): job.result for name, job in run.jobs.items()}


def test_01_a_pull_request_trains_on_a_sample_and_deploys_nothing(story: OnGitHub, service: GitHubService) -> None:
    """One job, whose outputs say it; one comment and one check; the branch's name is a name."""
    story.change(NASTY, "factor: 0.9", "factor: 0.8")

    (run,) = story.hub.pull_request(NUMBER, NASTY, title="::error::$(touch pwned)")

    ended(run, "success")
    assert ran(run) == {"train": "success"}
    told = run.jobs["ctrain/train/ctrain"]
    assert (told.outputs["verdict"], told.outputs["stages"]) == ("pass", "[]")
    release = story.repository.ctrain("show", told.outputs["release"], "--json").document["release"]["release"]
    assert release["plan"]["trigger"] == "pull_request"
    assert 0 < release["rows"] < 80
    assert set(story.repository.serving().values()) == {None}
    assert not list(run.folder.rglob("pwned"))
    assert len(service.comments) == 1
    assert [(one["conclusion"], one["head_sha"]) for one in service.checks] == [("success", story.hub.commit(NASTY))]
    assert "ctrain" in told.summary
    assert (run.artifacts / "ctrain-report-train" / "ctrain-report.html").is_file()


def test_02_a_merge_goes_through_every_stage(story: OnGitHub, asked: list[str]) -> None:
    """A job for each, in the environment of its name; the approval is asked before prod, and nothing but the id is
    handed on."""
    (run,) = story.hub.push()

    ended(run, "success")
    assert ran(run) == {"train": "success", "stage-1": "success", "stage-2": "success"}
    assert story.repository.serving() == {"dev": 1, "prod": 1}
    assert [(one.environment, one.state) for one in story.hub.deployments] == [("dev", "success"), ("prod", "success")]
    assert all(one.url.startswith("http://127.0.0.1") for one in story.hub.deployments)
    assert asked == ["prod"]
    assert not (run.jobs["ctrain/stage-1/ctrain"].workspace / ".ctrain").exists()


@long
def test_03_the_same_commit_again_changes_nothing(story: OnGitHub) -> None:
    """A schedule without new data: no job beyond the training's, which trains nothing."""
    before = story.repository.kinds().count("trained")
    cron = story.hub.runs[0].workflow.on["schedule"][0]["cron"]

    (run,) = story.hub.schedule(cron)

    ended(run, "success")
    assert story.repository.kinds().count("trained") == before > 0


@long
def test_04_a_rejected_model_goes_nowhere(story: OnGitHub) -> None:
    """The run fails, and no job that deploys has a machine. What serves, serves on."""
    story.repository.edit("code/train.py", *WORSE)

    (run,) = story.hub.push()

    ended(run, "failure")
    assert ran(run) == {"train": "failure"}
    assert run.jobs["ctrain/train/ctrain"].outputs["verdict"] == "fail"
    assert story.repository.serving() == {"dev": 1, "prod": 1}
    assert run.jobs["ctrain/train/ctrain"].log.opened == 0


@long
def test_05_an_undecided_pull_request_is_neutral(story: OnGitHub, service: GitHubService) -> None:
    """It fails nobody: too few rows on a sample are no fault of the change."""
    story.repository.edit("code/train.py", WORSE[1], WORSE[0])
    story.change("unsure", "floor: 0.6", "floor: 0.88")

    (run,) = story.hub.pull_request(2, "unsure")

    ended(run, "success")
    told = run.jobs["ctrain/train/ctrain"].outputs
    assert (told["verdict"], told["state"]) == ("inconclusive", "inconclusive")
    assert service.checks[-1]["conclusion"] == "neutral"


@long
def test_06_drift_starts_a_release_by_name(story: OnGitHub) -> None:
    """`repository_dispatch` of the type drift; one of another type starts nothing."""
    assert story.hub.repository_dispatch("lunch") == []

    (run,) = story.hub.repository_dispatch("drift", why="scores moved")

    ended(run, "success")
    release = run.jobs["ctrain/train/ctrain"].outputs["release"]
    assert release.startswith("drift-")


@long
def test_07_a_newer_push_to_a_pull_request_cancels_the_older_run(tmp_path: Path, service: GitHubService) -> None:
    """The older one's training is stopped by the clean-up job, as `on_cancel` says for pull requests."""
    story = on_github(tmp_path, service, changed={"code/train.py": SLOW})
    try:
        story.change("change", "factor: 0.9", "factor: 3.0")
        (first,) = story.hub.pull_request(1, "change")
        until(lambda: "submitting" in story.repository.kinds())
        story.repository.git("checkout", "--quiet", "change")
        story.repository.edit("ctrain.yaml", "factor: 3.0", "factor: 0.1")
        story.repository.git("checkout", "--quiet", "main")

        (second,) = story.hub.pull_request(1, "change", action="synchronize")

        ended(first, "cancelled")
        assert ran(first)["cancelled"] == "success"
        assert _job_of(story, "pull-request", 0)["status"] == "Canceled"
        ended(second, "success")
    finally:
        story.repository.down()


@long
@pytest.mark.parametrize("once", ["submitting", "placing", "shifting"])
def test_08_a_cancelled_run_ends_as_an_undisturbed_one_when_it_is_run_again(
    tmp_path: Path, service: GitHubService, once: str
) -> None:
    """Cancelled in the middle of the training, or of a deployment; then "re-run failed jobs"."""
    story = on_github(tmp_path, service, changed={"code/train.py": SLOW} if once == "submitting" else None)
    try:
        story.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.6")
        (run,) = story.hub.push()
        until(lambda: once in story.repository.kinds())
        run.cancel()
        ended(run, "cancelled")
        assert story.repository.champion() is None

        ended(story.hub.rerun_failed(run), "success")

        assert story.repository.serving() == {"dev": 1, "prod": 1}
        assert story.repository.champion() == 1
        assert story.repository.kinds().count("registered") == 1
    finally:
        story.repository.down()


@long
def test_09_a_training_that_outlives_its_job_is_carried_on_by_the_next(tmp_path: Path, service: GitHubService) -> None:
    """The job ends in time, says `running`, and costs no second training."""
    story = on_github(tmp_path, service, changed={"code/train.py": SLOW})
    try:
        story.repository.edit(
            ".github/workflows/training.yml", "      backend: local", "      backend: local\n      deadline: 4s"
        )
        story.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 1.2")

        (run,) = story.hub.push()

        ended(run, "success")
        assert run.jobs["ctrain/train/ctrain"].outputs["state"] == "running"
        assert ran(run)["train-2"] == "success"
        assert story.repository.kinds().count("trained") == 1
        assert story.repository.serving() == {"dev": 1, "prod": 1}
    finally:
        story.repository.down()


@long
def test_10_of_two_merges_the_newer_one_stays(tmp_path: Path, service: GitHubService) -> None:
    """They run side by side: one waits for the other's lock, and an older commit never takes a newer one's place."""
    story = on_github(tmp_path, service, changed={"code/train.py": SLOW})
    try:
        (older,) = story.hub.push()
        until(lambda: "submitting" in story.repository.kinds())
        story.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.3")

        (newer,) = story.hub.push()

        ended(newer, "success")
        older.wait()
        last = newer.jobs["ctrain/stage-2/ctrain"].outputs["model"]
        assert story.repository.champion() == int(last.partition(":")[2])
        assert set(story.repository.serving().values()) == {story.repository.champion()}
    finally:
        story.repository.down()


def _job_of(story: OnGitHub, trigger: str, place: int) -> dict[str, Any]:
    told = story.repository.ctrain("history", "--json").document["history"]
    names = [one["release"] for one in reversed(told) if one["release"].startswith(trigger)]
    shown: dict[str, Any] = story.repository.ctrain("show", names[place], "--json").document["release"]["release"]
    return dict(shown["training"] or {})
