"""Every pair of what is wanted and what is seen has one next action, and none of them endangers what serves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.bake import BakeSettings
from ctrain.rollout import (
    Action,
    Begin,
    Collect,
    Create,
    DeploymentSettings,
    Done,
    Mirror,
    Pause,
    Place,
    Reject,
    Remove,
    Restored,
    Rollout,
    RolloutSettings,
    Seen,
    Shift,
    Smoke,
    Stage,
    Step,
    Stuck,
    Wait,
    Watch,
    Yield,
    deployment_of,
    foreign_change,
    live,
    next_step,
    split,
    times_of,
)
from ctrain.rollout.times import RECOVER_SECONDS, RESTORE_SECONDS
from ctrain.serving import Deployment, DeploymentState, Endpoint
from ctrain.smoke import Load, SmokeSettings
from ctrain.verdict import Outcome
from tests.builders import a_version

TARGET = deployment_of(a_version(2), DeploymentSettings())
NEW, OLD, OLDER = TARGET.name, "v1-old", "v0-older"
WANTED = Rollout("prod", TARGET)


def a_deployment(name: str, state: DeploymentState = DeploymentState.SUCCEEDED, *, ready: bool = True) -> Deployment:
    return Deployment(name, state, ready, model="visits", model_version=1, model_digest=TARGET.model_digest)


def an_endpoint(traffic: dict[str, int], *deployments: Deployment, running: bool = True) -> Endpoint:
    return Endpoint("prod", "http://prod/score", running, traffic, {}, {one.name: one for one in deployments})


def mirrored(mirror: dict[str, int]) -> Endpoint:
    return replace(an_endpoint(BEFORE, *BOTH, a_deployment(OLDER)), mirror=mirror)


BOTH = (a_deployment(OLD), a_deployment(NEW))
STARTING = a_deployment(NEW, DeploymentState.CREATING, ready=False)
FAILED = a_deployment(NEW, DeploymentState.FAILED, ready=False)
CANCELED = a_deployment(NEW, DeploymentState.CANCELED, ready=False)
LEAVING = a_deployment(NEW, DeploymentState.DELETING, ready=False)
OLD_IS_SICK = a_deployment(OLD, ready=False)
BEFORE = {OLD: 100}
PASS, FAIL = Outcome.PASS, Outcome.FAIL


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        pytest.param(Seen(None), Create(), id="no endpoint"),
        pytest.param(Seen(an_endpoint({}, running=False)), Create(), id="endpoint down"),
        pytest.param(Seen(an_endpoint(BEFORE, *BOTH)), Begin(NEW, BEFORE), id="not begun"),
        pytest.param(Seen(an_endpoint(BEFORE, BOTH[0]), BEFORE), Place(TARGET), id="not placed"),
        pytest.param(Seen(an_endpoint(BEFORE, BOTH[0], STARTING), BEFORE), Wait(NEW), id="starting"),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], CANCELED), BEFORE), Place(TARGET), id="cancelled by the platform"
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], LEAVING), BEFORE), Wait(NEW), id="being deleted, and wanted again"
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], STARTING), BEFORE, overdue=True),
            Reject(NEW, "it did not become ready in time"),
            id="starting for too long",
        ),
        pytest.param(Seen(an_endpoint(BEFORE, *BOTH), BEFORE), Smoke(NEW, live=False), id="ready"),
        pytest.param(Seen(an_endpoint(BEFORE, *BOTH), BEFORE, PASS), Shift({OLD: 0, NEW: 100}), id="smoked"),
        pytest.param(
            Seen(an_endpoint(BEFORE, *BOTH), BEFORE, FAIL),
            Reject(NEW, "its smoke tests ended in fail"),
            id="smoked: no",
        ),
        pytest.param(Seen(an_endpoint({OLD: 0, NEW: 100}, *BOTH), BEFORE, PASS), Smoke(NEW, live=True), id="shifted"),
        pytest.param(Seen(an_endpoint({NEW: 100}, *BOTH), BEFORE, PASS, PASS), Done(), id="proven"),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, *BOTH, a_deployment(OLDER)), BEFORE, PASS, PASS),
            Remove(OLDER, "it is older than the one that is kept for a rollback"),
            id="proven, and an older one is about",
        ),
        pytest.param(
            Seen(
                an_endpoint({NEW: 100}, *BOTH, a_deployment(OLDER, DeploymentState.DELETING, ready=False)),
                BEFORE,
                PASS,
                PASS,
            ),
            Done(),
            id="proven, and an older one is being deleted",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, *BOTH), BEFORE, PASS, FAIL),
            Reject(NEW, "the smoke tests through the endpoint ended in fail"),
            id="proven: no",
        ),
        pytest.param(
            Seen(an_endpoint({OLD: 0, NEW: 100}, *BOTH), BEFORE, PASS, FAIL, "why"),
            Shift({OLD: 100, NEW: 0}),
            id="given up while serving",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, OLD_IS_SICK, BOTH[1]), BEFORE, PASS, FAIL, "why"),
            Wait(OLD),
            id="given up, and the old one is sick at the moment",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, OLD_IS_SICK, BOTH[1]), BEFORE, PASS, FAIL, "why", overdue=True),
            Stuck("why"),
            id="given up, and the old one stays sick",
        ),
        pytest.param(
            Seen(
                an_endpoint({NEW: 100}, a_deployment(OLD, FAILED.state, ready=False), BOTH[1]), BEFORE, rejected="why"
            ),
            Stuck("why"),
            id="given up, and the old one has failed",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[1]), BEFORE, rejected="why"),
            Stuck("why"),
            id="given up, the old one gone",
        ),
        pytest.param(Seen(None, BEFORE, rejected="why"), Stuck("why"), id="given up, and the endpoint is gone"),
        pytest.param(
            Seen(an_endpoint({NEW: 100, OLD: 0}, *BOTH), BEFORE, rejected="why", paused="anna"),
            Shift({OLD: 100, NEW: 0}),
            id="given up, whoever paused it",
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, *BOTH), BEFORE, rejected="why"), Collect(NEW), id="given up at 0%: the log"
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, *BOTH), BEFORE, rejected="why", logged=True),
            Remove(NEW, "it was given up"),
            id="given up at 0%, and logged",
        ),
        pytest.param(
            Seen(mirrored({NEW: 10}), BEFORE, rejected="why"),
            Mirror({}),
            id="given up while requests are mirrored to it",
        ),
        pytest.param(
            Seen(mirrored({OLDER: 10}), BEFORE, rejected="why", logged=True),
            Remove(NEW, "it was given up"),
            id="given up, and somebody mirrors to another one",
        ),
        pytest.param(
            Seen(an_endpoint({OLD: 90, NEW: 10}, *BOTH), BEFORE, PASS, aborted="anna"),
            Reject(NEW, "anna"),
            id="aborted",
        ),
        pytest.param(Seen(None, BEFORE, PASS, aborted="anna"), Reject(NEW, "anna"), id="aborted without an endpoint"),
        pytest.param(
            Seen(an_endpoint({OLD: 37, NEW: 63}, *BOTH), BEFORE, PASS, aborted="anna"),
            Reject(NEW, "anna"),
            id="aborted, whatever somebody else did",
        ),
        pytest.param(
            Seen(an_endpoint({OLD: 37, NEW: 63}, *BOTH), BEFORE, PASS, rejected="anna", aborted="anna"),
            Shift({OLD: 100, NEW: 0}),
            id="aborted, and given back whatever somebody else did",
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], STARTING), BEFORE, paused="anna"),
            Pause(0, "anna"),
            id="paused as it starts",
        ),
        pytest.param(
            Seen(an_endpoint({OLD: 0, NEW: 100}, *BOTH), BEFORE, PASS, paused="anna"),
            Pause(100, "anna"),
            id="paused with all of the traffic",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[0], FAILED), BEFORE, PASS, paused="anna"),
            Reject(NEW, "the platform says that the deployment failed"),
            id="paused, and it failed while it serves",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[0], STARTING), BEFORE, PASS, overdue=True),
            Reject(NEW, "it was not healthy any more"),
            id="not healthy any more while it serves",
        ),
        pytest.param(Seen(None, BEFORE, PASS), Yield("the endpoint was deleted"), id="the endpoint was deleted"),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, *BOTH, a_deployment(OLDER)), BEFORE, PASS, PASS, kept=frozenset({OLDER})),
            Done(),
            id="proven, and an older one is kept for a while",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, *BOTH, replace(a_deployment(OLDER), model_digest="")), BEFORE, PASS, PASS),
            Done(),
            id="proven, and somebody else's deployment is about",
        ),
        pytest.param(Seen(an_endpoint(BEFORE, BOTH[0]), BEFORE, rejected="why"), Restored("why"), id="restored"),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], LEAVING), BEFORE, rejected="why"),
            Restored("why"),
            id="given up, and being deleted",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[1]), {NEW: 100}, rejected="why"),
            Restored("why"),
            id="given up, but it served before as well",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[1]), {}, PASS, FAIL, "why"), Shift({NEW: 0}), id="the first one, given up"
        ),
    ],
)
def test_the_next_step(seen: Seen, action: Action) -> None:
    """The table of a rollout, row by row."""
    assert next_step(WANTED, seen) == action


def test_a_failed_deployment_is_rejected_for_its_own_reason() -> None:
    """What the platform says goes into the record."""
    failed = Deployment(NEW, DeploymentState.FAILED, False, "visits", 2, TARGET.model_digest, error="init() raised")

    assert next_step(WANTED, Seen(an_endpoint(BEFORE, BOTH[0], failed), BEFORE)) == Reject(NEW, "init() raised")


def test_a_deployments_name_tells_its_version_and_settings() -> None:
    """Other settings are another deployment; the same are the same."""
    again = deployment_of(a_version(2), DeploymentSettings())
    other = deployment_of(a_version(2), DeploymentSettings(instance_count=2))

    assert again == TARGET
    assert other.name != NEW
    assert NEW.startswith("v2-")
    assert len(NEW) <= 32


JUDGE = BakeSettings(errors=0.05)
CANARY = Rollout("prod", TARGET, RolloutSettings("canary", steps=(10, 50, 100), bake="5m", mirror=10, judge=JUDGE))
BLUE_GREEN = Rollout("prod", TARGET, RolloutSettings("blue_green", bake="5m", judge=JUDGE))
PAUSING = (10, Step(50, bake="10m", pause=True), Step(100, pause=True))
WITH_PAUSES = Rollout("prod", TARGET, RolloutSettings("canary", steps=PAUSING, bake="5m", judge=JUDGE))

outcomes = st.none() | st.sampled_from(Outcome)
splits = st.sampled_from(
    [
        {},
        {OLD: 100},
        {NEW: 100},
        {OLD: 90, NEW: 10},
        {OLD: 50, NEW: 50},
        {OLD: 0, NEW: 100},
        {OLDER: 100},
        {OLD: 37, NEW: 63},
    ]
)
mirrors = st.sampled_from([{}, {}, {NEW: 10}, {NEW: 20}, {OLDER: 10}])
states = st.none() | st.sampled_from(
    [BOTH[1], BOTH[1], STARTING, FAILED, CANCELED, LEAVING, replace(BOTH[1], model_digest="x")]
)
old_ones = st.sampled_from(
    [
        (),
        (BOTH[0],),
        (BOTH[0],),
        (OLD_IS_SICK,),
        (BOTH[0], a_deployment(OLDER)),
        (BOTH[0], replace(a_deployment(OLDER), model_digest="")),
    ]
)
rollouts = st.sampled_from([WANTED, CANARY, BLUE_GREEN, WITH_PAUSES])
asked = st.none() | st.just("anna")


@st.composite
def anything_seen(draw: st.DrawFn) -> Seen:
    target = draw(states)
    deployments = (*draw(old_ones), *([target] if target else []))
    endpoint = an_endpoint(draw(splits), *deployments, running=draw(st.sampled_from([True, True, True, False])))
    return Seen(
        draw(st.none() | st.just(replace(endpoint, mirror=draw(mirrors)))),
        draw(st.none() | st.sampled_from([{}, {OLD: 100}, {OLD: 100}, {NEW: 100}])),
        draw(outcomes),
        draw(outcomes),
        draw(asked),
        draw(st.booleans()),
        draw(
            st.dictionaries(
                st.sampled_from([0, 10, 50, 100]), st.sampled_from([Outcome.PASS, Outcome.PASS, Outcome.FAIL])
            )
        ),
        logged=draw(st.booleans()),
        paused=draw(asked),
        aborted=draw(asked),
        resumed=draw(st.frozensets(st.sampled_from([10, 50, 100]))),
        missed=draw(st.frozensets(st.just(OLD))),
        kept=draw(st.frozensets(st.just(OLDER))),
    )


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_no_step_endangers_what_serves(wanted: Rollout, seen: Seen) -> None:
    """Whatever is seen: a split sums to 100 and goes to what is healthy, and nothing that serves or is kept goes."""
    action = next_step(wanted, seen)

    match action:
        case Shift(traffic):
            assert seen.endpoint is not None
            after = live({**seen.endpoint.traffic, **traffic})
            assert sum(after.values()) == 100 or (after == {} and seen.before == {})
            assert all(seen.endpoint.deployments[name].healthy for name in after)
            assert after == seen.before or seen.smoked is Outcome.PASS
        case Mirror(mirror) if mirror:
            assert seen.endpoint is not None
            assert seen.smoked is Outcome.PASS
            assert seen.endpoint.deployments[NEW].healthy
            assert live(seen.endpoint.traffic) == seen.before
        case Remove(deployment):
            assert seen.endpoint is not None
            assert deployment not in live(seen.endpoint.traffic)
            assert deployment not in live(seen.endpoint.mirror)
            assert deployment not in (seen.before or {})
            assert deployment == NEW or deployment not in seen.kept
            assert seen.endpoint.deployments[deployment].ours or deployment == NEW
        case Done():
            assert seen.endpoint is not None
            assert live(seen.endpoint.traffic) == {NEW: 100}
            assert seen.proven is Outcome.PASS
        case Restored():
            assert seen.endpoint is None or live(seen.endpoint.traffic) == seen.before
        case _:
            pass


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_what_served_before_stays_until_the_bake_is_over(wanted: Rollout, seen: Seen) -> None:
    """Nothing of it is removed, and the promotion waits for every watch that was asked for, and for every person."""
    action = next_step(wanted, seen)

    if isinstance(action, Remove):
        assert action.deployment not in (seen.before or {})
    if isinstance(action, Done) and seen.before and NEW not in seen.before:
        assert wanted.settings.bakes.get(100, 0) == 0 or seen.watched.get(100) is Outcome.PASS
        assert all(outcome is Outcome.PASS for outcome in seen.watched.values())
        assert 100 not in wanted.settings.pauses or 100 in seen.resumed
    if isinstance(action, Done) and seen.before and seen.endpoint is not None:
        assert all(name in seen.endpoint.deployments or name in seen.missed for name in seen.before)


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_the_next_share_waits_for_its_watch_and_its_person(wanted: Rollout, seen: Seen) -> None:
    """More traffic comes only after the share before it was watched, passed, and, where its step says so, let go on."""
    action = next_step(wanted, seen)

    if isinstance(action, Shift) and seen.rejected is None and seen.before and seen.endpoint is not None:
        share = live(seen.endpoint.traffic).get(NEW, 0)
        assert action.traffic[NEW] == next(one for one in wanted.settings.shares if one > share)
        assert wanted.settings.bake_at(share) == 0 or seen.watched.get(share) is Outcome.PASS
        assert share not in wanted.settings.pauses or share in seen.resumed


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_what_was_given_up_gets_no_traffic_again(wanted: Rollout, seen: Seen) -> None:
    """Once rejected, no step places, watches or promotes it; and its log is fetched only once it serves nobody."""
    action = next_step(wanted, seen)

    if seen.rejected is not None and seen.before is not None:
        assert isinstance(action, Shift | Mirror | Collect | Remove | Restored | Stuck | Create | Wait | Yield)
        if isinstance(action, Shift):
            assert live(action.traffic) == seen.before
    if isinstance(action, Collect):
        assert seen.endpoint is not None
        assert live(seen.endpoint.traffic) == seen.before


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_a_pause_changes_nothing_and_stops_nothing_from_being_taken_back(wanted: Rollout, seen: Seen) -> None:
    """While a person's pause stands, the only steps are those that protect what serves."""
    action = next_step(wanted, seen)

    if seen.paused is not None and seen.before is not None and seen.rejected is None and seen.aborted is None:
        assert isinstance(action, Pause | Yield | Reject | Wait | Create | Place)
        share = live(seen.endpoint.traffic).get(NEW, 0) if seen.endpoint else 0
        assert not isinstance(action, Place) or share > 0


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_an_abort_always_leads_back(wanted: Rollout, seen: Seen) -> None:
    """A person says how it shall be: the version is given up at once, whatever somebody else did."""
    action = next_step(wanted, seen)

    if seen.aborted is not None and seen.before is not None:
        assert not isinstance(action, Yield | Pause | Place | Smoke | Watch | Done)


