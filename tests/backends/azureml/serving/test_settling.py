"""Waiting: quick where it is quick, cheap where it is long."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.serving.settling import looks
from tests.memory import ManualClock


@pytest.mark.parametrize(("seconds", "calls"), [(1, 4), (60, 18), (600, 34), (3600, 88)])
def test_a_long_wait_costs_few_looks(seconds: float, calls: int) -> None:
    """An hour under a hundred, a second but a few; never past the end."""
    clock = ManualClock()

    assert sum(1 for _ in looks(clock, seconds)) <= calls
    assert clock.monotonic() == pytest.approx(seconds)


def test_the_first_looks_come_quickly() -> None:
    """What is done in a moment is seen in a moment."""
    clock = ManualClock()
    seen = [clock.monotonic() for _, _ in zip(looks(clock, 60), range(4), strict=False)]

    assert seen == pytest.approx([0.0, 0.25, 0.75, 1.75])


def test_who_waited_before_goes_on_slowly() -> None:
    """A wait that is taken up again does not begin anew."""
    clock = ManualClock()

    assert sum(1 for _ in looks(clock, 300, waited=600)) <= 6
