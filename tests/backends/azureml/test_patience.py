"""When to ask again, and when to give up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.azureml.patience import Patience, may_repeat, retry_after

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "372"}, 372.0),
        ({"retry-after": " 2 "}, 2.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Mon, 23 Nov 2026 08:00:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 07:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"x-ms-retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Mon, 99 Nov 2026 08:00:30 GMT"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 08:00:30"}, None),
    ],
)
def test_all_forms_of_retry_after_are_read_and_garbage_is_none(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, a date, or milliseconds; what cannot be read asks nothing."""
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_no_retry_after_breaks_us(said: str) -> None:
    """Whatever a header says."""
    found = retry_after({"Retry-After": said}, NOW)
    assert found is None or found >= 0


def test_what_azure_asks_is_waited_for_under_a_cap() -> None:
    """A day is not."""
    patience = Patience(total=10_000, longest=420)
    assert patience.wait(1, 372.0, 0) == 372.0
    assert patience.wait(1, 86_400.0, 0) == 420.0


def test_without_being_asked_we_back_off_with_jitter() -> None:
    """Grown by each attempt, never more than the cap, spread so that many runners do not come back at once."""
    patience = Patience()
    assert [patience.back_off(n, lambda: 1.0) for n in (1, 2, 3, 10)] == [1.0, 2.0, 4.0, 60.0]
    assert patience.back_off(3, lambda: 0.0) == 2.0
    waited = patience.wait(1, 0.0, 0)  # asked to come back at once
    assert waited is not None
    assert 0.5 <= waited <= 1.0


def test_there_is_an_end() -> None:
    """No wait ends after the total; where Azure cannot be reached at all it comes sooner."""
    patience = Patience(total=900, unreached=120)
    assert patience.wait(1, 400.0, 400.0) == 400.0
    assert patience.wait(1, 400.0, 501.0) is None
    assert patience.wait(1, None, 130.0) is not None
    assert patience.wait(1, None, 130.0, reached=False) is None


@pytest.mark.parametrize(
    ("method", "url", "may"),
    [
        ("GET", "https://a/b", True),
        ("put", "https://a/b", True),
        ("DELETE", "https://a/b", True),
        ("PATCH", "https://a/b", False),
        ("POST", "https://a/jobs", False),
        ("POST", "https://a/jobs/j/cancel?api-version=1", True),
        ("POST", "https://a/onlineEndpoints/e/listKeys", True),
        ("POST", "https://a/history/v1.0/x/rundata", True),
        ("POST", "https://e.inference.ml.azure.com/score", False),
    ],
)
def test_only_what_is_done_once_when_asked_twice_is_repeated(method: str, url: str, may: bool) -> None:
    """A scoring request, above all, is never sent again behind the user's back."""
    assert may_repeat(method, url) is may
    assert may_repeat(method, url, marked=True)