@settings(max_examples=60)
@given(rollouts, anything_seen())
def test_a_foreign_change_is_never_written_over(wanted: Rollout, seen: Seen) -> None:
    """Where somebody else changed what this rollout goes by, no step changes anything, but for a person's abort."""
    if seen.endpoint is None or not seen.endpoint.running or seen.before is None or seen.aborted is not None:
        return
    if seen.rejected is None and foreign_change(wanted, seen.endpoint, seen.before, seen) is not None:
        assert isinstance(next_step(wanted, seen), Yield)


shares = st.integers(0, 100)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 98), min_size=1), shares)
def test_a_split_sums_to_100_and_keeps_the_proportions(parts: dict[str, int], share: int) -> None:
    """Whatever served before, each of them loses its part to within one percent."""
    total = sum(parts.values())
    before = {name: percent * 100 // total for name, percent in parts.items()}
    before[max(before, key=before.__getitem__)] += 100 - sum(before.values())

    made = split(before, "new", share)

    assert sum(made.values()) == 100
    assert made["new"] == share
    assert all(abs(made[name] - percent * (100 - share) / 100) < 1 for name, percent in live(before).items())


@pytest.mark.parametrize(
    ("traffic", "mirror", "watched", "action"),
    [
        ({OLD: 100}, {}, {}, Mirror({NEW: 10})),
        ({OLD: 100}, {NEW: 10}, {}, Watch(NEW, 0)),
        ({OLD: 100}, {NEW: 10}, {0: Outcome.PASS}, Mirror({})),
        ({OLD: 100}, {}, {0: Outcome.PASS}, Shift({OLD: 90, NEW: 10})),
        ({OLD: 90, NEW: 10}, {}, {0: Outcome.PASS}, Watch(NEW, 10)),
        ({OLD: 90, NEW: 10}, {}, {0: Outcome.PASS, 10: Outcome.PASS}, Shift({OLD: 50, NEW: 50})),
        (
            {OLD: 50, NEW: 50},
            {},
            {0: Outcome.PASS, 10: Outcome.PASS, 50: Outcome.PASS},
            Shift({OLD: 0, NEW: 100}),
        ),
        (
            {OLD: 90, NEW: 10},
            {},
            {0: Outcome.PASS, 10: Outcome.FAIL},
            Reject(NEW, "watching it at 10% of the traffic ended in fail"),
        ),
        (
            {OLD: 90, NEW: 10},
            {},
            {0: Outcome.PASS, 10: Outcome.INCONCLUSIVE},
            Reject(NEW, "watching it at 10% of the traffic ended in inconclusive"),
        ),
    ],
)
def test_the_steps_of_a_canary(
    traffic: dict[str, int], mirror: dict[str, int], watched: dict[int, Outcome], action: Action
) -> None:
    """Mirrored, then step by step; each is watched before the next, and anything but a pass ends it."""
    endpoint = replace(an_endpoint(traffic, *BOTH), mirror=mirror)
    seen = Seen(endpoint, before={OLD: 100}, smoked=Outcome.PASS, watched=watched)

    assert next_step(CANARY, seen) == action


def test_what_somebody_else_did_is_left_alone() -> None:
    """A split that is none of this rollout's."""
    endpoint = an_endpoint({OLD: 73, NEW: 27}, *BOTH)

    action = next_step(CANARY, Seen(endpoint, before={OLD: 100}, smoked=Outcome.PASS))

    assert isinstance(action, Yield)
    assert "73%" in action.why


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param(Seen(mirrored({OLDER: 20}), BEFORE, PASS), "mirrored, v0-older 20%", id="another mirror"),
        pytest.param(Seen(mirrored({NEW: 30}), BEFORE, PASS), "mirrors 10% to", id="another share of the mirror"),
        pytest.param(
            Seen(an_endpoint(BEFORE, BOTH[0], replace(BOTH[1], model_digest="x")), BEFORE, PASS),
            "was replaced",
            id="another model under its name",
        ),
        pytest.param(Seen(an_endpoint(BEFORE, BOTH[0]), BEFORE, PASS), "was removed", id="ours removed"),
        pytest.param(Seen(an_endpoint(BEFORE, BOTH[0], LEAVING), BEFORE, PASS), "was removed", id="ours being removed"),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[1]), BEFORE, PASS),
            "kept for a rollback, was removed",
            id="the old one removed",
        ),
        pytest.param(
            Seen(an_endpoint({NEW: 100}, BOTH[1], a_deployment(OLD, LEAVING.state)), BEFORE, PASS),
            "kept for a rollback, was removed",
            id="the old one being removed",
        ),
    ],
)
def test_each_foreign_change_is_told(seen: Seen, told: str) -> None:
    """Not the split alone: what is mirrored, what was placed, and what a rollback needs."""
    action = next_step(CANARY, seen)

    assert isinstance(action, Yield)
    assert told in action.why


