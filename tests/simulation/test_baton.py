"""Time is virtual, and exactly one moves."""

from __future__ import annotations

import pytest

from tests.simulation.baton import Baton, Runaway


def test_whoever_wakes_first_moves_next() -> None:
    """Two that pause for different times are told in the order of their times, not of their threads."""
    baton, told = Baton(), []

    def walk(name: str, pace: float) -> None:
        for _ in range(3):
            baton.pause(pace)
            told.append((name, baton.now))

    baton.enter("slow", lambda: walk("slow", 5.0))
    baton.enter("fast", lambda: walk("fast", 2.0))
    baton.run()

    assert told == [("fast", 2.0), ("fast", 4.0), ("slow", 5.0), ("fast", 6.0), ("slow", 10.0), ("slow", 15.0)]


def test_whoever_goes_on_for_ever_is_stopped() -> None:
    """Or a schedule would never end."""
    baton = Baton(pauses=100)

    def for_ever() -> None:
        while True:
            baton.pause(1.0)

    baton.enter("he", for_ever)

    with pytest.raises(Runaway):
        baton.run()
