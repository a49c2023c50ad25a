"""The stories of a release, told on a world in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ctrain.errors import Conflict, PipelineError
from ctrain.flow.deliver import deliver, judge_alone
from ctrain.flow.deploy import deploy
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import lock_name, open_release
from ctrain.flow.train import train
from ctrain.plan import Plan
from ctrain.ports import Backend
from ctrain.project import Trigger
from ctrain.release import Ending
from ctrain.rollout import live
from ctrain.verdict import Outcome
from tests.builders import DEV, PROD, TEST, a_plan, a_stage, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend


def serves(world: MemoryBackend, endpoint: str) -> list[int]:
    """The model versions that carry the endpoint's traffic."""
    seen = world.serving.endpoints.get(endpoint)
    return [seen.deployments[name].model_version for name in live(seen.traffic)] if seen else []


def delivered(world: MemoryBackend, run: Run, **plan: object) -> None:
    assert run(a_plan(**plan)).ending is Ending.DELIVERED  # type: ignore[arg-type]


def test_a_good_model_reaches_every_stage_and_becomes_champion(world: MemoryBackend, run: Run) -> None:
    """The whole way: trained, judged, registered, served by dev, test and prod."""
    release = run(a_plan())

    assert release.ending is Ending.DELIVERED
    assert [serves(world, stage.endpoint) for stage in (DEV, TEST, PROD)] == [[1], [1], [1]]
    champion = world.registry.champion("visits")
    assert champion is not None
    assert champion.version == 1


def test_a_pipeline_that_the_platform_would_not_take_opens_no_release(world: MemoryBackend, run: Run) -> None:
    """A mistake in a file is said at once, and nothing is recorded of it."""
    with pytest.raises(PipelineError):
        run(a_plan(parameters={"behave": "refused"}))

    assert world.ledger.releases() == []
    assert world.trainer.runs == {}


def test_a_delivered_release_run_again_writes_nothing(world: MemoryBackend, run: Run) -> None:
    """Running a finished release again changes nothing, and says how it ended."""
    delivered(world, run)
    before = world.writes

    again = run(a_plan(champion=world.registry.champion("visits")))

    assert again.ending is Ending.DELIVERED
    assert world.writes == before


def test_a_worse_model_is_refused_and_production_stays(world: MemoryBackend, run: Run) -> None:
    """The gate says no: nothing is registered, nothing is deployed."""
    delivered(world, run)
    world.trainer.outputs = outputs(quality=0.0, champion=1.0)

    release = run(a_plan(commit="bad", champion=world.registry.champion("visits")))

    assert release.ending is Ending.REJECTED
    assert serves(world, PROD.endpoint) == [1]
    assert len(world.registry.versions("visits")) == 1


def test_a_refused_release_run_again_writes_nothing(world: MemoryBackend, run: Run) -> None:
    """The same model against the same champion: the verdict stands."""
    world.trainer.outputs = outputs(quality=0.0)
    run(a_plan())
    before = world.writes

    assert run(a_plan()).ending is Ending.REJECTED
    assert world.writes == before


def test_a_new_model_takes_over_and_the_old_one_is_kept_warm(world: MemoryBackend, run: Run) -> None:
    """After a second release each stage has both, and all traffic is on the new one."""
    delivered(world, run)
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)

    delivered(world, run, commit="second", champion=world.registry.champion("visits"))

    prod = world.serving.endpoints[PROD.endpoint]
    assert serves(world, PROD.endpoint) == [2]
    assert sorted(deployment.model_version for deployment in prod.deployments.values()) == [1, 2]


def test_only_the_last_one_that_served_is_kept(world: MemoryBackend, run: Run) -> None:
    """A third release takes the first one's deployment away."""
    for number, quality in enumerate((1.0, 0.99, 0.98)):
        world.trainer.outputs = outputs(quality=quality, champion=1.0)
        delivered(world, run, commit=f"c{number}", champion=world.registry.champion("visits"))

    prod = world.serving.endpoints[PROD.endpoint]
    assert sorted(deployment.model_version for deployment in prod.deployments.values()) == [2, 3]


def test_a_deployment_that_crashes_is_taken_away_again(world: MemoryBackend, run: Run) -> None:
    """Dev serves what it served, later stages are untouched, and the reason is in the record."""
    delivered(world, run)
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    crashing = (a_stage("dev", crash=True), TEST, PROD)

    release = run(a_plan(commit="crash", stages=crashing, champion=world.registry.champion("visits")))

    assert release.ending is Ending.ROLLED_BACK
    assert "no such model" in release.why
    assert [serves(world, stage.endpoint) for stage in (DEV, TEST, PROD)] == [[1], [1], [1]]
    assert len(world.serving.endpoints[DEV.endpoint].deployments) == 1


