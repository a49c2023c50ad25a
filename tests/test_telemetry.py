"""What can be said of a platform's counts for certain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.telemetry import Measured, Span, Window

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DEFINITIONS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
    "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
)  # fmt: skip


@given(
    st.lists(st.floats(1, 5000), min_size=1, max_size=300),
    st.sampled_from(DEFINITIONS),
    st.floats(1, 5000),
)
def test_no_more_are_called_slow_than_there_were(latencies: list[float], definition: str, limit: float) -> None:
    """Whichever definition of a percentile the platform uses: all of numpy's."""
    known = {p: float(np.percentile(latencies, p, method=definition)) for p in (50, 90, 95, 99)}  # type: ignore[call-overload]
    span = Span(NOON, 60.0, {"2xx": len(latencies)}, known)

    assert span.slow_at_least(limit) <= sum(latency > limit for latency in latencies)


def test_most_of_the_slow_ones_are_found() -> None:
    """Of 1,000 requests 300 were slow: the median was not, the 90th percentile was; 100 of them are sure."""
    latencies = [100.0] * 700 + [900.0] * 300
    known = {p: float(np.percentile(latencies, p)) for p in (50, 90, 95, 99)}

    assert Span(NOON, 60.0, {"2xx": 1000}, known).slow_at_least(250) == 100
    assert Span(NOON, 60.0, {"2xx": 1000}, known).slow_at_least(50) == 500
    assert Span(NOON, 60.0, {"2xx": 1000}).slow_at_least(50) == 0


def test_only_whole_spans_count_and_only_within_the_windows() -> None:
    """A minute that has begun before a window, or ends after it, may hold what is not of it."""
    minutes = tuple(Span(NOON + timedelta(minutes=place), 60.0, {"2xx": 1, "5xx": 1}) for place in range(10))
    windows = (
        Window(NOON + timedelta(minutes=1, seconds=1), NOON + timedelta(minutes=4)),
        Window(NOON + timedelta(minutes=7)),
    )

    kept = Measured(minutes).within(windows)

    assert kept is not None
    assert [span.began.minute for span in kept.spans] == [2, 3, 7, 8, 9]
    assert (kept.requests, kept.failed, kept.answers) == (10, 5, {"2xx": 5, "5xx": 5})
    assert (kept.since.minute, kept.until.minute) == (2, 10)
    assert Measured(minutes).within(()) is None


@pytest.mark.parametrize("kind", ["1xx", "3xx", "4xx", "5xx", "unknown"])
def test_whatever_is_no_success_has_failed(kind: str) -> None:
    """Whoever's fault it was: the limit on errors is to be set with that in mind."""
    assert Measured((Span(NOON, 1.0, {kind: 2, "2xx": 3}),)).failed == 2
