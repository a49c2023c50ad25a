"""Rehearsing a rollback: the way back is timed, and the stage serves as before, whatever comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.errors import Conflict, NoAnswer, NotRestored, RolledBack, UsageError
from ctrain.flow.collect_garbage import collect_garbage
from ctrain.flow.drill import SETTLE_SECONDS, drill
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import roll_back
from ctrain.flow.undo_drill import undo_drill
from ctrain.rollout import live
from ctrain.rollout.drilling import IN_A_ROW, Drilled, Heard, way_back
from ctrain.serving import Answer, DeploymentSpec, Request, Traffic
from tests.builders import DEV, PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend, MemoryServing, echo

ENDPOINT = DEV.endpoint


@pytest.fixture
def served(world: MemoryBackend, run: Run) -> MemoryBackend:
    run(a_plan(stages=[DEV, PROD]))
    return world


def drilled(world: MemoryBackend) -> Drilled:
    journal = Journal(world.ports, "a drill", lambda _: None)
    try:
        return drill(DEV, journal, last=False)
    finally:
        journal.unlock_all()


def state(world: MemoryBackend) -> tuple[dict[str, int], list[str]]:
    endpoint = world.serving.endpoints[ENDPOINT]
    return live(endpoint.traffic), sorted(endpoint.deployments)


class Lagging(MemoryServing):
    """Traffic moves some seconds after the weights have changed, as at a front door that learns of it late."""

    world: MemoryBackend
    lag = 3.0
    old: Traffic
    since = 0.0

    def route(self, endpoint: str, traffic: Traffic) -> None:
        self.old, self.since = live(self.endpoints[endpoint].traffic), self.world.clock.monotonic()
        super().route(endpoint, traffic)

    def score(self, endpoint: str, request: Request) -> Answer:
        late = self.old and self.world.clock.monotonic() < self.since + self.lag
        if request.deployment is None and late:
            request = replace(request, deployment=next(iter(self.old)))
        return super().score(endpoint, request)


def lagging(world: MemoryBackend) -> Lagging:
    serving = Lagging(model=world.serving.model, endpoints=world.serving.endpoints, specs=world.serving.specs)
    serving.world, serving.old = world, {}
    world.serving = serving
    return serving


def test_the_way_back_is_timed_and_the_stage_serves_as_before(served: MemoryBackend) -> None:
    """From the decision to the first good answer from what served, and until all came from it."""
    before = state(served)
    lagging(served)

    done = drilled(served)

    assert state(served) == before
    assert 3.0 <= done.first == done.settled <= 3.5
    assert done.failed == 0
    assert abs(done.asked - 30 - IN_A_ROW) <= 3
    kinds = [event.what.kind for event in served.ledger.events("main-b41c9e2-1")]
    assert kinds[kinds.index("drilling") :] == [
        *("drilling", "placing", "shifting", "shifted", "shifting", "shifted", "removing", "drilled")
    ]


def test_a_drill_leaves_the_release_as_it_was(served: MemoryBackend) -> None:
    """It is a rehearsal: nothing of what was proven of the release is replaced, and running again does nothing."""
    journal = Journal(served.ports, "a test", lambda _: None)
    before = journal.read_again("main-b41c9e2-1")
    drilled(served)

    assert journal.read_again("main-b41c9e2-1") == before


def test_requests_that_fail_on_the_way_are_counted(served: MemoryBackend) -> None:
    """What users would see."""
    serving = lagging(served)

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        moving = serving.old and next(iter(serving.old)).startswith("drill-")
        if moving and served.clock.monotonic() < serving.since + 1.0:
            raise NoAnswer("it does not answer", why="it moves", hint="wait")
        return echo(spec, request)

    serving.model = model

    assert drilled(served).failed == pytest.approx(10, abs=2)


def test_the_last_stage_has_to_be_meant(served: MemoryBackend) -> None:
    """Users are served there: nothing is touched, unless it is agreed."""
    before = served.writes
    journal = Journal(served.ports, "a test", lambda _: None)

    with pytest.raises(UsageError, match="the last stage"):
        drill(PROD, journal, last=True)
    assert served.writes == before
    assert drill(PROD, journal, last=True, agreed=True).failed == 0


def test_a_stage_that_serves_nothing_is_refused(world: MemoryBackend) -> None:
    """There is nothing to go back to."""
    with pytest.raises(Conflict, match="cannot be drilled"):
        drilled(world)


def test_a_stage_that_is_not_well_is_refused(served: MemoryBackend) -> None:
    """A drill must not make it worse."""
    endpoint = served.serving.endpoints[ENDPOINT]
    name = next(iter(endpoint.deployments))
    sick = replace(endpoint.deployments[name], ready=False)
    served.serving.endpoints[ENDPOINT] = replace(endpoint, deployments={name: sick})

    with pytest.raises(Conflict, match="not healthy"):
        drilled(served)


def test_a_stage_that_somebody_changes_is_refused(served: MemoryBackend) -> None:
    """Under the stage's lock, as everything that moves its traffic."""
    served.ledger.acquire(DEV.lock, "anna", 600)

    with pytest.raises(Conflict, match="anna has had it"):
        drilled(served)


