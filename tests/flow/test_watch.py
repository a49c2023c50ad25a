"""Rollouts that are watched: canary steps, a bake after the switch, mirrored traffic; and what is caught there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from ctrain.bake import BakeSettings
from ctrain.errors import Conflict, ExitCode
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.rollout import RolloutSettings, Stage, live
from ctrain.serving import Answer, DeploymentSpec, Request
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend, Model, echo

JUDGE = BakeSettings(errors=0.05, changed=0.2, per_second=2.0, min_requests=20, false_alarms=0.01)
CANARY = RolloutSettings("canary", steps=(10, 50, 100), bake="60s", judge=JUDGE)
BLUE_GREEN = RolloutSettings("blue_green", bake="60s", judge=JUDGE)


def prod(rollout: RolloutSettings) -> Stage:
    return replace(PROD, rollout=rollout)


@pytest.fixture
def served(world: MemoryBackend, run: Run) -> MemoryBackend:
    """Version 1 serves prod."""
    assert run(a_plan(stages=[PROD])).ending is Ending.DELIVERED
    return world


def second(world: MemoryBackend, run: Run, rollout: RolloutSettings) -> Release:
    """A second release, with another model."""
    return run(second_plan(world, rollout))


def second_plan(world: MemoryBackend, rollout: RolloutSettings) -> Plan:
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    champion = world.registry.champion("visits")
    return a_plan(stages=[prod(rollout)], commit="c" * 40, champion=champion)


def splits(world: MemoryBackend, release: Release) -> list[dict[str, int]]:
    """The splits that the release set, with versions for names."""
    told = [event.what for event in world.ledger.events(release.id)]
    return [
        {name.partition("-")[0]: percent for name, percent in live(what.traffic).items()}
        for what in told
        if what.kind == "shifted"
    ]


def kinds(world: MemoryBackend, release: Release) -> list[str]:
    return [event.what.kind for event in world.ledger.events(release.id)]


def breaks(world: MemoryBackend, when: Callable[[int], bool], answer: Callable[[Answer], Answer]) -> Model:
    """The newest version answers otherwise, from the request on for which `when` says so."""
    asked = count()

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        said = echo(spec, request)
        return answer(said) if spec.model_version == 2 and when(next(asked)) else said

    return model


def test_a_canary_goes_by_its_steps(served: MemoryBackend, run: Run) -> None:
    """10, 50, 100, each watched; the promotion takes as long as was said."""
    began = served.clock.monotonic()

    release = second(served, run, CANARY)

    assert release.ending is Ending.DELIVERED
    assert splits(served, release) == [{"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}, {"v2": 100}]
    assert sorted(release.stages["prod"].watched) == [10, 50, 100]
    assert served.clock.monotonic() - began >= CANARY.at_least == 180


def test_the_first_release_of_a_stage_is_not_kept_waiting(world: MemoryBackend, run: Run) -> None:
    """Nothing serves that could be hurt, and nothing to compare with."""
    release = run(a_plan(stages=[prod(CANARY)]))

    assert release.ending is Ending.DELIVERED
    assert splits(world, release) == [{"v1": 100}]
    assert "watching" not in kinds(world, release)


def test_a_canary_that_fails_gives_the_traffic_back(served: MemoryBackend, run: Run) -> None:
    """It passed its smoke tests, and breaks under traffic: at 10% it is caught, and prod serves what it served."""
    served.serving.model = breaks(served, lambda asked: asked > 30, lambda said: replace(said, status=500))

    release = second(served, run, CANARY)

    assert release.ending is Ending.ROLLED_BACK
    assert release.ending.exit_code is ExitCode.ROLLED_BACK
    assert splits(served, release) == [{"v1": 90, "v2": 10}, {"v1": 100}]
    assert "failed, at most 5.0% may" in release.why
    assert len(served.serving.endpoints[PROD.endpoint].deployments) == 1


def test_answers_that_change_are_caught_after_the_switch(served: MemoryBackend, run: Run) -> None:
    """Blue and green: all of the traffic at once, then the bake; what it answers is held against the old one's."""
    served.serving.model = breaks(served, lambda asked: asked > 60, lambda said: replace(said, body=b"[7.0]"))

    release = second(served, run, BLUE_GREEN)

    assert release.ending is Ending.ROLLED_BACK
    assert splits(served, release) == [{"v2": 100}, {"v1": 100}]
    assert "differ from the old deployment's" in release.why


