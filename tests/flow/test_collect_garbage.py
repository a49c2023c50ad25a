"""What is taken away, what is kept and for how long, and what a person lets come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.errors import Conflict, UsageError
from ctrain.events import Readmitted, Removing
from ctrain.flow.collect_garbage import collect_garbage, find_garbage
from ctrain.flow.deploy import deploy
from ctrain.flow.journal import Journal
from ctrain.flow.readmit import readmit
from ctrain.flow.roll_back import roll_back, taken_back
from ctrain.flow.steer import step_of
from ctrain.plan import Plan
from ctrain.release import Ending
from ctrain.rollout import RolloutSettings, Stage, live
from ctrain.serving import Deployment, DeploymentState, Traffic
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

KEEPING = replace(PROD, rollout=RolloutSettings(keep="24h"))
HOUR = 3600.0


def plan_of(world: MemoryBackend, number: int, stage: Stage) -> Plan:
    """Each commit another model."""
    world.trainer.outputs = outputs(quality=1 - number / 1000, champion=1.0)
    champion = world.registry.champion("visits")
    return a_plan(stages=[stage], commit=f"{number}" * 40, champion=champion, parameters={"n": number})


def deliver_all(world: MemoryBackend, run: Run, stage: Stage, count: int) -> None:
    for number in range(1, count + 1):
        assert run(plan_of(world, number, stage)).ending is Ending.DELIVERED
        world.clock.sleep(HOUR)


def there(world: MemoryBackend) -> list[str]:
    return sorted(name.partition("-")[0] for name in world.serving.endpoints[PROD.endpoint].deployments)


def a_journal(world: MemoryBackend) -> Journal:
    return Journal(world.ports, "anna", lambda _: None)


def serves(world: MemoryBackend) -> list[str]:
    return [name.partition("-")[0] for name in live(world.serving.endpoints[PROD.endpoint].traffic)]


def test_without_keep_two_deployments_are_left(world: MemoryBackend, run: Run) -> None:
    """The one that serves, and the one before it."""
    deliver_all(world, run, PROD, 4)

    assert there(world) == ["v3", "v4"]
    assert not any(one.goes for one in find_garbage([PROD], world.ports)[0].found)


def test_what_was_taken_off_stays_for_its_keep(world: MemoryBackend, run: Run) -> None:
    """Four in four hours are all warm; a day later the two oldest go, and never the one that a rollback needs."""
    deliver_all(world, run, KEEPING, 4)
    assert there(world) == ["v1", "v2", "v3", "v4"]
    world.clock.sleep(21.5 * HOUR)

    (first,) = collect_garbage([KEEPING], a_journal(world))
    assert [name.partition("-")[0] for name in first.removed] == ["v1"]
    world.clock.sleep(1000 * HOUR)
    (second,) = collect_garbage([KEEPING], a_journal(world))

    assert there(world) == ["v3", "v4"]
    assert [name.partition("-")[0] for name in second.removed] == ["v2"]
    assert [one.why for one in second.found if not one.goes] == [
        "a rollback goes back to it",
        "it serves 100% of the traffic",
    ]


def test_what_is_past_its_keep_goes_at_the_end_of_a_rollout(world: MemoryBackend, run: Run) -> None:
    """As always; only later."""
    deliver_all(world, run, KEEPING, 3)
    world.clock.sleep(30 * HOUR)

    run(plan_of(world, 4, KEEPING))

    assert there(world) == ["v3", "v4"]


def test_what_a_rollback_would_go_back_to_stays_where_the_one_between_was_taken_off(
    world: MemoryBackend, run: Run
) -> None:
    """Its rollback was begun, and cut off before the traffic moved: the third takes over from a marked version."""
    deliver_all(world, run, PROD, 2)
    route = world.serving.route

    def interrupted(endpoint: str, traffic: Traffic) -> None:
        raise KeyboardInterrupt

    world.serving.route = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        roll_back(PROD, "complaints", a_journal(world), last=True)
    world.serving.route = route  # type: ignore[method-assign]
    world.ledger.leases.clear()

    run(plan_of(world, 3, PROD))
    assert serves(world) == ["v3"]
    roll_back(PROD, "more complaints", a_journal(world), last=True)

    assert serves(world) == ["v1"]


def test_planning_it_changes_nothing(world: MemoryBackend, run: Run) -> None:
    """And says the same."""
    deliver_all(world, run, KEEPING, 3)
    world.clock.sleep(100 * HOUR)
    before = world.writes

    planned = find_garbage([KEEPING], world.ports)

    assert world.writes == before
    assert planned[0].found == collect_garbage([KEEPING], a_journal(world))[0].found


def test_what_is_removed_is_in_the_record_of_who_placed_it(world: MemoryBackend, run: Run) -> None:
    """With the reason."""
    deliver_all(world, run, KEEPING, 3)
    world.clock.sleep(100 * HOUR)

    collect_garbage([KEEPING], a_journal(world))

    told = [event.what for event in world.ledger.events("main-1111111-1") if isinstance(event.what, Removing)]
    assert [what.why for what in told] == ["it serves no more since 2026-01-01 01:00 UTC"]


def add(world: MemoryBackend, one: Deployment) -> None:
    seen = world.serving.endpoints[PROD.endpoint]
    world.serving.endpoints[PROD.endpoint] = replace(seen, deployments={**seen.deployments, one.name: one})


def test_somebody_elses_deployment_is_never_taken_away(world: MemoryBackend, run: Run) -> None:
    """Neither by gc nor at the end of a rollout: ctrain did not place it, or this ledger does not know who did."""
    deliver_all(world, run, PROD, 1)
    add(world, Deployment("blue", DeploymentState.SUCCEEDED, True, "visits", 0, ""))
    add(world, Deployment("v9-other", DeploymentState.FAILED, False, "visits", 9, "d9"))
    stays = {one.deployment: one.why for one in find_garbage([PROD], world.ports)[0].found}

    collect_garbage([PROD], a_journal(world))

    assert there(world) == ["blue", "v1", "v9"]
    assert stays["blue"] == "ctrain did not place it"
    assert stays["v9-other"] == "no release of this ledger placed it"
    run(plan_of(world, 2, PROD))
    assert "blue" in world.serving.endpoints[PROD.endpoint].deployments


def test_a_mirrored_deployment_stays(world: MemoryBackend, run: Run) -> None:
    """Somebody looks at what it answers."""
    deliver_all(world, run, KEEPING, 3)
    world.clock.sleep(100 * HOUR)
    seen = world.serving.endpoints[PROD.endpoint]
    oldest = min(seen.deployments)
    world.serving.endpoints[PROD.endpoint] = replace(seen, mirror={oldest: 10})

    (found,) = collect_garbage([KEEPING], a_journal(world))

    assert found.removed == ()


def test_it_waits_for_nobodys_lock(world: MemoryBackend, run: Run) -> None:
    """While somebody works on the stage, nothing is taken away there."""
    deliver_all(world, run, KEEPING, 3)
    world.clock.sleep(100 * HOUR)
    world.ledger.acquire(PROD.lock, "bert", 60)

    with pytest.raises(Conflict, match="held"):
        collect_garbage([KEEPING], a_journal(world))
    assert there(world) == ["v1", "v2", "v3"]


def test_a_rollback_passes_over_what_was_rolled_back_itself(world: MemoryBackend, run: Run) -> None:
    """v2 with other settings served, was marked as it was rolled back under its first settings, and v3 came."""
    deliver_all(world, run, KEEPING, 3)
    journal = a_journal(world)
    version = world.registry.versions("visits")[1]
    world.ledger.keep("rolled-back", f"visits-{version.version}.json", b'{"prod": "complaints"}')

    roll_back(KEEPING, "v3 as well", journal, last=True)

    assert serves(world) == ["v1"]


def test_a_person_lets_a_version_come_back(world: MemoryBackend, run: Run) -> None:
    """The same training gives the same model: without this nothing but another model would help."""
    deliver_all(world, run, PROD, 2)
    roll_back(PROD, "complaints", a_journal(world), last=True)
    world.ledger.leases.clear()
    again = run(plan_of(world, 2, PROD))
    assert serves(world) == ["v1"]
    with pytest.raises(Conflict):
        roll_back(PROD, "try", a_journal(world), last=True, to=2)
    world.ledger.leases.clear()

    release = readmit(PROD, 2, "visits", a_journal(world), who="bert", reason="the data was wrong, not the model")
    world.ledger.leases.clear()

    assert taken_back(world.registry.versions("visits")[1], world.ledger) == {}
    told = [event.what for event in world.ledger.events(release.id) if isinstance(event.what, Readmitted)]
    assert [(what.version, what.who) for what in told] == [("visits:2", "bert")]
    assert deploy(again, step_of(again, PROD), a_journal(world)).serves("prod")
    assert serves(world) == ["v2"]


@pytest.mark.parametrize("number", [1, 7])
def test_what_was_not_rolled_back_needs_nobody(world: MemoryBackend, run: Run, number: int) -> None:
    """Bad usage, told with the versions that were."""
    deliver_all(world, run, PROD, 2)
    roll_back(PROD, "complaints", a_journal(world), last=True)
    world.ledger.leases.clear()

    with pytest.raises(UsageError, match="was not rolled back from prod") as told:
        readmit(PROD, number, "visits", a_journal(world), who="bert", reason="?")
    assert "visits:2" in told.value.why
