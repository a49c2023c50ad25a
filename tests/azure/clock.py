"""Time in the loopback Azure: as real time passes, plus what the test has moved it by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Virtual time. Tokens, leases and long operations run on it."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._moved: list[Callable[[float], None]] = []
        self._waiting: set[asyncio.Event] = set()

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Now, as Azure writes it: 2026-11-23T07:50:00.1234567Z in length and form."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once (never backwards). Call it on the event loop."""
        if seconds < 0:
            raise ValueError("time runs forward only")
        self.offset += seconds
        for follower in self._moved:
            follower(self.offset)
        for event in self._waiting:
            event.set()

    def follow(self, follower: Callable[[float], None]) -> None:
        """Tell `follower` the offset whenever it changes."""
        self._moved.append(follower)

    async def sleep(self, seconds: float) -> None:
        """Wait until so much virtual time has passed."""
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            moved = asyncio.Event()
            self._waiting.add(moved)
            try:
                async with asyncio.timeout(left):
                    await moved.wait()
            except TimeoutError:
                pass
            finally:
                self._waiting.discard(moved)
