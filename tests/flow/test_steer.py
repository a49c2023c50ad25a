"""What a person asks of a rollout: of one that another process drives right now, and of one that nobody drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from ctrain.bake import BakeSettings
from ctrain.errors import Conflict, NotRestored, PlatformUnavailable, StillRunning, UsageError
from ctrain.events import Resumed
from ctrain.flow.deploy import deploy
from ctrain.flow.follow import follow
from ctrain.flow.journal import Journal
from ctrain.flow.roll_back import taken_back
from ctrain.flow.steer import abort, pause, resume, step_of
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.rollout import RolloutSettings, Stage, Step, live
from ctrain.rollout.times import RESTORE_SECONDS
from ctrain.serving import Answer, DeploymentSpec, DeploymentState, Request, Traffic
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import MemoryBackend, MemoryServing, echo

JUDGE = BakeSettings(errors=0.05, per_second=2.0, min_requests=20)
CANARY = RolloutSettings("canary", steps=(10, 50, 100), bake="15s", judge=JUDGE)
PAUSING = replace(CANARY, steps=(10, Step(50, pause=True), 100))
ENDPOINT = PROD.endpoint


def prod(rollout: RolloutSettings) -> Stage:
    return replace(PROD, rollout=rollout)


@pytest.fixture
def served(world: MemoryBackend, run: Run) -> MemoryBackend:
    """Version 1 serves prod, and the next training gives another model."""
    assert run(a_plan(stages=[PROD])).ending is Ending.DELIVERED
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    return world


def second(world: MemoryBackend, rollout: RolloutSettings, commit: str = "c" * 40) -> Plan:
    champion = world.registry.champion("visits")
    return a_plan(stages=[prod(rollout)], commit=commit, champion=champion)


def third(world: MemoryBackend) -> Plan:
    """Of another commit, with another model."""
    world.trainer.outputs = outputs(quality=0.98, champion=1.0)
    champion = world.registry.champion("visits")
    return a_plan(stages=[prod(CANARY)], commit="d" * 40, champion=champion, parameters={"rate": 0.5})


def a_person(world: MemoryBackend) -> Journal:
    return Journal(world.ports, "anna on her laptop", lambda _: None)


def split(world: MemoryBackend) -> dict[str, int]:
    """The split, with versions for names."""
    return {name.partition("-")[0]: part for name, part in live(world.serving.endpoints[ENDPOINT].traffic).items()}


def kinds(world: MemoryBackend, release: Release) -> list[str]:
    return [event.what.kind for event in world.ledger.events(release.id)]


def meanwhile(world: MemoryBackend, at: int, act: Callable[[], object]) -> None:
    """Another process acts as version 2 is asked for the `at`-th time: the one that drives is in the midst of it."""
    asked = count()

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        if spec.model_version == 2 and next(asked) == at:
            act()
        return echo(spec, request)

    world.serving.model = model


def test_a_step_that_pauses_leaves_the_release_open_and_the_split_as_it_is(served: MemoryBackend, run: Run) -> None:
    """Run again, it is still paused, and nothing is written."""
    release = run(second(served, PAUSING))

    assert (release.paused_at, release.ending, split(served)) == ("prod", None, {"v1": 50, "v2": 50})
    before = served.writes
    assert run(second(served, PAUSING)).paused_at == "prod"
    assert served.writes == before


def test_a_person_lets_it_go_on_from_there(served: MemoryBackend, run: Run) -> None:
    """Who, when and why is recorded; what was watched is not watched again."""
    release = run(second(served, PAUSING))

    resume(prod(PAUSING), a_person(served), who="anna", reason="looks good")
    release = run(second(served, PAUSING))

    assert release.ending is Ending.DELIVERED
    assert kinds(served, release).count("watching") == 3
    told = [(event.by, event.what) for event in served.ledger.events(release.id) if isinstance(event.what, Resumed)]
    assert told == [("anna on her laptop", Resumed("prod", 50, "anna", "looks good"))]


def test_a_pause_is_noticed_by_who_drives(served: MemoryBackend, run: Run) -> None:
    """In the midst of a watch, within seconds, and without its lock: the split stays where it is."""
    asked: list[float] = []

    def act() -> None:
        pause(prod(CANARY), a_person(served), who="anna", reason="lunch")
        asked.append(served.clock.monotonic())

    meanwhile(served, 20, act)

    release = run(second(served, CANARY))

    assert release.paused_at == "prod"
    assert split(served) == {"v1": 90, "v2": 10}
    assert served.clock.monotonic() - asked[0] < 5
    assert "watched" not in kinds(served, release)


def test_a_watch_that_a_pause_cut_off_begins_again(served: MemoryBackend, run: Run) -> None:
    """Half an observation is no evidence; a pause that was asked for does not stand for the pause of a step."""
    meanwhile(served, 50, lambda: pause(prod(PAUSING), a_person(served), who="anna", reason="lunch"))
    assert run(second(served, PAUSING)).stages["prod"].paused == "anna asked for it: lunch"
    assert split(served) == {"v1": 50, "v2": 50}

    resume(prod(PAUSING), a_person(served), who="anna", reason="back")
    release = run(second(served, PAUSING))

    assert release.paused_at == "prod"
    assert split(served) == {"v1": 50, "v2": 50}
    assert kinds(served, release).count("watching") == 3
    assert kinds(served, release).count("watched") == 2


def test_an_abort_is_noticed_by_who_drives(served: MemoryBackend, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives the traffic back at once and ends as rolled back; whoever asked waits for that, and takes no lock."""
    monkeypatch.setattr("ctrain.flow.steer.HEED_SECONDS", 20.0)
    asked: list[object] = []

    def act() -> None:
        try:
            abort(prod(CANARY), a_person(served), who="anna", reason="complaints")
        except StillRunning as left:  # who drives is this very process here: it goes on once we have given up waiting
            asked.append(left)

    meanwhile(served, 20, act)

    release = run(second(served, CANARY))

    assert len(asked) == 1
    assert (release.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})
    assert release.why == "prod: anna aborted it: complaints"


