"""Where an interval lies, and where it had to lie: the geometry of a finding, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ctrain.gate.phrases import number, signed
from ctrain.verdict import Finding


@dataclass(frozen=True)
class Picture:
    """All in one unit. What is below `least` or above `most` is where the interval must not be; `zero` where the
    difference is none, None for a limit."""

    low: float
    value: float
    high: float
    least: float
    most: float
    zero: float | None
    relative: bool = False

    @property
    def edges(self) -> tuple[float, ...]:
        return tuple(edge for edge in (self.least, self.most) if abs(edge) < inf)

    @property
    def span(self) -> tuple[float, float]:
        """What a drawing has to show: all of it, with some room."""
        shown = [self.low, self.high, *self.edges, *([] if self.zero is None else [self.zero])]
        room = (max(shown) - min(shown)) * 0.12 or abs(self.value) * 0.1 or 0.1
        return min(shown) - room, max(shown) + room

    def label(self, value: float) -> str:
        """A number of this picture, as the finding's sentence has it."""
        if self.relative:
            return f"{100 * value:+.2f}%"
        return number(value) if self.zero is None else signed(value)


def picture_of(finding: Finding) -> Picture | None:
    """None for a finding without an interval, or without anything that it had to keep."""
    seen = finding.measured
    if not {"low", "high"} <= seen.keys():
        return None
    if "difference" in seen:
        least, most = seen.get("least", -inf), seen.get("most", inf)
        made = Picture(seen["low"], seen["difference"], seen["high"], least, most, 0.0, "relative" in seen)
    else:
        least, most = seen.get("floor", -inf), seen.get("ceiling", inf)
        made = Picture(seen["low"], seen["challenger"], seen["high"], least, most, None)
    return made if made.edges and all(abs(one) < inf for one in (made.low, made.value, made.high)) else None
