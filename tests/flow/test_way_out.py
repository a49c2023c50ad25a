"""What a person is told to run where a stage could not be restored."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from ctrain.backends.azureml.serving.observed import route_command
from ctrain.events import replay
from ctrain.flow.way_out import way_out
from ctrain.release import Ending
from ctrain.serving import WorkspaceAddress
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

ADDRESS = WorkspaceAddress("11111111-1111-1111-1111-111111111111", "team-prod", "ml-prod")


@pytest.fixture
def two(world: MemoryBackend, run: Run) -> MemoryBackend:
    """Version 1 and then version 2 served prod."""
    run(a_plan(stages=[PROD]))
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    champion = world.registry.champion("visits")
    assert run(a_plan(stages=[PROD], commit="second", champion=champion)).ending is Ending.DELIVERED
    return world


def commands(world: MemoryBackend, *, running: bool = True, without: int | None = None, route: str = "") -> list[str]:
    seen = world.serving.endpoints[PROD.endpoint]
    left = {name: one for name, one in seen.deployments.items() if one.model_version != without}
    endpoint = replace(seen, running=running, deployments=left, route_command=route, start_command="ctrain local up")
    release = next(one for one in world.ledger.releases() if "second" in one)
    made = replay(world.ledger.events(release))
    assert made is not None
    return list(way_out(made, PROD, endpoint, world.ledger))


def test_the_stage_is_given_back_by_an_abort(two: MemoryBackend) -> None:
    """Which is done at once where nobody drives the rollout."""
    assert commands(two) == ["ctrain status", "ctrain rollout abort prod"]


def test_an_endpoint_that_is_down_is_started_first(two: MemoryBackend) -> None:
    """Or there is nothing to move."""
    assert commands(two, running=False)[:2] == ["ctrain status", "ctrain local up"]


def test_what_is_gone_is_brought_back_by_who_brought_it(two: MemoryBackend) -> None:
    """Traffic cannot go to a deployment that is not there."""
    assert commands(two, without=1) == ["ctrain status", "ctrain deploy --to prod main-b41c9e2-1"]


def test_on_azure_the_platforms_own_command_moves_the_traffic(two: MemoryBackend) -> None:
    """For when ctrain itself cannot be run: every deployment has its share, and they sum to 100."""
    line = commands(two, route=route_command(PROD.endpoint, ADDRESS))[-1]
    shell, option, script, name, *split = shlex.split(line)

    assert (shell, option, name) == ("sh", "-c", "traffic")
    words = shlex.split(script)
    assert words[:4] == ["az", "ml", "online-endpoint", "update"]
    assert dict(zip(words[4::2], words[5::2], strict=True)) == {
        "--name": PROD.endpoint,
        "--workspace-name": "ml-prod",
        "--resource-group": "team-prod",
        "--subscription": ADDRESS.subscription_id,
        "--traffic": "$*",
    }
    shares = {name.partition("-")[0]: int(part) for name, part in (one.split("=") for one in split)}
    assert shares == {"v1": 100, "v2": 0}
