"""Clocks on which waiting takes no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.azure.loopback import Loopback
from tests.memory import ManualClock


@dataclass
class LoopbackTime(ManualClock):
    """Time that passes only by sleeping, here and in the loopback Azure alike."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    azure: Loopback | None = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.azure is not None:
            self.azure.advance(seconds)


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
