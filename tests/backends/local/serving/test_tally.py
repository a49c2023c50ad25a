"""What the router counted, second by second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.local.serving.tally import KEPT_SECONDS, Tally
from ctrain.telemetry import Span


@dataclass
class Now:
    at: float = 1_000_000.0

    def __call__(self) -> float:
        return self.at


def spans(tally: Tally, since: float = 1_000_000.0) -> list[Span]:
    return list(tally.spans("blue", since))


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def tally(now: Callable[[], float]) -> Tally:
    return Tally(now)


def test_a_second_is_told_once_it_is_over(tally: Tally, now: Now) -> None:
    """What may still grow is not told: it would be told twice, in two sizes."""
    tally.add("blue", 200, 0.01)
    now.at += 0.999
    assert spans(tally) == []

    now.at += 0.001
    tally.add("blue", 500, 0.01)
    assert [(span.began, dict(span.answers)) for span in spans(tally)] == [
        (datetime.fromtimestamp(1_000_000, UTC), {"2xx": 1})
    ]

    now.at += 1
    assert [dict(span.answers) for span in spans(tally)] == [{"2xx": 1}, {"5xx": 1}]
    assert [dict(span.answers) for span in spans(tally, 1_000_000.5)] == [{"5xx": 1}]


def test_what_lies_too_far_back_is_not_told_in_part(tally: Tally, now: Now) -> None:
    """A count whose beginning moves along has many beginnings, each a chance more."""
    tally.add("blue", 200, 0.01)
    now.at += KEPT_SECONDS
    tally.add("blue", 200, 0.01)
    now.at += 1
    assert len(spans(tally, now.at - KEPT_SECONDS)) == 1
    assert spans(tally) == []


def test_what_is_kept_is_bounded(tally: Tally, now: Now) -> None:
    """A day of one request a second leaves six hours of seconds."""
    for _ in range(24 * 3600):
        tally.add("blue", 200, 0.01)
        now.at += 1
    assert len(tally.counted["blue"]) <= KEPT_SECONDS + 1


@given(st.lists(st.floats(0.0, 500.0), min_size=1, max_size=200), st.floats(0.1, 100_000))
def test_no_latency_is_told_as_longer_than_it_was(latencies: list[float], limit_ms: float) -> None:
    """They are kept in classes; the lower edge is told, so that what is called slow was slow."""
    now = Now()
    tally = Tally(now)
    for latency in latencies:
        tally.add("blue", 200, latency)
    now.at += 1
    (span,) = spans(tally)

    assert span.requests == len(latencies)
    assert span.slow_at_least(limit_ms) <= sum(latency * 1000 > limit_ms for latency in latencies)
    longest = 1000 * max(latencies)
    assert span.percentiles[99] <= max(longest, 0.001) * (1 + 1e-9)
    assert span.percentiles[50] == pytest.approx(
        1000 * max(sorted(latencies)[(len(latencies) - 1) // 2], 1e-6), rel=0.02
    )
