"""Endpoints that went down after they were delivered to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.errors import PlatformUnavailable
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import roll_back
from ctrain.release import Ending
from ctrain.rollout import live
from ctrain.serving import DeploymentState
from tests.builders import DEV, PROD, TEST, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend


def goes_down(world: MemoryBackend, endpoint: str, state: DeploymentState = DeploymentState.CREATING) -> None:
    """As a reboot leaves it: what it should run is known, and nothing runs."""
    seen = world.serving.endpoints[endpoint]
    asleep = {name: replace(one, state=state, ready=False) for name, one in seen.deployments.items()}
    world.serving.endpoints[endpoint] = replace(seen, running=False, deployments=asleep)


def test_running_again_starts_what_went_down(world: MemoryBackend, run: Run) -> None:
    """It is the same release, and it serves again; the endpoints that run are not touched."""
    first = run(a_plan())
    goes_down(world, PROD.endpoint)

    again = run(a_plan(champion=world.registry.champion("visits")))

    assert (again.id, again.ending) == (first.id, Ending.DELIVERED)
    for stage in (DEV, TEST, PROD):
        seen = world.serving.look(stage.endpoint)
        assert seen is not None
        assert seen.running
        assert all(seen.deployments[name].healthy for name in live(seen.traffic))


def test_what_does_not_come_back_is_told(world: MemoryBackend, run: Run) -> None:
    """Not called delivered: nobody is served."""
    run(a_plan())
    goes_down(world, PROD.endpoint, DeploymentState.FAILED)

    with pytest.raises(PlatformUnavailable, match="prod does not serve"):
        run(a_plan(champion=world.registry.champion("visits")))


def test_a_stage_that_is_down_can_be_rolled_back(world: MemoryBackend, run: Run) -> None:
    """It is started first: the one to go back to must be healthy."""
    run(a_plan())
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    run(a_plan(commit="second", champion=world.registry.champion("visits")))
    goes_down(world, PROD.endpoint)

    roll_back(PROD, "complaints", Journal(world.ports, "anna", lambda _: None), last=True)

    seen = world.serving.endpoints[PROD.endpoint]
    assert [seen.deployments[name].model_version for name in live(seen.traffic)] == [1]
