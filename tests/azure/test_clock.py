"""Virtual time: real time and what the test has moved it by."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.azure.clock import Clock


def test_time_moves_forward_only() -> None:
    """By as much as the test says; those who follow are told."""
    clock, told = Clock(), list[float]()
    clock.follow(told.append)
    before = clock.time()
    clock.advance(3600)

    assert clock.time() - before == pytest.approx(3600, abs=1)
    assert told == [3600]
    with pytest.raises(ValueError, match="forward only"):
        clock.advance(-1)


def test_who_sleeps_is_woken_when_time_was_moved_past_the_end() -> None:
    """An hour's sleep ends at once; one that is moved half-way goes on sleeping."""

    async def story() -> tuple[bool, bool]:
        clock = Clock()
        sleeper = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        clock.advance(1800)
        await asyncio.sleep(0.01)
        half_way = sleeper.done()
        clock.advance(1801)
        await asyncio.wait_for(sleeper, 1)
        return half_way, sleeper.done()

    assert asyncio.run(story()) == (False, True)


def test_real_time_passes_too() -> None:
    """A short sleep needs nobody to move anything."""
    began = time.monotonic()
    asyncio.run(Clock().sleep(0.02))

    assert 0.015 < time.monotonic() - began < 1