def test_a_first_model_that_fails_its_smoke_test_leaves_an_empty_stage(world: MemoryBackend, run: Run) -> None:
    """There was nothing before, so there is nothing after; and no champion."""
    echo = world.serving.model
    world.serving.model = lambda spec, request: replace(echo(spec, request), body=b"[0.5]")

    release = run(a_plan())

    assert release.ending is Ending.ROLLED_BACK
    assert world.serving.endpoints[DEV.endpoint].deployments == {}
    assert world.registry.champion("visits") is None


def test_a_model_that_fails_only_through_the_endpoint_gives_the_traffic_back(world: MemoryBackend, run: Run) -> None:
    """Traffic moved, the live smoke test failed: the old deployment has all of it again."""
    delivered(world, run)
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    echo = world.serving.model

    def fails_live(spec, request):  # type: ignore[no-untyped-def]
        answer = echo(spec, request)
        return answer if request.deployment else replace(answer, status=500)

    world.serving.model = fails_live
    release = run(a_plan(commit="live", champion=world.registry.champion("visits")))

    assert release.ending is Ending.ROLLED_BACK
    assert serves(world, DEV.endpoint) == [1]


def test_a_failed_training_ends_the_release_and_the_next_run_tries_again(world: MemoryBackend, run: Run) -> None:
    """A failed training is not a hit."""
    assert run(a_plan(parameters={"behave": "fail"})).ending is Ending.TRAINING_FAILED

    release = run(a_plan(parameters={"behave": "fail"}, attempt=2))

    assert release.id == "main-b41c9e2-2"
    assert release.training is not None
    assert release.training.job.endswith("-2")


def test_a_pull_request_registers_and_deploys_nothing(world: MemoryBackend, run: Run) -> None:
    """It is trained and judged, and that is all."""
    release = run(a_plan(trigger=Trigger.PULL_REQUEST, stages=()))

    assert release.ending is Ending.DELIVERED
    assert release.verdict is not None
    assert release.verdict.outcome is Outcome.PASS
    assert world.registry.versions("visits") == ()
    assert world.serving.endpoints == {}


def test_a_stage_that_needs_approval_waits(world: MemoryBackend, run: Run) -> None:
    """The release stays open before it, and says what it waits for."""
    release = run(a_plan(stages=(DEV, a_stage("prod", approval="required"))))

    assert not release.ended
    assert release.waits_for == "prod"
    assert serves(world, "visits-prod") == []


def test_two_runs_of_one_commit_do_not_meet(world: MemoryBackend, run: Run) -> None:
    """The second is told who has the lock."""
    Journal(world.ports, "anna", lambda _: None).lock(lock_name(a_plan()))

    with pytest.raises(Conflict, match="anna"):
        run(a_plan())


def test_the_same_model_from_another_commit_is_the_same_version(world: MemoryBackend, run: Run) -> None:
    """A commit that changes only the docs registers nothing new and moves no traffic."""
    delivered(world, run)
    world.trainer.outputs = outputs(quality=1.0, champion=1.0)
    endpoints = dict(world.serving.endpoints)

    release = run(a_plan(commit="docs", champion=world.registry.champion("visits")))

    assert release.ending is Ending.DELIVERED
    assert [version.version for version in world.registry.versions("visits")] == [1]
    assert world.serving.endpoints == endpoints


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_call_ends_like_an_undisturbed_one(tmp_path: Path, after: bool) -> None:
    """Killed before or after its n-th call of a port, for every n, and run again: the same end, nothing twice."""
    for death in count(1):
        world = MemoryBackend(tmp_path / f"{after}-{death}", outputs())
        mortal = Mortal(world.ports, death, after=after)
        with suppress(Killed):
            deliver(a_plan(), Journal(mortal.ports, "a test that dies", lambda _: None))
        if mortal.lives > 0:
            break
        world.ledger.leases.clear()

        release = deliver(a_plan(), Journal(world.ports, "a test", lambda _: None))

        assert release.ending is Ending.DELIVERED, f"killed at call {death}"
        assert [serves(world, stage.endpoint) for stage in (DEV, TEST, PROD)] == [[1], [1], [1]]
        assert len(world.ledger.releases()) == len(world.trainer.runs) == len(world.registry.made["visits"]) == 1
        assert world.registry.champions["visits"].version == 1
    assert death > 100