def test_too_few_answers_are_no_pass(served: MemoryBackend, run: Run) -> None:
    """No data is inconclusive, and what is inconclusive is not promoted."""
    release = second(served, run, replace(BLUE_GREEN, judge=replace(JUDGE, min_requests=100_000)))

    assert release.ending is Ending.ROLLED_BACK
    assert "100000 answers are asked for" in release.why


def test_a_watch_that_leaves_a_doubt_goes_on(served: MemoryBackend, run: Run) -> None:
    """Every third answer fails. When the time is over that is no proof, and no pass: some more answers prove it."""
    short = replace(BLUE_GREEN, bake="8s", judge=replace(JUDGE, per_second=1.0, min_requests=5))
    served.serving.model = breaks(
        served, lambda asked: asked > 14 and asked % 3 == 0, lambda said: replace(said, status=500)
    )

    release = second(served, run, short)

    watching, watched = (
        next(event.at for event in served.ledger.events(release.id) if event.what.kind == kind)
        for kind in ("watching", "watched")
    )
    assert 8 < (watched - watching).total_seconds() < 16
    assert release.ending is Ending.ROLLED_BACK
    assert "more than chance explains" in release.why


def test_requests_are_mirrored_before_the_first_live_one(served: MemoryBackend, run: Run) -> None:
    """Mirrored, watched, and mirrored no more; then the steps."""
    release = second(served, run, replace(CANARY, mirror=20))

    assert release.ending is Ending.DELIVERED
    told = kinds(served, release)
    assert told.index("mirroring") < told.index("watched") < told.index("shifting")
    assert sorted(release.stages["prod"].watched) == [0, 10, 50, 100]
    assert live(served.serving.endpoints[PROD.endpoint].mirror) == {}


def test_somebody_elses_change_stops_the_rollout(served: MemoryBackend, run: Run) -> None:
    """It says what changed, and leaves it."""
    answer = served.serving.model
    foreign = {"done": False}

    def meddles(spec: DeploymentSpec, request: Request) -> Answer:
        seen = served.serving.endpoints[PROD.endpoint]
        if 0 < max(seen.traffic.values()) < 100 and not foreign["done"]:
            foreign["done"] = True
            names = sorted(seen.traffic)
            served.serving.endpoints[PROD.endpoint] = replace(seen, traffic={names[0]: 37, names[1]: 63})
        return answer(spec, request)

    served.serving.model = meddles

    with pytest.raises(Conflict, match="somebody else changes") as told:
        second(served, run, CANARY)
    assert "37%" in told.value.why
    assert set(served.serving.endpoints[PROD.endpoint].traffic.values()) == {37, 63}


def test_a_watch_that_was_cut_off_is_begun_again(served: MemoryBackend, run: Run) -> None:
    """A dead runner's half an observation is no evidence."""

    class Dies(BaseException):
        pass

    def dies(said: Answer) -> Answer:
        raise Dies

    served.serving.model = breaks(served, lambda asked: asked > 30, dies)
    plan = second_plan(served, CANARY)
    with pytest.raises(Dies):
        deliver(plan, Journal(served.ports, "one that dies", lambda _: None))
    served.ledger.leases.clear()
    served.serving.model = echo

    release = run(plan)

    assert release.ending is Ending.DELIVERED
    told = kinds(served, release)
    assert told.count("watching") == 4
    assert told.count("watched") == 3
