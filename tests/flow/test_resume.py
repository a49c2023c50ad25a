"""Going on with what was left open: by its own plan, from wherever it has come to, and only where that is sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.errors import Conflict, UsageError
from ctrain.events import Closed, Event
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal, News
from ctrain.flow.open_release import open_release
from ctrain.flow.resume import resume, to_resume
from ctrain.plan import Plan
from ctrain.project import Project, Trigger, load_project
from ctrain.release import Ending, Release
from ctrain.serving import ScoringCode
from ctrain.version import Source
from tests.builders import COMMIT, a_plan, a_stage, a_version
from tests.memory import MemoryBackend

REFERENCE = Path(__file__).parents[2] / "pipelines" / "ctrain.yaml"
OTHER = "c0ffee0" + COMMIT[7:]


class Cut(BaseException):
    """What a signal is to a run."""


@pytest.fixture
def project() -> Project:
    return replace(load_project(REFERENCE), name="visits")


def planned(project: Project, plan: Plan | None = None) -> Plan:
    return replace(plan or a_plan(), policy=project.policy_digest)


def cut_off(plan: Plan, world: MemoryBackend, after: int) -> str | None:
    """Run until so many events have happened; the release's id, or None where it came to its end before."""
    told: list[str] = []

    def tell(news: News) -> None:
        if isinstance(news, Event):
            told.append(news.release)
            if len(told) == after:
                raise Cut

    journal = Journal(world.ports, "the first run", tell)
    try:
        deliver(plan, journal)
    except Cut:
        return told[0]
    finally:
        journal.unlock_all()
    return None


def went_on(world: MemoryBackend, project: Project, name: str) -> Release:
    journal = Journal(world.ports, "another machine", lambda _: None)
    try:
        return resume(journal.read_again(name), project, journal)
    finally:
        journal.unlock_all()


def test_a_run_that_was_cut_off_at_any_moment_is_finished(tmp_path: Path, project: Project) -> None:
    """Training, judged, registered, amid a rollout: the end is that of a run that nothing disturbed."""
    from tests.builders import outputs

    for after in range(1, 60):
        world = MemoryBackend(tmp_path / str(after), outputs())
        name = cut_off(planned(project), world, after)
        if name is None:
            assert after > 20
            return
        assert went_on(world, project, name).ending is Ending.DELIVERED, f"cut off after {after} events"
        assert len(world.trainer.runs) == len(world.registry.made["visits"]) == 1
        assert list(world.ledger.releases()) == [name]
    raise AssertionError("it never came to its end")


def test_what_was_delivered_is_left_as_it_is(world: MemoryBackend, project: Project) -> None:
    """There is nothing to do, and nothing is written."""
    release = deliver(planned(project), journal := Journal(world.ports, "a test", lambda _: None))
    journal.unlock_all()
    before = world.writes

    assert went_on(world, project, release.id).ending is Ending.DELIVERED
    assert world.writes == before


def test_another_policy_is_refused(world: MemoryBackend, project: Project) -> None:
    """What was to be proven by one set of rules is not finished under another, and nothing is changed."""
    name = cut_off(planned(project), world, 3)
    before = world.writes
    changed = replace(project, stages=project.stages[:1])

    with pytest.raises(UsageError, match="not those it was planned with"):
        went_on(world, changed, str(name))
    assert world.writes == before


def test_another_champion_is_refused(world: MemoryBackend, project: Project) -> None:
    """It was judged, or would be, against one that serves no more."""
    name = cut_off(planned(project), world, 3)
    world.registry.champions["visits"] = a_version(7, digest="another")

    with pytest.raises(Conflict, match="the champion has changed"):
        went_on(world, project, str(name))


def test_a_job_that_was_not_submitted_is_not_submitted_with_other_code(world: MemoryBackend, project: Project) -> None:
    """The job is named by its fingerprint: other code under that name would be a lie."""
    plan = planned(project)
    plan = replace(plan, identity=replace(plan.identity, code="0ther"))
    name = cut_off(plan, world, 1)

    with pytest.raises(UsageError, match="the pipeline's code"):
        went_on(world, project, str(name))
    assert world.trainer.runs == {}


def test_a_submitted_job_has_its_code(world: MemoryBackend, project: Project) -> None:
    """What is checked out here does not matter any more."""
    plan = planned(project)
    plan = replace(plan, identity=replace(plan.identity, code="0ther"))
    name = cut_off(plan, world, 3)

    assert went_on(world, project, str(name)).ending is Ending.DELIVERED


def opened(world: MemoryBackend, plan: Plan, *, ended: bool = False) -> str:
    journal = Journal(world.ports, "a test", lambda _: None)
    release = open_release(plan, journal)
    if ended:
        journal.record(release.id, Closed(Ending.REJECTED, "a test"))
    journal.unlock_all()
    world.clock.sleep(60)
    return release.id


def chosen(world: MemoryBackend, commit: str = COMMIT, trigger: Trigger | None = None) -> str | None:
    release = to_resume(Source(commit=commit), world.ports, trigger=trigger)
    return release.id if release else None


def test_this_commits_newest_open_release_is_the_one(world: MemoryBackend) -> None:
    """Whatever is open elsewhere, and newer."""
    mine = opened(world, a_plan())
    opened(world, a_plan(commit=OTHER))

    assert chosen(world) == mine


def test_else_it_is_the_newest_open_one(world: MemoryBackend) -> None:
    """Of whatever commit: a scheduled job finishes what a merge began."""
    opened(world, a_plan())
    other = opened(world, a_plan(trigger=Trigger.MANUAL))
    opened(world, a_plan(trigger=Trigger.SCHEDULE), ended=True)

    assert chosen(world, OTHER) == other


def test_what_a_newer_release_of_the_same_replaced_is_not_gone_on_with(world: MemoryBackend) -> None:
    """`run` began anew; the older one stays open for ever, and says nothing any more."""
    opened(world, a_plan())
    opened(world, a_plan(parameters={"trees": 3}), ended=True)

    assert chosen(world) is None


def test_a_pull_request_goes_on_with_its_own_only(world: MemoryBackend) -> None:
    """It must not deploy what was merged, be it of the same commit."""
    opened(world, a_plan())

    assert chosen(world, trigger=Trigger.PULL_REQUEST) is None
    mine = opened(world, a_plan(trigger=Trigger.PULL_REQUEST))
    assert chosen(world, trigger=Trigger.PULL_REQUEST) == mine


def test_one_that_its_champion_keeps_from_going_on_is_passed_over(world: MemoryBackend) -> None:
    """A scheduled job must not fail for ever over one release that nobody will finish."""
    opened(world, a_plan())
    world.registry.champions["visits"] = a_version(7, digest="another")

    assert chosen(world, OTHER) is None
    assert chosen(world) is not None


def test_a_plan_can_be_walked_where_the_checkout_is_elsewhere() -> None:
    """The pipeline, the data beside it and the scoring code are found there; what was outside stays where it was."""
    stage = a_stage("dev")
    scoring = ScoringCode("/project/scoring", "score.py", "azureml:plain:1")
    stage = replace(stage, deployment=replace(stage.deployment, scoring=scoring))
    moved = a_plan(stages=[stage]).moved("/runner/work")

    assert (moved.root, moved.pipeline) == ("/runner/work", "/runner/work/train.yml")
    assert moved.deploys[0].stage.deployment.scoring == replace(scoring, code="/runner/work/scoring")
    assert moved.data.uri == "/data/visits.parquet"
