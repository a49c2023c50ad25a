"""What a comparison can tell on so many rows: plain numbers, from the standard error that one has seen.

Normal approximations: they are for planning, and are told with two digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

from ctrain.gate.settings import Kind

if TYPE_CHECKING:
    from statistics import NormalDist

WANTED = 0.8
"""The chance to pass that an equally good model should have, for rows to be called enough."""

_HOPELESS = 1000  # times the rows there are


@dataclass(frozen=True)
class Power:
    """A rule's chances on so many rows.

    `error` is the standard error of the difference there, in the margin's unit; `passes` the chance of an equally good
    model to pass (for `superior`: of one that is better by twice the margin);
    `shows` the difference beyond the margin that is found out with a chance of 80%; `needs` the rows on which
    `passes` is 80%, None where no number of rows makes it so.
    """

    rows: int
    error: float
    passes: float
    shows: float
    needs: int | None


def power_of(kind: Kind, margin: float, *, error: float, rows: int, confidence: float) -> Power:
    """Of a rule that compares, where so many rows give so large a standard error."""
    sure = _normal().inv_cdf((1 + confidence) / 2)
    wanted = _normal().inv_cdf(WANTED)
    passes = _passes(kind, margin, error, sure)
    needs = None
    if margin > 0 and error > 0:
        share = _normal().inv_cdf((1 + WANTED) / 2) if kind == "equivalent" else wanted
        wide = ceil(rows * ((sure + share) * error / margin) ** 2)
        needs = wide if wide <= rows * _HOPELESS else None
    return Power(rows, error, passes, (sure + wanted) * error, needs)


def on_rows(error: float, seen: int, rows: int) -> float:
    """The standard error on another number of rows: it goes with one over the square root of them."""
    return error * float((seen / rows) ** 0.5)


def error_of(low: float, high: float, confidence: float) -> float:
    """The standard error that an interval stands for."""
    return (high - low) / 2 / _normal().inv_cdf((1 + confidence) / 2)


def rows_needed(value: float, worst: float, best: float, edge: float, rows: int) -> int | None:
    """How many rows would have put the edge outside the interval, had the value stayed: width goes with 1/sqrt(rows).

    None where it is more than a thousand times those there are.
    """
    half = value - worst if value >= edge else best - value
    distance = abs(value - edge)
    if distance * _HOPELESS**0.5 < half or distance == 0:
        return None
    return ceil(rows * (half / distance) ** 2)


def _passes(kind: Kind, margin: float, error: float, sure: float) -> float:
    if error == 0:
        return 1.0 if kind != "superior" or margin > 0 else 0.0
    chance = _normal().cdf(margin / error - sure)
    return max(2 * chance - 1, 0.0) if kind == "equivalent" else chance


@cache
def _normal() -> NormalDist:
    from statistics import NormalDist  # 10 ms, which `ctrain plan` pays only where there is something to foresee

    return NormalDist()
