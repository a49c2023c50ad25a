"""Taking a version to a stage takes time, and not all of it is the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import pytest

from ctrain.errors import Conflict
from ctrain.flow.deliver import deliver
from ctrain.flow.drive import READY_SECONDS
from ctrain.flow.journal import LEASE_SECONDS, Journal
from ctrain.flow.roll_back import roll_back
from ctrain.plan import Plan
from ctrain.release import Ending
from ctrain.rollout import Stage, live
from ctrain.serving import Answer, DeploymentSpec, DeploymentState, Endpoint, Request, Traffic
from ctrain.version import ModelVersion
from tests.builders import DEV, PROD, a_deployment_spec, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import ManualClock, MemoryBackend, MemoryRegistry, MemoryServing


@dataclass
class SlowServing(MemoryServing):
    """Making an endpoint takes so many seconds, and so does being heard when something is to be placed."""

    clock: ManualClock = field(default_factory=ManualClock)
    creating: float = 0.0
    placing: float = 0.0

    def create(self, endpoint: str) -> Endpoint:
        self.clock.sleep(self.creating)
        return super().create(endpoint)

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        self.clock.sleep(self.placing)
        super().place(endpoint, spec)


@pytest.mark.parametrize(("creating", "placing"), [(READY_SECONDS + 1, 0.0), (0.0, READY_SECONDS + 1)])
def test_a_model_is_given_its_time_from_when_it_was_placed(
    world: MemoryBackend, monkeypatch: pytest.MonkeyPatch, creating: float, placing: float
) -> None:
    """An endpoint that took half an hour, or a platform that throttled us as long, says nothing of the model."""
    monkeypatch.setattr("ctrain.flow.journal.LEASE_SECONDS", 3 * READY_SECONDS)  # as a heart would keep it
    world.serving = SlowServing(clock=world.clock, creating=creating, placing=placing)

    release = deliver(a_plan(stages=(DEV,)), Journal(world.ports, "a test", lambda _: None))

    assert release.ending is Ending.DELIVERED


@dataclass
class FarRegistry(MemoryRegistry):
    """Bringing a version to a stage's workspace takes so long, and gives others the time to do something."""

    clock: ManualClock = field(default_factory=ManualClock)
    meanwhile: Callable[[], object] = lambda: None

    def promote(self, version: ModelVersion, stage: Stage) -> str:
        self.clock.sleep(LEASE_SECONDS + 1)
        self.meanwhile()
        return super().promote(version, stage)


def test_nothing_is_placed_under_a_lock_that_ran_out_while_the_model_travelled(world: MemoryBackend) -> None:
    """A copy of a large model takes minutes; who has the stage by then places nothing of ours."""
    world.registry = FarRegistry(
        clock=world.clock, meanwhile=lambda: world.ledger.acquire(DEV.lock, "bert", LEASE_SECONDS)
    )

    with pytest.raises(Conflict, match="lost"):
        deliver(a_plan(stages=(DEV,)), Journal(world.ports, "anna", lambda _: None))

    assert world.serving.endpoints[DEV.endpoint].deployments == {}


def test_the_champion_is_not_taken_from_a_release_that_came_later(world: MemoryBackend, run: Run) -> None:
    """A run that died before the crown is run again when a later release serves: that one keeps the crown."""
    first = a_plan(stages=(PROD,))
    with interrupted_crown(world), pytest.raises(KeyboardInterrupt):
        run(first)
    world.trainer.outputs = outputs(quality=0.99)
    run(a_plan(commit="second", stages=(PROD,), parameters={"rate": 0.5}))

    run(first)

    champion = world.registry.champion("visits")
    assert champion is not None
    assert champion.version == 2


def test_a_version_keeps_its_crown_to_come_while_another_has_not_taken_over(world: MemoryBackend, run: Run) -> None:
    """Its run died before the crown, and the next one's half way: what may get the traffic back is the champion."""
    first = a_plan(stages=(PROD,))
    with interrupted_crown(world), pytest.raises(KeyboardInterrupt):
        run(first)
    world.trainer.outputs = outputs(quality=0.99)
    with killed_by_route(world), pytest.raises(KeyboardInterrupt):
        run(a_plan(commit="second", stages=(PROD,), parameters={"rate": 0.5}))

    run(first)

    champion = world.registry.champion("visits")
    assert champion is not None
    assert champion.version == 1