def test_a_person_can_do_without_what_is_gone() -> None:
    """They said so as they let it go on."""
    seen = Seen(an_endpoint({NEW: 100}, BOTH[1]), BEFORE, PASS, missed=frozenset({OLD}))

    assert next_step(CANARY, seen) == Smoke(NEW, live=True)


@pytest.mark.parametrize(
    ("traffic", "watched", "resumed", "action"),
    [
        ({OLD: 50, NEW: 50}, {10}, set(), Watch(NEW, 50)),
        ({OLD: 50, NEW: 50}, {10, 50}, set(), Pause(50, "its step says `pause`")),
        ({OLD: 50, NEW: 50}, {10, 50}, {50}, Shift({OLD: 0, NEW: 100})),
        ({NEW: 100}, {10, 50, 100}, {50}, Pause(100, "its step says `pause`")),
        ({NEW: 100}, {10, 50, 100}, {50, 100}, Done()),
    ],
)
def test_a_step_that_pauses_is_watched_first(
    traffic: dict[str, int], watched: set[int], resumed: set[int], action: Action
) -> None:
    """A person decides on what was seen; what failed its watch does not wait for one."""
    seen = Seen(
        an_endpoint(traffic, *BOTH),
        BEFORE,
        PASS,
        PASS,
        watched=dict.fromkeys(watched, PASS),
        resumed=frozenset(resumed),
    )

    assert next_step(WITH_PAUSES, seen) == action