class Killed(BaseException):
    """SIGKILL leaves no chance to clean up, and neither does this."""


class Mortal:
    """Ports that count their calls, and kill whoever makes the last one."""

    def __init__(self, ports: Backend, lives: int, *, after: bool) -> None:
        self.lives = lives
        self.after = after
        self.ports = replace(
            ports,
            trainer=self.wrap(ports.trainer),
            registry=self.wrap(ports.registry),
            serving=lambda stage: self.wrap(ports.serving(stage)),
            data=self.wrap(ports.data),
            ledger=self.wrap(ports.ledger),
        )

    def wrap(self, port: Any) -> Any:
        return _MortalPort(port, self)


class _MortalPort:
    def __init__(self, port: object, owner: Mortal) -> None:
        self.port = port
        self.owner = owner

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self.port, name)

        def call(*words: object, **named: object) -> object:
            self.owner.lives -= 1
            if self.owner.lives == 0 and not self.owner.after:
                raise Killed
            made = method(*words, **named)
            if self.owner.lives == 0:
                raise Killed
            return made

        return call


def test_fresh_trains_anew_each_time_it_is_asked_for(world: MemoryBackend, run: Run) -> None:
    """A release that has its training is not what `--fresh` asks for; the new one gets a job of its own."""
    stages = (a_stage("prod", approval="required"),)
    first = run(a_plan(stages=stages, fresh=True))

    second = run(a_plan(stages=stages, fresh=True, attempt=2))

    assert not first.ended
    assert (first.id, second.id) == ("main-b41c9e2-1", "main-b41c9e2-2")
    assert len(world.trainer.runs) == 2


def test_a_fresh_training_that_was_killed_is_gone_on_with(world: MemoryBackend, run: Run) -> None:
    """Asked for again before it was trained, it is the same release and the same job."""
    mortal = Mortal(world.ports, 12, after=True)
    with suppress(Killed):
        deliver(a_plan(fresh=True), Journal(mortal.ports, "a test that dies", lambda _: None))
    world.ledger.leases.clear()
    assert "submitting" in [event.what.kind for event in world.ledger.events("main-b41c9e2-1")]

    release = run(a_plan(fresh=True, attempt=2))

    assert release.id == "main-b41c9e2-1"
    assert len(world.trainer.runs) == 1


def test_a_release_that_another_one_overtook_is_refused_and_judged_anew(world: MemoryBackend, run: Run) -> None:
    """While the first waited for a person the second became champion: the first's verdict is about yesterday."""
    waiting = (DEV, a_stage("prod", approval="required"))
    first = run(a_plan(stages=waiting))
    world.trainer.outputs = outputs(quality=0.99)
    delivered(world, run, commit="second", parameters={"rate": 0.5})
    journal = Journal(world.ports, "anna", lambda _: None)

    with pytest.raises(Conflict, match="champion has changed"):
        deploy(first, first.plan.deploys[-1], journal)

    journal.unlock_all()
    world.trainer.outputs = outputs(quality=1.0, champion=0.99)
    again = run(replace(a_plan(stages=waiting, champion=world.registry.champion("visits")), allow_older=True))
    assert again.id == "main-b41c9e2-2"
    assert again.waits_for == "prod"


def test_an_older_commit_does_not_take_over_from_a_newer_one(world: MemoryBackend, run: Run) -> None:
    """A late CI run stops, and leaves what serves; unless it is told to go on."""
    assert run(_committed("2026-02-02", a_plan(commit="b" * 40))).ending is Ending.DELIVERED
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    late = _committed("2026-01-01", a_plan(commit="a" * 40, champion=world.registry.champion("visits")))

    with pytest.raises(Conflict, match="newer commit"):
        run(late)
    assert serves(world, DEV.endpoint) == [1]

    assert run(replace(late, allow_older=True)).ending is Ending.DELIVERED
    assert serves(world, PROD.endpoint) == [2]


def _committed(at: str, plan: Plan) -> Plan:
    return replace(plan, source=replace(plan.source, committed=f"{at}T00:00:00+00:00"))


@pytest.mark.parametrize(("stages", "ending"), [((), Ending.DELIVERED), ((DEV,), None)], ids=["no stages", "a stage"])
def test_a_release_ends_at_the_gate_where_nothing_comes_after_it(
    journal: Journal, stages: tuple[Any, ...], ending: Ending | None
) -> None:
    """Verb by verb, as CI jobs go: a pull request that passed is over, and is not told of as running for ever."""
    release = train(open_release(a_plan(stages=stages), journal), journal)

    assert judge_alone(release, journal).ending is ending