def test_what_serves_the_last_stage_is_crowned_though_it_was_rolled_back_before_it(
    world: MemoryBackend, run: Run
) -> None:
    """It had taken prod over, and died before the crown; then it was rolled back at dev only."""
    second = died_and_rolled_back_at_dev(world, run, interrupted_crown(world))

    assert run(second).ending is Ending.ROLLED_BACK

    assert world.registry.champions["visits"].version == 2


def died_and_rolled_back_at_dev(world: MemoryBackend, run: Run, death: AbstractContextManager[None]) -> Plan:
    """The plan of a second version that had come to prod when its run died so, and was then rolled back at dev."""
    run(a_plan(stages=(DEV, PROD)))
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    second = a_plan(commit="second", stages=(DEV, PROD), champion=world.registry.champion("visits"))
    with death, pytest.raises(KeyboardInterrupt):
        run(second)
    roll_back(DEV, "complaints", Journal(world.ports, "anna", lambda _: None), last=False)
    world.ledger.leases.clear()
    return second


@contextmanager
def killed_by_route(world: MemoryBackend) -> Iterator[None]:
    """Whoever moves traffic at prod is interrupted once it has moved."""
    route = world.serving.route

    def deadly(endpoint: str, traffic: Traffic) -> None:
        route(endpoint, traffic)
        if endpoint == PROD.endpoint:
            raise KeyboardInterrupt

    world.serving.route = deadly  # type: ignore[method-assign]
    yield
    world.serving.route = route  # type: ignore[method-assign]


def test_the_crown_is_given_under_the_lock_of_the_last_stage(world: MemoryBackend, run: Run) -> None:
    """Or somebody could roll the stage back between the two."""
    crown = world.registry.crown
    holders: list[str] = []

    def watched(version: ModelVersion) -> None:
        holders.append(world.ledger.leases[PROD.lock].holder)
        crown(version)

    world.registry.crown = watched  # type: ignore[method-assign]
    run(a_plan(stages=(PROD,)))

    assert holders == ["a test"]


@contextmanager
def interrupted_crown(world: MemoryBackend) -> Iterator[None]:
    """Whoever crowns is interrupted."""
    crown = world.registry.crown

    def interrupted(version: ModelVersion) -> None:
        raise KeyboardInterrupt

    world.registry.crown = interrupted  # type: ignore[method-assign]
    yield
    world.registry.crown = crown  # type: ignore[method-assign]


def test_a_version_that_was_rolled_back_leaves_the_stage_it_was_on_its_way_to(world: MemoryBackend, run: Run) -> None:
    """Its run died at prod, somebody rolled it back at dev: prod serves what it served, before the release ends."""
    second = died_and_rolled_back_at_dev(world, run, killed_by_route(world))

    assert run(second).ending is Ending.ROLLED_BACK
    prod = world.serving.endpoints[PROD.endpoint]
    assert [prod.deployments[name].model_version for name in live(prod.traffic)] == [1]
    assert len(prod.deployments) == 1


def test_a_version_that_is_given_up_leaves_no_rollout_of_an_earlier_release_behind(
    world: MemoryBackend, run: Run
) -> None:
    """The first one died half way to prod, and another champion made a second one, which ended at dev."""
    run(a_plan(stages=(DEV, PROD)))
    first = world.registry.champion("visits")
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    half = a_plan(commit="half", stages=(DEV, PROD), champion=first)
    with killed_by_route(world), pytest.raises(KeyboardInterrupt):
        run(half)
    world.registry.crown(replace(world.registry.versions("visits")[1], version=3, digest="another"))
    roll_back(DEV, "complaints", Journal(world.ports, "anna", lambda _: None), last=False)
    world.ledger.leases.clear()

    second = run(a_plan(commit="half", stages=(DEV, PROD), champion=world.registry.champion("visits")))

    assert (second.id, second.ending) == ("main-half-2", Ending.ROLLED_BACK)
    prod = world.serving.endpoints[PROD.endpoint]
    assert [prod.deployments[name].model_version for name in live(prod.traffic)] == [1]


