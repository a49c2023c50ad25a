"""What a platform itself counted of the requests to a deployment, and what can be said of it for certain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

GOOD = "2xx"


@dataclass(frozen=True)
class Span:
    """The requests that were answered in these seconds. What is told of them changes no more.

    `answers` counts them by class of status (`2xx`, `4xx`, ...), `percentiles` has the latency in milliseconds by
    percent (50, 90, ...), as far as the platform tells it.
    """

    began: datetime
    seconds: float
    answers: Mapping[str, int]
    percentiles: Mapping[int, float] = field(default_factory=dict)

    @property
    def ended(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds)

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    def slow_at_least(self, limit_ms: float) -> int:
        """How many requests must have been slower, by the percentiles alone.

        With m requests, and a p-th percentile above the limit, all from the next higher one on are slower: whichever of
        the usual definitions the platform uses, between which at most one request lies (R. Hyndman, Y. Fan, "Sample
        quantiles in statistical packages", Amer. Statist. 50 (1996)). So the count is never too high, as long as the
        percentile is one of all the requests of the span.
        """
        most = self.requests - 1
        slow = [most - math.floor(most * p / 100) for p, told in self.percentiles.items() if told > limit_ms]
        return max(0, max(slow, default=0))


@dataclass(frozen=True)
class Window:
    """From one moment to another; without an end it is still open."""

    began: datetime
    ended: datetime | None = None

    def holds(self, span: Span) -> bool:
        """Whether the span lies in it whole: of one that does not, nobody knows which requests do."""
        return self.began <= span.began and (self.ended is None or span.ended <= self.ended)


@dataclass(frozen=True)
class Measured:
    """The spans that a platform told of a deployment, oldest first, which do not overlap: never empty.

    Users' requests, mirrored ones and ctrain's own are in it together: platforms do not tell them apart.
    """

    spans: tuple[Span, ...]

    @property
    def since(self) -> datetime:
        return self.spans[0].began

    @property
    def until(self) -> datetime:
        return self.spans[-1].ended

    @property
    def answers(self) -> Mapping[str, int]:
        """All of them, by class of status."""
        counted: Counter[str] = Counter()
        for span in self.spans:
            counted.update(span.answers)
        return counted

    @property
    def requests(self) -> int:
        return sum(span.requests for span in self.spans)

    @property
    def failed(self) -> int:
        """Those that were not answered with a 2xx."""
        return self.requests - self.answers.get(GOOD, 0)

    def slow_at_least(self, limit_ms: float) -> int:
        """As for a span. 0 says nothing: the platform may tell no percentiles."""
        return sum(span.slow_at_least(limit_ms) for span in self.spans)

    def within(self, windows: Iterable[Window]) -> Measured | None:
        """What lies in any of these windows; None where nothing does."""
        kept = list(windows)
        spans = tuple(span for span in self.spans if any(window.holds(span) for window in kept))
        return replace(self, spans=spans) if spans else None
