"""Our Azure DevOps templates, run: what a pull request, a merge, a cancelled and a superseded build come to.

The files are those that `ctrain init` writes; see test_github_stories.py, whose stories these are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.runner.azure_pipelines import Build, Check
from tests.ci.runner.stories import OnDevOps, on_devops, until
from tests.ci.runner.test_github_stories import NASTY, SLOW, WORSE
from tests.ci.services.devops import NUMBER, devops
from tests.ci.services.devops import DevOps as DevOpsService

pytestmark = [pytest.mark.e2e]
long = pytest.mark.long


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """The environments that a person was asked for."""
    return []


@pytest.fixture(scope="module")
def service() -> Iterator[DevOpsService]:
    """Azure DevOps' REST API."""
    with devops() as made:
        yield made
        assert not made.complaints


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, service: DevOpsService, asked: list[str]) -> Iterator[OnDevOps]:
    """A repository with its own copy of the building blocks; prod asks a person, one build at a time."""

    def yes(build: Build, environment: str) -> bool:
        asked.append(environment)
        return True

    made = on_devops(tmp_path_factory.mktemp("user"), service, environments={"prod": Check(yes, exclusive=True)})
    yield made
    made.repository.down()


def ended(build: Build, result: str) -> Build:
    assert build.wait().result == result, build.text()
    return build


def ran(build: Build) -> dict[str, str]:
    return {name: job.result for name, job in build.jobs.items()}


def test_01_a_pull_request_trains_on_a_sample_and_deploys_nothing(story: OnDevOps, service: DevOpsService) -> None:
    """One job, whose outputs say it; one thread and one status; the branch's name is a name."""
    story.change(NASTY, "factor: 0.9", "factor: 0.8")

    (build,) = story.hub.pull_request(NUMBER, NASTY)

    ended(build, "Succeeded")
    assert ran(build) == {"train.train": "Succeeded"}
    told = build.jobs["train.train"].outputs
    assert (told["gate.verdict"], told["gate.stages"]) == ("pass", "[]")
    assert told["train.release"].startswith("pull-request-")
    assert set(story.repository.serving().values()) == {None}
    assert not list(build.folder.rglob("pwned"))
    assert build.jobs["train.train"].log.refused == []
    assert len(service.standing()) == 1
    assert {one["state"] for one in service.statuses} == {"succeeded"}
    assert len(build.jobs["train.train"].log.summaries) == 1
    assert [title for title, _ in build.tests] == ["ctrain train"]


def test_02_a_merge_goes_through_every_stage(story: OnDevOps, asked: list[str]) -> None:
    """A deployment for each, in the environment of its name; the approval is asked before prod."""
    (build,) = story.hub.push()

    ended(build, "Succeeded")
    assert ran(build) == {"train.train": "Succeeded", "dev.deploy": "Succeeded", "prod.deploy": "Succeeded"}
    assert story.repository.serving() == {"dev": 1, "prod": 1}
    assert [(name, how) for name, _, how in story.hub.deployments] == [("dev", "Succeeded"), ("prod", "Succeeded")]
    assert asked == ["prod"]
    artifacts = {file.name for file in build.artifacts.iterdir()}
    assert artifacts == {"ctrain-report-train-1", "ctrain-report-dev-1", "ctrain-report-prod-1"}


@long
def test_03_the_same_commit_again_changes_nothing(story: OnDevOps) -> None:
    """A schedule without new data trains nothing."""
    before = story.repository.kinds().count("trained")
    cron = story.hub.builds[0].pipeline["schedules"][0]["cron"]

    (build,) = story.hub.schedule(cron)

    ended(build, "Succeeded")
    assert story.repository.kinds().count("trained") == before > 0


@long
def test_04_a_rejected_model_goes_nowhere(story: OnDevOps) -> None:
    """The build fails, and no stage that deploys begins. What serves, serves on."""
    story.repository.edit("code/train.py", *WORSE)

    (build,) = story.hub.push()

    ended(build, "Failed")
    assert ran(build) == {"train.train": "Failed"}
    assert build.jobs["train.train"].outputs["gate.verdict"] == "fail"
    assert {name: one.result for name, one in build.stages.items()} == {
        "train": "Failed",
        "dev": "Skipped",
        "prod": "Skipped",
    }
    assert story.repository.serving() == {"dev": 1, "prod": 1}


@long
def test_05_an_undecided_pull_request_is_neutral(story: OnDevOps) -> None:
    """It fails nobody."""
    story.repository.edit("code/train.py", WORSE[1], WORSE[0])
    story.change("unsure", "floor: 0.6", "floor: 0.88")

    (build,) = story.hub.pull_request(2, "unsure")

    ended(build, "Succeeded")
    told = build.jobs["train.train"].outputs
    assert (told["gate.verdict"], told["gate.state"]) == ("inconclusive", "inconclusive")


@long
def test_06_a_newer_build_of_a_pull_request_cancels_the_older_one(tmp_path: Path, service: DevOpsService) -> None:
    """The signal does not reach ctrain here; the clean-up job does what `on_cancel` says."""
    story = on_devops(tmp_path, service, changed={"code/train.py": SLOW})
    try:
        story.change("change", "factor: 0.9", "factor: 3.0")
        (first,) = story.hub.pull_request(1, "change")
        until(lambda: "submitting" in story.repository.kinds())

        first.cancel()

        ended(first, "Canceled")
        assert ran(first)["train.cancelled"] == "Succeeded"
        assert "cancelling" in story.repository.kinds()
    finally:
        story.repository.down()


@long
@pytest.mark.parametrize("once", ["submitting", "placing", "shifting"])
def test_07_a_cancelled_build_ends_as_an_undisturbed_one_when_it_is_run_again(
    tmp_path: Path, service: DevOpsService, once: str
) -> None:
    """Cancelled in the middle of the training, or of a deployment; then "rerun failed jobs"."""
    story = on_devops(tmp_path, service, changed={"code/train.py": SLOW} if once == "submitting" else None)
    try:
        story.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.6")
        (build,) = story.hub.push()
        until(lambda: once in story.repository.kinds())
        build.cancel()
        ended(build, "Canceled")

        ended(story.hub.rerun_failed(build), "Succeeded")

        assert story.repository.serving() == {"dev": 1, "prod": 1}
        assert story.repository.champion() == 1
        assert story.repository.kinds().count("registered") == 1
    finally:
        story.repository.down()


@long
def test_08_a_training_that_outlives_its_job_is_carried_on_by_the_next(tmp_path: Path, service: DevOpsService) -> None:
    """The job ends in time, says `running`, and costs no second training."""
    story = on_devops(tmp_path, service, changed={"code/train.py": SLOW})
    try:
        story.repository.edit("azure-pipelines.yml", "    backend: local", "    backend: local\n    deadline: 4s")
        story.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 1.2")

        (build,) = story.hub.push()

        ended(build, "Succeeded")
        assert build.jobs["train.train"].outputs["train.state"] == "running"
        assert ran(build)["train.train_2"] == "Succeeded"
        assert story.repository.kinds().count("trained") == 1
        assert story.repository.serving() == {"dev": 1, "prod": 1}
    finally:
        story.repository.down()