def test_a_rollout_that_has_moved_nothing_begins_from_what_serves_now(world: MemoryBackend, run: Run) -> None:
    """Somebody else had his turn since it was recorded what served before, or a platform told of what was."""
    run(a_plan(stages=(PROD,)))
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    second = a_plan(commit="second", stages=(PROD,), champion=world.registry.champion("visits"))
    place = world.serving.place

    def deadly(endpoint: str, spec: DeploymentSpec) -> None:
        raise KeyboardInterrupt

    world.serving.place = deadly  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(second)
    world.serving.place = place  # type: ignore[method-assign]
    (first,) = world.serving.endpoints[PROD.endpoint].deployments
    world.serving.place(PROD.endpoint, a_deployment_spec("other"))
    world.serving.look(PROD.endpoint)
    world.serving.route(PROD.endpoint, {first: 0, "other": 100})

    release = run(second)

    assert release.ending is Ending.DELIVERED
    assert release.stages["prod"].before == {"other": 100}


@dataclass
class LaggingServing(MemoryServing):
    """The first look after a placing tells of an earlier deployment of that name; then it takes a while to come up."""

    looks: int = 99

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        super().place(endpoint, spec)
        self.looks = 0

    def look(self, endpoint: str) -> Endpoint | None:
        self.looks += 1
        seen = self.endpoints.get(endpoint)
        if self.looks > 10 or seen is None:
            return super().look(endpoint)
        state = DeploymentState.SUCCEEDED if self.looks == 1 else DeploymentState.CREATING
        told = {name: replace(one, state=state, ready=self.looks == 1) for name, one in seen.deployments.items()}
        return replace(seen, deployments=told)


def test_a_deployment_that_still_comes_up_is_not_judged(world: MemoryBackend, run: Run) -> None:
    """That one of its name was healthy once is no reason to give up the one that is on its way."""
    world.serving = LaggingServing(clock=world.clock)

    assert run(a_plan(stages=(DEV,))).ending is Ending.DELIVERED


@dataclass
class ForgetfulServing(MemoryServing):
    """Once version 2 is up, one look tells of when it had all of the traffic, as it had in an earlier rollout."""

    told: bool = False

    def look(self, endpoint: str) -> Endpoint | None:
        seen = super().look(endpoint)
        new = [name for name, one in seen.deployments.items() if one.model_version == 2 and one.healthy] if seen else []
        if seen is None or self.told or not new:
            return seen
        self.told = True
        return replace(seen, traffic={new[0]: 100})


@dataclass
class NostalgicServing(MemoryServing):
    """Once a version was given up, one look tells of when it was not there yet."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    told: bool = False

    def look(self, endpoint: str) -> Endpoint | None:
        seen = super().look(endpoint)
        if seen is None or self.told or not any('"kind": "rejected"' in line for _, line in self.lines):
            return seen
        self.told = True
        old = {name: one for name, one in seen.deployments.items() if one.model_version == 1}
        return replace(seen, traffic=dict.fromkeys(old, 100), deployments=old)


def test_a_stage_is_not_restored_because_a_look_tells_of_the_past(world: MemoryBackend, run: Run) -> None:
    """Or a version that was given up would go on serving, and its release say that it does not."""
    world.serving = NostalgicServing(clock=world.clock, lines=world.ledger.lines)
    run(a_plan(stages=(PROD,)))
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    answer = world.serving.model

    def fails_for_users(spec: DeploymentSpec, request: Request) -> Answer:
        said = answer(spec, request)
        return said if request.deployment or spec.model_version == 1 else replace(said, status=500)

    world.serving.model = fails_for_users
    second = run(a_plan(commit="second", stages=(PROD,), champion=world.registry.champion("visits")))

    assert second.ending is Ending.ROLLED_BACK
    prod = world.serving.endpoints[PROD.endpoint]
    assert [prod.deployments[name].model_version for name in live(prod.traffic)] == [1]


def test_a_version_is_not_judged_by_the_answers_of_the_one_that_serves(world: MemoryBackend, run: Run) -> None:
    """It was thought to have the traffic, and had not: that the other one answered says nothing of it."""
    world.serving = ForgetfulServing(clock=world.clock)
    run(a_plan(stages=(PROD,)))
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)

    second = run(a_plan(commit="second", stages=(PROD,), champion=world.registry.champion("visits")))

    assert second.ending is Ending.DELIVERED