def test_an_abort_outlives_a_driver_that_hangs(served: MemoryBackend, run: Run) -> None:
    """Its lock runs out by itself; then whoever asked does it, and the driver that wakes up writes nothing more."""
    meanwhile(served, 20, lambda: abort(prod(CANARY), a_person(served), who="anna", reason="complaints"))

    with pytest.raises(Conflict, match="lost"):
        run(second(served, CANARY))
    assert split(served) == {"v1": 100}


def test_an_abort_of_one_that_nobody_drives_is_done_at_once(served: MemoryBackend, run: Run) -> None:
    """By who asks; what had live traffic is marked, and the commit does not come back by itself."""
    run(second(served, PAUSING))

    release = abort(prod(PAUSING), a_person(served), who="anna", reason="complaints")

    assert (release.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})
    assert release.version is not None
    assert taken_back(release.version, served.ledger) == {"prod": "anna aborted it: complaints"}
    assert served.ledger.leases == {}
    again = run(second(served, PAUSING, "d" * 40))
    assert again.ending is Ending.ROLLED_BACK
    assert "complaints" in again.why


@pytest.mark.parametrize("act", [pause, resume, abort])
def test_where_nothing_is_under_way_nothing_is_asked(served: MemoryBackend, act: Callable[..., Release]) -> None:
    """Bad usage, and nothing is written."""
    before = served.writes

    with pytest.raises(UsageError, match="no rollout is under way"):
        act(PROD, a_person(served), who="anna", reason="?")
    assert served.writes == before


def test_what_goes_on_cannot_be_resumed(served: MemoryBackend, run: Run) -> None:
    """Only what was paused waits for a person."""
    meanwhile(served, 20, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(second(served, CANARY))

    with pytest.raises(UsageError, match="is not paused"):
        resume(prod(CANARY), a_person(served), who="anna", reason="?")


def test_the_traffic_goes_back_before_the_log_is_fetched(served: MemoryBackend, run: Run) -> None:
    """And that there is no log keeps nothing from being restored."""
    splits: list[Traffic] = []

    def no_log(endpoint: str, deployment: str) -> str:
        splits.append(split(served))
        raise PlatformUnavailable("no log", why="the platform is ill", hint="later")

    served.serving.logs = no_log  # type: ignore[method-assign]
    asked = count()
    served.serving.model = lambda spec, request: (
        Answer(500, b"", 0.001, spec.name) if spec.model_version == 2 and next(asked) > 15 else echo(spec, request)
    )

    release = run(second(served, CANARY))

    assert release.ending is Ending.ROLLED_BACK
    assert splits == [{"v1": 100}]
    assert kinds(served, release)[-5:] == ["shifted", "logged", "removing", "restored", "closed"]
    assert release.version is not None
    assert "prod" in taken_back(release.version, served.ledger)


def test_what_never_had_live_traffic_is_not_marked(served: MemoryBackend, run: Run) -> None:
    """It hurt nobody: a person may try it again."""
    plan = second(served, CANARY)
    served.serving.model = lambda spec, request: (
        Answer(500, b"", 0.001, spec.name) if spec.model_version == 2 else echo(spec, request)
    )
    release = run(plan)
    assert release.ending is Ending.ROLLED_BACK
    assert release.version is not None
    assert taken_back(release.version, served.ledger) == {}
    served.serving.model = echo

    release = deploy(release, step_of(release, PROD), a_person(served))

    assert release.serves("prod")


class Torn(MemoryServing):
    """Traffic cannot be given back to version 1 for so many tries."""

    tries: int = 0

    def route(self, endpoint: str, traffic: Traffic) -> None:
        if self.tries and any(name.startswith("v1-") and part == 100 for name, part in traffic.items()):
            self.tries -= 1
            raise PlatformUnavailable("the traffic cannot be moved", why="the platform is ill", hint="later")
        super().route(endpoint, traffic)


def torn(world: MemoryBackend, tries: int) -> None:
    made = Torn(clock=world.clock, endpoints=world.serving.endpoints, specs=world.serving.specs)
    made.tries = tries
    world.serving = made
    asked = count()
    made.model = lambda spec, request: (
        Answer(500, b"", 0.001, spec.name) if spec.model_version == 2 and next(asked) > 15 else echo(spec, request)
    )


def test_a_platform_that_fails_is_asked_again_for_the_traffic(served: MemoryBackend, run: Run) -> None:
    """A bad version is not left with its traffic for an answer that did not come."""
    torn(served, 5)

    release = run(second(served, CANARY))

    assert (release.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})


