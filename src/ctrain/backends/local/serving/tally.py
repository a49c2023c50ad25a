"""What the router answered: counted by deployment and by second, with the latencies in narrow classes."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ctrain.telemetry import Span

KEPT_SECONDS = 6 * 3600
"""How far back one can ask. What is older would have to be told in part, and a part that moves along is no evidence:
each beginning is a chance more. So it is not told at all."""

PERCENTS = (50, 90, 95, 99)
_GROWTH = math.log(1.02)
"""Of a class of latency: two percent. Its lower edge is told, so that a latency is never told as longer than it was."""


@dataclass
class Counted:
    """What was answered in the seconds from `began` on."""

    began: int
    seconds: int = 1
    answers: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, other: Counted) -> None:
        """Take in what another one counted, in these seconds."""
        self.answers.update(other.answers)
        self.latencies.update(other.latencies)

    def span(self) -> Span:
        """As it is told: a percentile by nearest rank, from below."""
        requests, reached = self.answers.total(), 0
        ranks = {percent: math.ceil(percent / 100 * requests) for percent in PERCENTS}
        percentiles: dict[int, float] = {}
        for place, count in sorted(self.latencies.items()):
            reached += count
            for percent, rank in ranks.items():
                if percent not in percentiles and reached >= rank:
                    percentiles[percent] = 1000 * math.exp(place * _GROWTH)
        return Span(datetime.fromtimestamp(self.began, UTC), self.seconds, dict(self.answers), percentiles)


class Tally:
    """Counts the answers of all deployments of one endpoint. `now` gives the time in seconds since the epoch."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.counted: dict[str, deque[Counted]] = {}

    def add(self, deployment: str, status: int, seconds: float) -> None:
        """One answer more. A clock that was set back counts on in the newest second."""
        counted, now = self.counted.setdefault(deployment, deque()), int(self.now())
        while counted and counted[0].began < now - KEPT_SECONDS:
            counted.popleft()
        if not counted or counted[-1].began < now:
            counted.append(Counted(now))
        counted[-1].answers[f"{status // 100}xx"] += 1
        counted[-1].latencies[_class_of(seconds)] += 1

    def spans(self, deployment: str, since: float) -> Iterator[Span]:
        """Those that began then or later, and are over, oldest first; none where that is too long ago."""
        now = self.now()
        if since < now - KEPT_SECONDS:
            return
        for one in self.counted.get(deployment, ()):
            if since <= one.began and one.began + 1 <= now:
                yield one.span()


def _class_of(seconds: float) -> int:
    return math.floor(math.log(max(seconds, 1e-6)) / _GROWTH)
