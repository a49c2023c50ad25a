"""Where an interval ends, by how much error each of its sides may have.

An interval is asked for at more than one confidence: its own, and those that several comparisons at once ask for (see
`multiplicity`). So what is passed on is not two numbers but a function of the error on each side, its `tail`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrain.gate.evidence import Floats

Bounds = Callable[[float], tuple[float, float]]


def at(low: float, high: float) -> Bounds:
    """These two, however sure one wants to be."""
    return lambda _: (low, high)


def of_students_t(middle: float, error: float, freedom: float, *, skewness: float = 0.0) -> Bounds:
    """An estimate whose error is known up to so many degrees of freedom.

    Where the estimate itself is skewed, an interval about it misses the truth more often on the side of the long tail;
    it is moved by what the first term of the studentized estimate's Edgeworth expansion says (Hall 1992, "On the
    removal of skewness by transformation"; Johnson 1978), at most by half of its half-width.
    """
    from scipy.special import stdtrit

    def bounds(tail: float) -> tuple[float, float]:
        wide = float(stdtrit(freedom, 1 - tail))
        moved = min(max(skewness * (2 * wide**2 + 1) / 6, -wide / 2), wide / 2)
        return middle + (moved - wide) * error, middle + (moved + wide) * error

    return bounds


def of_draws(draws: Floats) -> Bounds:
    """Percentiles of the bootstrap's draws."""

    def bounds(tail: float) -> tuple[float, float]:
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)

    return bounds


def furthest(*several: Bounds) -> Bounds:
    """As far as any of them reaches."""

    def bounds(tail: float) -> tuple[float, float]:
        lows, highs = zip(*(one(tail) for one in several), strict=True)
        return min(lows), max(highs)

    return bounds


def of_unseen(middle: float, units: int) -> Bounds:
    """What none of so many units showed can still happen: the exact binomial bound for no event."""

    def bounds(tail: float) -> tuple[float, float]:
        half = float(1 - tail ** (1 / units))
        return middle - half, middle + half

    return bounds


def on_logits(value: float, error: Bounds) -> Bounds:
    """The same on the scale of log(v / (1 - v)), where the estimate is nearer to normal, and back."""
    if not 0 < value < 1:
        return error
    odds = value / (1 - value)

    def bounds(tail: float) -> tuple[float, float]:
        width = (value - error(tail)[0]) / (value * (1 - value))
        return float(1 / (1 + np.exp(width) / odds)), float(1 / (1 + np.exp(-width) / odds))

    return bounds


def within(bounds: Bounds, value: float, least: float, most: float) -> Bounds:
    """The same, with `value` always inside and never beyond what is possible."""

    def kept(tail: float) -> tuple[float, float]:
        low, high = bounds(tail)
        return max(min(low, value), least), min(max(high, value), most)

    return kept