def test_where_it_cannot_be_given_back_a_person_is_called(served: MemoryBackend, run: Run) -> None:
    """With the commands; the release stays open, and running again goes on with just that."""
    torn(served, 1000)
    began = served.clock.monotonic()

    with pytest.raises(NotRestored, match="could not be given back") as told:
        run(second(served, CANARY))

    assert "ctrain rollout abort prod" in told.value.commands
    assert served.clock.monotonic() - began < RESTORE_SECONDS + 120
    torn(served, 0)
    assert run(second(served, CANARY)).ending is Ending.ROLLED_BACK
    assert split(served) == {"v1": 100}


def sick(world: MemoryBackend, version: int, state: DeploymentState = DeploymentState.FAILED) -> None:
    seen = world.serving.endpoints[ENDPOINT]
    made = {
        name: replace(one, state=state, ready=False) if one.model_version == version else one
        for name, one in seen.deployments.items()
    }
    world.serving.endpoints[ENDPOINT] = replace(seen, deployments=made)


def test_a_stage_that_was_not_restored_is_restored_by_an_abort(served: MemoryBackend, run: Run) -> None:
    """What served before was down just then. Once it is well again, the command that was printed brings it back."""
    asked = count()

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        if spec.model_version == 2 and next(asked) > 15:
            sick(served, 1)
            return Answer(500, b"", 0.001, spec.name)
        return echo(spec, request)

    served.serving.model = model
    release = run(second(served, CANARY))
    assert release.ending is Ending.NOT_RESTORED
    assert follow(PROD, served.ports).state == "not restored"
    seen = served.serving.endpoints[ENDPOINT]
    well = {name: replace(one, state=DeploymentState.SUCCEEDED, ready=True) for name, one in seen.deployments.items()}
    served.serving.endpoints[ENDPOINT] = replace(seen, deployments=well)

    release = abort(PROD, a_person(served), who="anna", reason="it is well again")

    assert (release.ending, split(served)) == (Ending.ROLLED_BACK, {"v1": 100})


def test_a_paused_rollout_keeps_others_out(served: MemoryBackend, run: Run) -> None:
    """A person decides about it first; the stage is left as it is."""
    run(second(served, PAUSING))

    with pytest.raises(Conflict, match="is paused"):
        run(third(served))
    assert split(served) == {"v1": 50, "v2": 50}


def test_a_rollout_that_was_left_is_taken_back_before_another_one_begins(served: MemoryBackend, run: Run) -> None:
    """A failure of the third must not bring the second's share back. Who made room is not marked."""
    meanwhile(served, 20, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(second(served, CANARY))
    served.serving.model = echo

    release = run(third(served))

    assert release.ending is Ending.DELIVERED
    assert [name.partition("-")[0] for name in release.stages["prod"].before or {}] == ["v1"]
    (left,) = [name for name in served.ledger.releases() if "ccccccc" in name]
    assert [event.what for event in served.ledger.events(left)][-1].kind == "closed"
    assert split(served) == {"v3": 100}
    assert taken_back(served.registry.versions("visits")[1], served.ledger) == {}


def test_who_does_without_what_was_removed_says_so(served: MemoryBackend, run: Run) -> None:
    """The old deployment went away in the midst: the run stops, and goes on once a person lets it."""
    blue_green = RolloutSettings("blue_green", bake="15s", judge=JUDGE)

    def removes() -> None:
        seen = served.serving.endpoints[ENDPOINT]
        left = {name: one for name, one in seen.deployments.items() if one.model_version == 2}
        served.serving.endpoints[ENDPOINT] = replace(seen, deployments=left, traffic=live(seen.traffic))

    meanwhile(served, 20, removes)
    with pytest.raises(Conflict, match="somebody else changes") as told:
        run(second(served, blue_green))
    assert "kept for a rollback, was removed" in told.value.why

    resume(prod(blue_green), a_person(served), who="anna", reason="it was me")

    assert run(second(served, blue_green)).ending is Ending.DELIVERED


def test_somebodys_mirror_stops_a_watch_within_seconds(served: MemoryBackend, run: Run) -> None:
    """The endpoint is looked at while it is watched, not only at its end."""
    changed: list[float] = []

    def mirrors() -> None:
        seen = served.serving.endpoints[ENDPOINT]
        name = next(iter(seen.deployments))
        served.serving.endpoints[ENDPOINT] = replace(seen, mirror={name: 20})
        changed.append(served.clock.monotonic())

    meanwhile(served, 20, mirrors)

    with pytest.raises(Conflict, match="somebody else changes") as told:
        run(second(served, replace(CANARY, bake="600s")))
    assert "mirrored" in told.value.why
    assert served.clock.monotonic() - changed[0] < 20
