"""Taking a stage back to what served before."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from ctrain.errors import Conflict, NotRestored
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import going_back, roll_back, taken_back
from ctrain.flow.status import status
from ctrain.flow.steer import abort
from ctrain.release import Ending
from ctrain.rollout import live
from ctrain.serving import DeploymentSpec, DeploymentState, Traffic
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.flow.test_deliver import Killed, Mortal
from tests.memory import MemoryBackend


@pytest.fixture
def two_releases(world: MemoryBackend, run: Run) -> MemoryBackend:
    """Version 1 and then version 2 went everywhere."""
    run(a_plan())
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    assert run(a_plan(commit="second", champion=world.registry.champion("visits"))).ending is Ending.DELIVERED
    return world


def back(world: MemoryBackend) -> None:
    roll_back(PROD, "complaints", Journal(world.ports, "anna", lambda _: None), last=True)
    world.ledger.leases.clear()


def version_at_prod(world: MemoryBackend) -> int:
    seen = world.serving.endpoints[PROD.endpoint]
    (name,) = live(seen.traffic)
    return seen.deployments[name].model_version


def test_the_old_version_serves_and_is_the_champion_again(two_releases: MemoryBackend) -> None:
    """Re-weighting, no more: the new deployment stays to be looked at."""
    back(two_releases)

    champion = two_releases.registry.champion("visits")
    assert (version_at_prod(two_releases), champion.version if champion else None) == (1, 1)
    assert len(two_releases.serving.endpoints[PROD.endpoint].deployments) == 2


def test_there_is_no_way_back_from_the_first_release(world: MemoryBackend, run: Run) -> None:
    """Nothing served before it."""
    run(a_plan())

    with pytest.raises(Conflict, match="nothing else"):
        back(world)


def test_a_stage_that_nobody_deployed_to_cannot_be_rolled_back(world: MemoryBackend) -> None:
    """The ledger knows no release there."""
    with pytest.raises(Conflict, match="no release"):
        back(world)


def test_a_sick_target_gets_no_traffic(two_releases: MemoryBackend) -> None:
    """Better the version that is complained of than none at all; and it says so."""
    seen = two_releases.serving.endpoints[PROD.endpoint]
    old = next(one for one in seen.deployments.values() if one.model_version == 1)
    sick = replace(old, state=DeploymentState.FAILED, ready=False)
    deployments = {**seen.deployments, old.name: sick}
    two_releases.serving.endpoints[PROD.endpoint] = replace(seen, deployments=deployments)

    with pytest.raises(NotRestored, match="not healthy"):
        back(two_releases)
    assert version_at_prod(two_releases) == 2


def test_running_the_rolled_back_commit_again_does_not_put_it_back(two_releases: MemoryBackend, run: Run) -> None:
    """A person took it off; the same commit again changes nothing."""
    back(two_releases)
    before = two_releases.writes

    run(a_plan(commit="second", champion=two_releases.registry.champion("visits")))

    assert version_at_prod(two_releases) == 1
    assert two_releases.writes == before


def test_a_version_that_was_rolled_back_is_refused_from_any_commit(two_releases: MemoryBackend, run: Run) -> None:
    """The same model from a commit that changes only the docs stays off: not even dev is touched."""
    back(two_releases)
    endpoints = dict(two_releases.serving.endpoints)

    release = run(a_plan(commit="docs", champion=two_releases.registry.champion("visits")))

    assert release.ending is Ending.ROLLED_BACK
    assert "complaints" in release.why
    assert two_releases.serving.endpoints == endpoints


def test_status_says_since_when_the_old_version_serves_again(two_releases: MemoryBackend) -> None:
    """The moment of the rollback, not that of its first promotion."""
    two_releases.clock.sleep(3600)
    back(two_releases)

    (prod,) = status([PROD], two_releases.ports)

    assert [(now.percent, now.since) for now in prod.deployments if now.percent] == [(100, two_releases.clock.now())]


def test_what_was_taken_away_cannot_be_gone_back_to(two_releases: MemoryBackend) -> None:
    """Nothing is wrong with what serves: it is no case of serving that was not restored."""
    seen = two_releases.serving.endpoints[PROD.endpoint]
    kept = {name: one for name, one in seen.deployments.items() if one.model_version == 2}
    two_releases.serving.endpoints[PROD.endpoint] = replace(seen, deployments=kept)

    with pytest.raises(Conflict, match="cannot be rolled back"):
        back(two_releases)


def test_a_version_that_is_still_there_can_be_named(two_releases: MemoryBackend) -> None:
    """Back to it, as long as its deployment is warm."""
    journal = Journal(two_releases.ports, "anna", lambda _: None)

    roll_back(PROD, "complaints", journal, last=True, to=1)

    assert version_at_prod(two_releases) == 1


@pytest.mark.parametrize("to", [7, 2])
def test_a_version_that_is_gone_or_was_rolled_back_is_refused(two_releases: MemoryBackend, to: int) -> None:
    """The one that is not there, and the one that was itself taken off this stage."""
    back(two_releases)

    with pytest.raises(Conflict, match="cannot be rolled back"):
        roll_back(PROD, "again", Journal(two_releases.ports, "anna", lambda _: None), last=True, to=to)
    assert version_at_prod(two_releases) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_rollback_killed_at_any_call_goes_on_when_it_is_called_again(tmp_path: Path, after: bool) -> None:
    """Or it would take off what it has brought back: version 2 serves and is champion, and 3 is marked, in the end."""
    for death in count(1):
        world = MemoryBackend(tmp_path / f"{after}-{death}", outputs())
        champion = None
        for number, quality in enumerate((1.0, 0.99, 0.98)):
            world.trainer.outputs = outputs(quality=quality, champion=1.0)
            plan = a_plan(commit=f"c{number}", stages=(PROD,), champion=champion)
            deliver(plan, Journal(world.ports, "a test", lambda _: None))
            world.ledger.leases.clear()
            champion = world.registry.champion("visits")
        mortal = Mortal(world.ports, death, after=after)
        with suppress(Killed):
            roll_back(PROD, "complaints", Journal(mortal.ports, "anna", lambda _: None), last=True)
        world.ledger.leases.clear()
        if mortal.lives > 0:
            break
        if version_at_prod(world) == 3 or going_back(PROD, world.ledger):
            roll_back(PROD, "complaints", Journal(world.ports, "anna", lambda _: None), last=True)

        assert version_at_prod(world) == 2, f"killed at call {death}"
        assert world.registry.champions["visits"].version == 2
        assert taken_back(world.registry.versions("visits")[2], world.ledger)
    assert death > 10


def test_an_aborted_rollout_that_moved_nothing_does_not_undo_a_rollback(two_releases: MemoryBackend, run: Run) -> None:
    """It began while version 2 served, and died; then 2 was rolled back, and is not brought back by the abort."""
    world, place = two_releases, two_releases.serving.place
    world.trainer.outputs = outputs(quality=0.98, champion=0.99)
    third = a_plan(commit="third", stages=(PROD,), champion=world.registry.champion("visits"))

    def deadly(endpoint: str, spec: DeploymentSpec) -> None:
        raise KeyboardInterrupt

    world.serving.place = deadly  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(third)
    world.serving.place = place  # type: ignore[method-assign]
    back(world)

    abort(PROD, Journal(world.ports, "anna", lambda _: None), who="anna", reason="it is late")

    assert version_at_prod(world) == 1


def test_a_version_whose_rollout_came_to_no_end_is_no_way_back(two_releases: MemoryBackend, run: Run) -> None:
    """It is there, healthy, and nobody has seen it serve."""
    world, route = two_releases, two_releases.serving.route
    world.trainer.outputs = outputs(quality=0.98, champion=0.99)

    def deadly(endpoint: str, traffic: Traffic) -> None:
        raise KeyboardInterrupt

    world.serving.route = deadly  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(a_plan(commit="third", stages=(PROD,), champion=world.registry.champion("visits")))
    world.serving.route = route  # type: ignore[method-assign]

    with pytest.raises(Conflict, match="never served"):
        roll_back(PROD, "try it", Journal(world.ports, "anna", lambda _: None), last=True, to=3)
    assert version_at_prod(world) == 2
