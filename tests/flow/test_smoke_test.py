"""A round of smoke tests against a deployment, in memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from ctrain.errors import NoAnswer, PlatformUnavailable
from ctrain.flow.journal import LEASE_SECONDS, Journal
from ctrain.flow.smoke_test import smoke_test
from ctrain.serving import Answer, DeploymentSpec, Request
from ctrain.smoke import Load, SmokeSettings
from ctrain.verdict import Outcome, Verdict
from tests.builders import DEV, a_plan
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

RELEASE = "main-b41c9e2-1"


@pytest.fixture
def deployment(world: MemoryBackend, run: Run) -> str:
    """What serves dev, after a release went there."""
    run(a_plan(stages=(DEV,)))
    (name,) = world.serving.endpoints[DEV.endpoint].deployments
    return name


def a_verdict(world: MemoryBackend, deployment: str, settings: SmokeSettings, *, live: bool = False) -> Verdict:
    journal = Journal(world.ports, "a test", lambda _: None)
    journal.lock("endpoint")
    verdict = smoke_test(RELEASE, replace(DEV, smoke=settings), deployment, journal, live=live)
    journal.unlock_all()
    return verdict


def test_all_is_well(world: MemoryBackend, deployment: str) -> None:
    """Alive, golden rows together and one by one, and three requests that must be refused."""
    verdict = a_verdict(world, deployment, SmokeSettings(golden=3))

    assert verdict.passed
    assert [finding.subject for finding in verdict.findings][:3] == [
        "alive and ready",
        "3 golden rows at once",
        "a body that is not JSON",
    ]


def test_a_look_that_tells_of_the_past_is_no_reason_to_give_a_model_up(world: MemoryBackend, deployment: str) -> None:
    """A platform that is consistent in the end shows for a moment what was: that is looked at again."""
    look, looks = world.serving.look, count(1)
    world.serving.look = lambda endpoint: look(endpoint) if next(looks) > 2 else None  # type: ignore[method-assign]

    assert a_verdict(world, deployment, SmokeSettings(golden=3)).passed


def test_load_longer_than_the_lock_keeps_the_lock(world: MemoryBackend, deployment: str) -> None:
    """The lock is renewed while the clients ask."""
    load = Load(seconds=3 * LEASE_SECONDS, concurrency=2, p95_ms=1000)

    verdict = a_verdict(world, deployment, SmokeSettings(golden=3, load=load))

    assert verdict.passed
    assert any("load by 2 clients" in finding.subject for finding in verdict.findings)


def test_a_failed_request_under_load_fails(world: MemoryBackend, deployment: str) -> None:
    """However fast the others were."""
    answer = world.serving.model
    asked = 0

    def tires(spec: DeploymentSpec, request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return replace(answer(spec, request), status=500) if asked > 50 else answer(spec, request)

    world.serving.model = tires
    verdict = a_verdict(world, deployment, SmokeSettings(golden=3, load=Load(seconds=1, concurrency=1, p95_ms=1000)))

    assert verdict.outcome is Outcome.FAIL


def test_latency_over_the_limit_fails(world: MemoryBackend, deployment: str) -> None:
    """Of the single golden rows, against the stage's own limit."""
    assert a_verdict(world, deployment, SmokeSettings(golden=3, p95_ms=0.5)).outcome is Outcome.FAIL
    assert a_verdict(world, deployment, SmokeSettings(golden=3, p95_ms=5)).passed


def test_a_deployment_that_is_gone_is_not_alive(world: MemoryBackend, deployment: str) -> None:
    """And every request to it fails."""
    verdict = a_verdict(world, "v9-gone", SmokeSettings(golden=3))

    assert verdict.outcome is Outcome.FAIL
    assert verdict.findings[0].says == "its state is absent"


def test_golden_rows_that_are_gone_prove_nothing(world: MemoryBackend, deployment: str) -> None:
    """A ledger that has a bad moment must not let a model pass with less than was asked for."""
    world.ledger.kept.clear()

    with pytest.raises(PlatformUnavailable, match="cannot be made"):
        a_verdict(world, deployment, SmokeSettings(golden=3))


def test_what_could_not_be_asked_is_not_judged(world: MemoryBackend, deployment: str) -> None:
    """The way in was not found: no word on the model. That it gives no answer is one."""

    def no_way_in(spec: DeploymentSpec, request: Request) -> Answer:
        raise PlatformUnavailable("no key", why="Azure's answer could not be used", hint="try again")

    def silent(spec: DeploymentSpec, request: Request) -> Answer:
        raise NoAnswer("no answer", why="the connection broke", hint="see the log")

    world.serving.model = silent
    assert a_verdict(world, deployment, SmokeSettings(golden=3)).outcome is Outcome.FAIL
    world.serving.model = no_way_in
    with pytest.raises(PlatformUnavailable, match="no key"):
        a_verdict(world, deployment, SmokeSettings(golden=3))


def test_a_model_that_hangs_is_asked_once(world: MemoryBackend, deployment: str) -> None:
    """Twenty golden rows of a model that takes longer than it may would take as many times as long."""
    asked: list[Request] = []

    def hangs(spec: DeploymentSpec, request: Request) -> Answer:
        asked.append(request)
        return Answer(408, b"took longer than 5 s", 5.0, spec.name)

    world.serving.model = hangs
    verdict = a_verdict(world, deployment, SmokeSettings(golden=20))

    assert verdict.outcome is Outcome.FAIL
    assert "408" in verdict.findings[-1].says
    assert len(asked) == 1
