"""A release is the sum of its events, and an event survives being written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain import events
from ctrain.data import SampleSpec
from ctrain.events import Event, from_json, replay, to_json
from ctrain.project import Trigger
from ctrain.release import Ending
from ctrain.rollout.drilling import Drilled, Drilling
from ctrain.verdict import Finding, Outcome, Verdict
from tests.builders import DEV, PROD, a_plan, a_run, a_stage, a_version

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
VERDICT = Verdict((Finding("auc", Outcome.PASS, "fine", measured={"low": -0.001}),), ("a note",))


def an_event(what: events.What, *, after: int = 0) -> Event:
    return Event("main-b41c9e2-1", NOW + timedelta(seconds=after), "anna@laptop", what)


EVERY_KIND: list[events.What] = [
    events.Opened(a_plan(champion=a_version(), parameters={"seed": 7, "rate": 0.5, "deep": True, "name": "7"})),
    events.Submitting("job"),
    events.Trained(a_run()),
    events.Cancelling("job", "why"),
    events.Extending("job"),
    events.Judged(VERDICT, 400, "e"),
    events.Registering("visits", "d"),
    events.Registered(a_version()),
    events.Approved("dev", "anna", "seen", "p"),
    events.Creating("dev", "visits-dev"),
    events.RolloutBegan("dev", "v1-a", {"v0-b": 100}),
    events.Placing("dev", "v1-a"),
    events.Smoked("dev", "v1-a", live=False, verdict=VERDICT),
    events.Shifting("dev", {"v1-a": 100}),
    events.Shifted("dev", {"v1-a": 100}),
    events.Mirroring("dev", {"v1-a": 10}),
    events.Watching("dev", "v1-a", 10, 300.0),
    events.Watched("dev", "v1-a", 10, VERDICT),
    events.PauseAsked("dev", "anna", "lunch"),
    events.Paused("dev", "v1-a", 50, "its step says `pause`"),
    events.Resumed("dev", 50, "anna", "looks good", ("v0-a",)),
    events.AbortAsked("dev", "anna", "complaints", "main-2"),
    events.Rejected("dev", "v1-a", "why", "log"),
    events.Logged("dev", "v1-a", "log"),
    events.Readmitted("dev", "visits:1", "anna", "the cause is gone"),
    events.Removing("dev", "v1-a", "why"),
    events.Promoted("dev", "v1-a"),
    events.Restored("dev", "why"),
    events.Crowning(a_version()),
    events.Crowned(a_version()),
    events.RolledBack("dev", "v0-b", "why"),
    Drilling("dev", "drill-a", {"v1-a": 100}),
    Drilled("dev", "drill-a", 0.5, 1.5, 40, 0),
    events.Closed(Ending.DELIVERED, "why"),
]


def test_every_kind_of_event_is_here() -> None:
    """A kind that is added must be written down and read back as well."""
    assert isinstance(events.What, UnionType)
    assert {type(what) for what in EVERY_KIND} == set(get_args(events.What))


@pytest.mark.parametrize("what", EVERY_KIND, ids=lambda what: what.kind)
def test_an_event_read_back_is_the_event(what: events.What) -> None:
    """Equal in every part, types included."""
    event = an_event(what)

    back = from_json(to_json(event))

    assert back == event
    assert repr(back) == repr(event)


scalars = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(
    st.dictionaries(st.text(min_size=1), scalars),
    st.none() | st.builds(SampleSpec, st.floats(0.01, 1), st.text(min_size=1), st.none() | st.text()),
    st.sampled_from(Trigger),
)
def test_a_plan_read_back_is_the_plan(
    parameters: dict[str, bool | int | float | str], sample: SampleSpec | None, trigger: Trigger
) -> None:
    """Parameters keep their types: `7` and `"7"` and `7.0` and `true` are four things."""
    plan = a_plan(parameters=parameters, sample=sample, trigger=trigger, stages=(DEV, PROD))

    back = from_json(to_json(an_event(events.Opened(plan)))).what

    assert isinstance(back, events.Opened)
    assert back.plan == plan
    assert [type(value) for value in back.plan.parameters.values()] == [type(value) for value in parameters.values()]


def test_a_line_that_nobody_wrote_is_refused() -> None:
    """Not taken for something else."""
    with pytest.raises(ValueError, match="kind"):
        from_json(to_json(an_event(events.Submitting("j"))).replace("submitting", "promised"))


def test_a_release_is_what_happened() -> None:
    """From nothing to delivered, event by event."""
    told: list[events.What] = [
        events.Opened(a_plan(stages=(DEV,))),
        events.Trained(a_run()),
        events.Judged(VERDICT, 400, "e"),
        events.Registered(a_version()),
        events.RolloutBegan("dev", "v1-a", {}),
        events.Smoked("dev", "v1-a", live=False, verdict=VERDICT),
        events.Smoked("dev", "v1-a", live=True, verdict=VERDICT),
        events.Promoted("dev", "v1-a"),
        events.Crowned(a_version()),
        events.Closed(Ending.DELIVERED, "done"),
    ]

    release = replay(an_event(what, after=place) for place, what in enumerate(told))

    assert release is not None
    assert (release.ending, release.why, release.rows, release.crowned) == (Ending.DELIVERED, "done", 400, True)
    assert release.serves("dev")
    assert release.closed == NOW + timedelta(seconds=9)


def test_what_was_rolled_back_serves_no_longer() -> None:
    """And the record says where to."""
    told: list[events.What] = [
        events.Opened(a_plan()),
        events.RolloutBegan("dev", "v1-a", {}),
        events.Promoted("dev", "v1-a"),
        events.RolledBack("dev", "v0-b", "complaints"),
    ]

    release = replay(map(an_event, told))

    assert release is not None
    assert not release.serves("dev")
    assert release.stages["dev"].rolled_back == "complaints (to v0-b)"


def test_a_rollout_that_begins_again_forgets_the_last_one() -> None:
    """What was rejected then is judged anew, and the release is open again."""
    told: list[events.What] = [
        events.Opened(a_plan()),
        events.RolloutBegan("dev", "v1-a", {}),
        events.Rejected("dev", "v1-a", "why"),
        events.Restored("dev", "why"),
        events.Closed(Ending.ROLLED_BACK, "why"),
        events.RolloutBegan("dev", "v1-a", {"v0-b": 100}),
    ]

    release = replay(map(an_event, told))

    assert release is not None
    assert (release.ended, release.stages["dev"].rejected) == (False, None)


def test_a_release_waits_for_the_first_stage_that_needs_approval() -> None:
    """Once it has a version, and the stages before are served."""
    told: list[events.What] = [
        events.Opened(a_plan(stages=(DEV, a_stage("prod", approval="required")))),
        events.Registered(a_version()),
    ]
    promoted: list[events.What] = [events.RolloutBegan("dev", "v1-a", {}), events.Promoted("dev", "v1-a")]

    before, after = replay(map(an_event, told)), replay(map(an_event, [*told, *promoted]))

    assert before is not None
    assert after is not None
    assert (before.waits_for, after.waits_for) == (None, "prod")


def test_no_events_are_no_release() -> None:
    """Nor are events without a beginning."""
    assert replay([]) is None
    assert replay([an_event(events.Promoted("dev", "v1-a"))]) is None
