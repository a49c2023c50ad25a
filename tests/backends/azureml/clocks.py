"""A clock that waits in no time, and remembers how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class CountingClock:
    """A Clock on which sleeping takes no real time. `waits` are the sleeps asked for, in seconds."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._start = datetime.now(UTC)
        self._passed = 0.0

    def now(self) -> datetime:
        """The start, and what was slept since."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds slept."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._passed += seconds
