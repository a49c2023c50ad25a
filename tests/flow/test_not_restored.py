"""A stage that could not be given back: what runs again, and the commands that were printed, put it right."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from ctrain.errors import NotRestored, UsageError
from ctrain.flow.bring_back import bring_back
from ctrain.flow.deploy import deploy
from ctrain.flow.journal import Journal
from ctrain.flow.steer import abort, step_of
from ctrain.flow.way_out import way_out
from ctrain.release import Ending, Release
from ctrain.serving import Answer, DeploymentSpec, DeploymentState, Endpoint, Request
from ctrain.version import ModelVersion
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.flow.test_steer import CANARY, a_person, prod, second, served, sick, split, third
from tests.memory import MemoryBackend, echo

__all__ = ["served"]
STAGE = prod(CANARY)


def until(world: MemoryBackend, version: int, act: Callable[[], object]) -> None:
    """Once that version has been asked a while, it fails; and then this happens, once."""
    asked = count()

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        if spec.model_version != version or (now := next(asked)) < 15:
            return echo(spec, request)
        if now == 15:
            act()
        return Answer(500, b"", 0.001, spec.name)

    world.serving.model = model


def change(world: MemoryBackend, made: Callable[[Endpoint], Endpoint]) -> None:
    world.serving.endpoints[PROD.endpoint] = made(world.serving.endpoints[PROD.endpoint])


def well(world: MemoryBackend) -> None:
    def made(seen: Endpoint) -> Endpoint:
        up = {name: replace(one, state=DeploymentState.SUCCEEDED, ready=True) for name, one in seen.deployments.items()}
        return replace(seen, deployments=up)

    change(world, made)


def lose(world: MemoryBackend, version: int) -> None:
    """As a platform may: its nodes were reclaimed."""

    def made(seen: Endpoint) -> Endpoint:
        kept = {name: one for name, one in seen.deployments.items() if one.model_version != version}
        return replace(seen, deployments=kept)

    change(world, made)


def torn(world: MemoryBackend, run: Run) -> Release:
    """Version 2 has failed at 10%, and version 1 cannot take its traffic back."""
    until(world, 2, lambda: sick(world, 1))
    release = run(second(world, CANARY))
    assert release.ending is Ending.NOT_RESTORED
    world.serving.model = echo
    return release


def first(world: MemoryBackend) -> Release:
    return Journal(world.ports, "x", lambda _: None).read_again(world.ledger.releases()[0])


def test_running_again_restores_it_once_that_can_be(served: MemoryBackend, run: Run) -> None:
    """The release has had its end, and still nobody would leave the stage as it is."""
    torn(served, run)
    assert run(second(served, CANARY)).ending is Ending.NOT_RESTORED
    well(served)

    again = run(second(served, CANARY))

    assert (again.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})


def test_deploying_it_again_restores_it_once_that_can_be(served: MemoryBackend, run: Run) -> None:
    """As the job of a CI does that is run again: its version was marked, and is not tried once more."""
    bad = torn(served, run)
    well(served)

    again = deploy(bad, step_of(bad, PROD), a_person(served))

    assert (again.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})


def test_what_is_gone_is_placed_anew_by_the_printed_command(served: MemoryBackend, run: Run) -> None:
    """It is tested by its name before users get it; then the version that was given up goes."""
    bad = torn(served, run)
    lose(served, 1)
    printed = way_out(bad, STAGE, served.serving.endpoints[PROD.endpoint], served.ledger)
    old = first(served)
    assert shlex.split(printed[1]) == ["ctrain", "deploy", "--to", "prod", old.id]

    bring_back(old, step_of(old, PROD), a_person(served))

    assert split(served) == {"v1": 100}
    assert [one.model_version for one in served.serving.endpoints[PROD.endpoint].deployments.values()] == [1]
    assert a_person(served).read_again(bad.id).ending is Ending.ROLLED_BACK
    assert served.ledger.leases == {}


def test_what_has_failed_is_made_anew(served: MemoryBackend, run: Run) -> None:
    """A platform makes a failed deployment again where it is asked to."""
    torn(served, run)

    bring_back(first(served), step_of(first(served), PROD), a_person(served))

    assert split(served) == {"v1": 100}


def test_what_fails_its_smoke_tests_does_not_get_the_traffic(served: MemoryBackend, run: Run) -> None:
    """Another exit code 7, with the log's command first."""
    torn(served, run)
    lose(served, 1)
    served.serving.model = lambda spec, _: Answer(500, b"", 0.001, spec.name)
    before = split(served)

    with pytest.raises(NotRestored, match="could not be brought back") as told:
        bring_back(first(served), step_of(first(served), PROD), a_person(served))

    assert told.value.commands[0] == "ctrain logs --stage prod"
    assert split(served) == before


def test_what_serves_as_it_should_is_left_alone(served: MemoryBackend) -> None:
    """A job of a CI that is run again brings nothing back."""
    writes = served.writes
    old = first(served)

    assert bring_back(old, step_of(old, PROD), a_person(served)) == old
    assert served.writes == writes


def test_a_release_that_took_over_since_is_not_taken_back(served: MemoryBackend, run: Run) -> None:
    """Neither by running the torn one again, nor by an abort: the stage is as somebody wanted it."""
    torn(served, run)
    well(served)
    assert run(third(served)).ending is Ending.DELIVERED

    again = run(a_plan(stages=[STAGE], commit="c" * 40, champion=first(served).version))

    assert again.ending is Ending.NOT_RESTORED
    assert split(served) == {"v3": 100}
    with pytest.raises(UsageError, match="no rollout"):
        abort(STAGE, a_person(served), who="anna", reason="?")


def test_an_older_release_that_was_let_in_is_not_taken_back(served: MemoryBackend, run: Run) -> None:
    """It was opened before the one that tore the stage, and took it over after that."""
    early, register = third(served), served.registry.register

    def interrupted(*_: object) -> ModelVersion:
        raise KeyboardInterrupt

    served.registry.register = interrupted  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        run(early)
    served.registry.register = register  # type: ignore[method-assign]
    served.trainer.outputs = outputs(quality=0.99, champion=1.0)
    late = a_plan(stages=[STAGE], commit="f" * 40, champion=first(served).version, parameters={"rate": 0.7})
    until(served, 2, lambda: sick(served, 1))
    assert run(late).ending is Ending.NOT_RESTORED
    served.serving.model = echo
    well(served)
    assert run(replace(early, allow_older=True)).ending is Ending.DELIVERED

    assert run(late).ending is Ending.NOT_RESTORED
    with pytest.raises(UsageError, match="no rollout"):
        abort(STAGE, a_person(served), who="anna", reason="?")
    assert split(served) == {"v3": 100}
