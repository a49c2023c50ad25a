"""An older commit never overwrites a newer one, however the runs came to be in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ctrain.errors import Conflict
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.ordering import is_older
from ctrain.flow.roll_back import roll_back
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.rollout import RolloutSettings, Stage, live
from tests.builders import DEV, PROD, a_plan, a_stage, outputs
from tests.memory import MemoryBackend

SECOND = "2026-02-02T00:00:00+00:00"


class Story:
    """Commits in the order in which they were made; each trains another model."""

    def __init__(self, world: MemoryBackend) -> None:
        self.world = world

    def plan(self, number: int, committed: str | None = None, stages: Sequence[Stage] = (DEV, PROD)) -> Plan:
        self.world.clock.sleep(60)
        self.world.trainer.outputs = outputs(quality=1 - number / 1000, champion=1.0)
        champion = self.world.registry.champion("visits")
        plan = a_plan(commit=f"{number}" * 40, parameters={"n": number}, champion=champion, stages=stages)
        told = f"2026-01-0{number}T00:00:00+00:00" if committed is None else committed
        return replace(plan, source=replace(plan.source, committed=told))

    def run(self, plan: Plan) -> Release:
        journal = Journal(self.world.ports, "a test", lambda _: None)
        try:
            return deliver(plan, journal)
        finally:
            journal.unlock_all()

    def delivered(self, number: int, committed: str | None = None, stages: Sequence[Stage] = (DEV, PROD)) -> Release:
        release = self.run(self.plan(number, committed, stages))
        assert release.ending is Ending.DELIVERED, release.why
        return release

    def rolled_back(self, stage: Stage) -> None:
        journal = Journal(self.world.ports, "a person", lambda _: None)
        roll_back(stage, "complaints", journal, last=stage is PROD)
        journal.unlock_all()


@pytest.fixture
def story(world: MemoryBackend) -> Story:
    return Story(world)


@pytest.mark.parametrize("committed", [None, SECOND, ""], ids=["by time", "in one second", "unknown"])
def test_a_late_run_of_an_older_commit_stops(story: Story, committed: str | None) -> None:
    """Also where git's times don't tell: then the commit that first had a release is the older one."""
    first = story.plan(1, committed, stages=[DEV])
    with pytest.raises(KeyError):
        cut_off(story, first)
    story.delivered(2, committed)
    story.world.trainer.outputs = outputs(quality=0.9, champion=1.0)
    late = replace(story.plan(1, committed), fresh=True)

    with pytest.raises(Conflict, match="serves a newer commit than 1111111"):
        story.run(late)
    assert story.run(replace(late, allow_older=True)).ending is Ending.DELIVERED


def cut_off(story: Story, plan: Plan) -> None:
    """A run that ends once its release is opened."""

    def tell(_: object) -> None:
        raise KeyError

    journal = Journal(story.world.ports, "a test", tell)
    try:
        deliver(plan, journal)
    finally:
        journal.unlock_all()


@pytest.mark.parametrize("committed", [None, SECOND, ""], ids=["by time", "in one second", "unknown"])
def test_newer_commits_follow_each_other(story: Story, committed: str | None) -> None:
    """One after another, whatever git says of their times."""
    for number in (1, 2, 3):
        story.delivered(number, committed)


def test_an_older_commit_does_not_come_in_by_a_rollback(story: Story) -> None:
    """Who rolled the newer one back decided what serves; a run that is run again did not."""
    story.delivered(1)
    story.delivered(3)
    story.rolled_back(PROD)

    with pytest.raises(Conflict, match="had a newer commit than 2222222") as refused:
        story.run(story.plan(2, stages=[PROD]))
    assert "rolled back since: complaints" in refused.value.why
    story.delivered(4, stages=[PROD])


def test_an_older_commit_does_not_come_in_amid_a_newer_ones_canary(story: Story) -> None:
    """It was cut off with part of the traffic; who comes is told to finish it, or to take it back."""
    canary = replace(a_stage("prod"), rollout=RolloutSettings("canary", (10, 100), "0s"))
    story.delivered(1, stages=[PROD])
    with pytest.raises(KeyError):
        cut_off_at(story, story.plan(3, stages=[canary]), share=10)
    assert sorted(live(story.world.serving.endpoints["visits-prod"].traffic).values()) == [10, 90]

    with pytest.raises(Conflict, match="is on its way to prod") as refused:
        story.run(story.plan(2, stages=[canary]))
    assert "ctrain rollout abort prod" in refused.value.hint


def cut_off_at(story: Story, plan: Plan, share: int) -> None:
    """A run that ends once its version has that share."""

    def tell(news: object) -> None:
        what = getattr(news, "what", None)
        if getattr(what, "kind", "") == "shifted" and share in what.traffic.values():  # type: ignore[union-attr]
            raise KeyError

    journal = Journal(story.world.ports, "a test", tell)
    try:
        deliver(plan, journal)
    finally:
        journal.unlock_all()


def test_the_last_stage_is_refused_where_only_the_first_ones_were_still_free(story: Story) -> None:
    """One commit took dev, another one, newer, went by to prod: the older one gets no further."""
    waiting = replace(PROD, approval="required")
    older = story.run(story.plan(1, stages=[DEV, waiting]))
    assert older.waits_for == "prod"
    story.delivered(2, stages=[PROD])
    journal = Journal(story.world.ports, "a person", lambda _: None)

    from ctrain.flow.deploy import deploy

    with pytest.raises(Conflict):
        deploy(journal.read_again(older.id), older.plan.deploys[1], journal)


def test_the_same_commit_is_not_older_than_itself(story: Story) -> None:
    """Another trigger's release of it, or a fresh one."""
    one = story.delivered(1, "")
    again = story.run(replace(story.plan(1, ""), fresh=True))

    assert not is_older(one, again, story.world.ledger)
    assert not is_older(again, one, story.world.ledger)