def test_a_second_deployment_that_does_not_answer_well_gets_no_traffic(served: MemoryBackend) -> None:
    """The drill fails, and nobody has noticed."""
    before = state(served)
    served.serving.model = lambda spec, request: (
        Answer(500, b"", 0.001, spec.name) if spec.name.startswith("drill-") else echo(spec, request)
    )

    with pytest.raises(RolledBack, match="smoke tests"):
        drilled(served)
    assert state(served) == before


def test_a_way_back_that_does_not_come_to_its_end_is_told(served: MemoryBackend) -> None:
    """With what to do by hand; this is what a drill is for."""
    serving = lagging(served)
    route = serving.route

    def stuck(endpoint: str, traffic: Traffic) -> None:
        back = any(name.startswith("drill-") for name in live(serving.endpoints[endpoint].traffic))
        serving.lag = 2 * SETTLE_SECONDS if back else 0.0
        route(endpoint, traffic)

    serving.route = stuck  # type: ignore[method-assign]

    with pytest.raises(NotRestored, match="did not get its traffic back") as told:
        drilled(served)
    assert "act now" in told.value.hint


class Cut(BaseException):
    """What a signal, or the end of the machine, is to a drill."""


@pytest.mark.parametrize("after", range(1, 7))
@pytest.mark.parametrize("who", ["drill", "rollback", "run", "gc"])
def test_what_a_drill_left_is_undone_by_whoever_comes_next(
    served: MemoryBackend, run: Run, after: int, who: str
) -> None:
    """Wherever it was cut off: another drill, a rollback, or the next release."""
    told: list[object] = []

    def tell(news: object) -> None:
        if hasattr(news, "what"):
            told.append(news)
            if len(told) == after:
                raise Cut

    if who == "rollback":
        served.trainer.outputs = outputs(quality=0.99, champion=1.0)
        run(a_plan(parameters={"n": 2}, commit="2" * 40, stages=[DEV], champion=served.registry.champion("visits")))
    before = state(served)
    journal = Journal(served.ports, "a drill", tell)
    with pytest.raises(Cut):
        drill(DEV, journal, last=False)
    journal.unlock_all()

    journal = Journal(served.ports, "the next one", lambda _: None)
    match who:
        case "drill":
            drill(DEV, journal, last=False)
            assert state(served) == before
        case "gc":
            if after > 2:  # before that, nothing was placed
                assert collect_garbage([DEV], journal)[0].removed[0].startswith("drill-")
            assert state(served) == before
        case "rollback":
            roll_back(DEV, "complaints", journal, last=False)
            assert state(served)[0] != before[0]
        case _:
            served.trainer.outputs = outputs(quality=0.99, champion=1.0)
            run(a_plan(parameters={"n": 3}, commit="3" * 40, stages=[DEV], champion=served.registry.champion("visits")))
    traffic, deployments = state(served)
    assert sum(traffic.values()) == 100
    assert not [name for name in (*traffic, *deployments) if name.startswith("drill-")]


def test_where_no_drill_was_nothing_is_done(served: MemoryBackend, journal: Journal) -> None:
    """Not even a look."""
    before, endpoint = served.writes, served.serving.endpoints[ENDPOINT]

    assert undo_drill(DEV, endpoint, journal) is endpoint
    assert served.writes == before


def test_the_way_back_is_as_long_as_the_last_answer_from_elsewhere() -> None:
    """One late answer from the other, or one that failed, and it was not settled before."""
    good = [Heard(float(at), "v1", good=True) for at in range(2, 10 + IN_A_ROW)]
    heard = [Heard(0.0, "drill-1", good=True), Heard(1.0, None, good=False), *good]

    assert way_back(heard, {"v1": 100}) == way_back(heard[:1] + heard[1:], {"v1": 100})
    assert (way_back(heard, {"v1": 100}).first, way_back(heard, {"v1": 100}).settled) == (2.0, 2.0)
    heard[5] = replace(heard[5], by="drill-1")
    assert (way_back(heard, {"v1": 100}).first, way_back(heard, {"v1": 100}).settled) == (2.0, heard[6].at)
    assert way_back(heard[:-10], {"v1": 100}).settled is None
    assert way_back([Heard(1.0, None, good=True)] * 99, {"v1": 100}).first is None