def test_a_step_is_watched_for_as_long_as_it_says() -> None:
    """Its own time, or the rollout's; and the least time that a promotion takes is their sum."""
    settings = RolloutSettings("canary", steps=(10, Step(50, bake="10m"), Step(100, pause=True)), bake="5m", mirror=5)

    assert settings.bakes == {0: 300, 10: 300, 50: 600, 100: 300}
    assert settings.at_least == 1500
    assert settings.pauses == {100}


def test_what_a_promotion_and_a_rollback_take_is_the_sum_of_its_parts() -> None:
    """Each part has its name, and comes from the settings, our limits or the platform's; pauses are told apart."""
    settings = RolloutSettings("canary", steps=(10, Step(50, bake="10m", pause=True), 100), bake="5m", mirror=5)
    stage = Stage("prod", "visits-prod", smoke=SmokeSettings(load=Load(30, 4, 250)), rollout=settings)

    times = times_of(stage, serving=True, route_seconds=35)

    assert times.at_least == sum(part.seconds for part in times.promotion) == 30 + settings.at_least == 1530
    assert times.pauses == (50,)
    assert times.at_most == sum(part.seconds for part in times.rollback) == RECOVER_SECONDS + RESTORE_SECONDS + 35


def test_a_first_version_waits_for_its_load_only() -> None:
    """Nothing serves that could be hurt, and nothing is watched."""
    settings = RolloutSettings("canary", steps=(10, Step(100, pause=True)), bake="5m")
    times = times_of(Stage("prod", "visits-prod", rollout=settings), serving=False, route_seconds=0)

    assert (times.at_least, times.promotion, times.pauses) == (0, (), ())
