"""Every pair of what is wanted and what is seen has one next action, and none of them endangers what serves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.rollout import (
    Action,
    Begin,
    Create,
    DeploymentSettings,
    Done,
    Mirror,
    Place,
    Reject,
    Remove,
    Restored,
    Rollout,
    RolloutSettings,
    Seen,
    Shift,
    Smoke,
    Stuck,
    Wait,
    Watch,
    Yield,
    deployment_of,
    live,
    next_step,
    split,
)
from ctrain.serving import Deployment, DeploymentState, Endpoint
from ctrain.verdict import Outcome
from tests.builders import a_version

TARGET = deployment_of(a_version(2), DeploymentSettings())
NEW, OLD, OLDER = TARGET.name, "v1-old", "v0-older"
WANTED = Rollout("prod", TARGET)


def a_deployment(name: str, state: DeploymentState = DeploymentState.SUCCEEDED, *, ready: bool = True) -> Deployment:
    return Deployment(name, state, ready, model="visits", model_version=1, model_digest="d")


def an_endpoint(traffic: dict[str, int], *deployments: Deployment, running: bool = True) -> Endpoint:
    return Endpoint("prod", "http://prod/score", running, traffic, {}, {one.name: one for one in deployments})


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
        pytest.param(Seen(an_endpoint(BEFORE, STARTING), BEFORE), Wait(NEW), id="starting"),
        pytest.param(Seen(an_endpoint(BEFORE, CANCELED), BEFORE), Place(TARGET), id="cancelled by the platform"),
        pytest.param(Seen(an_endpoint(BEFORE, LEAVING), BEFORE), Wait(NEW), id="being deleted, and wanted again"),
        pytest.param(
            Seen(an_endpoint(BEFORE, STARTING), BEFORE, overdue=True),
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
            Stuck("why"),
            id="given up, and the old one is sick",
        ),
        pytest.param(
            Seen(an_endpoint(BEFORE, *BOTH), BEFORE, rejected="why"),
            Remove(NEW, "it was given up"),
            id="given up at 0%",
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
    failed = Deployment(NEW, DeploymentState.FAILED, False, "visits", 2, "d", error="init() raised")

    assert next_step(WANTED, Seen(an_endpoint(BEFORE, failed), BEFORE)) == Reject(NEW, "init() raised")


def test_a_deployments_name_tells_its_version_and_settings() -> None:
    """Other settings are another deployment; the same are the same."""
    again = deployment_of(a_version(2), DeploymentSettings())
    other = deployment_of(a_version(2), DeploymentSettings(instance_count=2))

    assert again == TARGET
    assert other.name != NEW
    assert NEW.startswith("v2-")
    assert len(NEW) <= 32


outcomes = st.none() | st.sampled_from(Outcome)
splits = st.sampled_from([{}, {OLD: 100}, {NEW: 100}, {OLD: 90, NEW: 10}, {OLD: 0, NEW: 100}, {OLDER: 100}])
states = st.none() | st.sampled_from([BOTH[1], STARTING, FAILED, CANCELED, LEAVING])
old_ones = st.sampled_from([(), (BOTH[0],), (OLD_IS_SICK,), (BOTH[0], a_deployment(OLDER))])


@st.composite
def anything_seen(draw: st.DrawFn) -> Seen:
    target = draw(states)
    deployments = (*draw(old_ones), *([target] if target else []))
    endpoint = an_endpoint(draw(splits), *deployments, running=draw(st.booleans()))
    return Seen(
        draw(st.none() | st.just(endpoint)),
        draw(st.none() | st.sampled_from([{}, {OLD: 100}, {NEW: 100}])),
        draw(outcomes),
        draw(outcomes),
        draw(st.none() | st.just("why")),
        draw(st.booleans()),
    )


@given(anything_seen())
def test_no_step_endangers_what_serves(seen: Seen) -> None:
    """Whatever is seen: traffic goes only to what is healthy, and nothing that serves or is kept is removed."""
    action = next_step(WANTED, seen)

    match action:
        case Shift(traffic):
            assert seen.endpoint is not None
            after = live({**seen.endpoint.traffic, **traffic})
            assert sum(after.values()) == 100 or (after == {} and seen.before == {})
            assert all(seen.endpoint.deployments[name].healthy for name in after)
            assert after == seen.before or seen.smoked is Outcome.PASS
        case Remove(deployment):
            assert seen.endpoint is not None
            assert deployment not in live(seen.endpoint.traffic)
            assert deployment not in (seen.before or {})
        case Done():
            assert seen.endpoint is not None
            assert live(seen.endpoint.traffic) == {NEW: 100}
            assert seen.proven is Outcome.PASS
        case Restored():
            assert seen.endpoint is not None
            assert live(seen.endpoint.traffic) == seen.before
        case _:
            pass


@given(anything_seen())
def test_what_was_given_up_gets_no_traffic_again(seen: Seen) -> None:
    """Once rejected, no step places or promotes it."""
    action = next_step(WANTED, seen)

    if seen.rejected is not None and seen.before is not None:
        assert isinstance(action, Shift | Remove | Restored | Stuck | Create | Yield)


CANARY = Rollout("prod", TARGET, RolloutSettings("canary", steps=(10, 50, 100), bake="5m", mirror=10))
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
