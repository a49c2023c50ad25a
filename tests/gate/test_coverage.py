"""Do the intervals hold their level? Measured, over simulated comparisons whose truth is known.

A 95% interval must hold the truth in 95% of the simulations, give or take three standard errors of their count (93% to
98% for 600); a challenger that is worse by exactly the margin must pass in at most 5% of them (2.5% is what a
two-sided 95% interval promises). The simulations are seeded: the same every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from ctrain.gate import Evidence
from ctrain.gate.catalogue import METRICS, RATIOS
from ctrain.gate.intervals import Difference, compare, estimate
from tests.gate.cases import (
    BINARY_METRICS,
    MULTICLASS_METRICS,
    RANKING_METRICS,
    REGRESSION_METRICS,
    classified,
    measured,
    scored,
    searched,
    statistics,
)

SIMULATIONS = 600
BOOTSTRAPPED = 300  # they cost fifty times more
MANY = 1_000_000
WORSE, BETTER = 0.7, 0.4


@dataclass(frozen=True)
class Design:
    """How many rows a comparison has, and how they hang together."""

    rows: int
    groups: int | None
    make: Callable[[int, np.random.Generator, int | None], Evidence]


def _binary(rows: int, generator: np.random.Generator, groups: int | None) -> Evidence:
    return scored(rows, generator, ours=WORSE, theirs=BETTER, groups=groups)


def _regression(rows: int, generator: np.random.Generator, groups: int | None) -> Evidence:
    return measured(rows, generator, ours=WORSE, theirs=BETTER)


def _multiclass(rows: int, generator: np.random.Generator, groups: int | None) -> Evidence:
    return classified(rows, generator, ours=WORSE, theirs=BETTER)


def _ranking(rows: int, generator: np.random.Generator, groups: int | None) -> Evidence:
    return searched(rows, generator, ours=WORSE, theirs=BETTER)


ALONE = Design(300, None, _binary)
GROUPED = Design(500, 100, _binary)
CLASSES = Design(300, None, _multiclass)
QUERIES = Design(120, None, _ranking)
VALUES = Design(150, None, _regression)
CASES = [
    *((metric, ALONE) for metric in BINARY_METRICS if metric != "specificity"),  # the mirror image of recall
    *((metric, GROUPED) for metric in BINARY_METRICS if metric not in ("specificity", "recall", "precision")),
    *((metric, VALUES) for metric in REGRESSION_METRICS),
    *((metric, CLASSES) for metric in MULTICLASS_METRICS),
    *((metric, QUERIES) for metric in RANKING_METRICS),
]
CAUTIOUS = ("accuracy", "calibration_error", "p90_error")  # may hold the truth more often than they promise
NAMES = [f"{metric}-{design.make.__name__.strip('_')}{'-grouped' if design.groups else ''}" for metric, design in CASES]


@cache
def _many(design: Design) -> Evidence:
    groups = MANY * design.groups // design.rows if design.groups else None
    return design.make(
        MANY // 20 if design is QUERIES else MANY // 3 if design is CLASSES else MANY, np.random.default_rng(99), groups
    )


@cache
def _simulated(design: Design) -> tuple[Evidence, ...]:
    generator = np.random.default_rng(7)
    return tuple(design.make(design.rows, generator, design.groups) for _ in range(SIMULATIONS))


def _for(metric: str, design: Design) -> tuple[Evidence, ...]:
    return _simulated(design)[: BOOTSTRAPPED if metric in RATIOS else SIMULATIONS]


def _as_promised(covered: list[bool], metric: str) -> bool:
    beyond = float(np.mean(covered)) - 0.95
    noise = 3 * (0.95 * 0.05 / len(covered)) ** 0.5
    return bool(beyond >= -noise if metric in CAUTIOUS else abs(beyond) <= noise)


@cache
def _compared(metric: str, design: Design) -> tuple[Difference, ...]:
    by = statistics()
    return tuple(compare(metric, evidence, by) for evidence in _for(metric, design))


@cache
def _truth(metric: str, design: Design) -> Difference:
    """The metric's true difference, from so many rows that its own error is a fiftieth of the intervals' width."""
    return compare(metric, _many(design), statistics(resamples=2))


@pytest.mark.parametrize(("metric", "design"), CASES, ids=NAMES)
def test_intervals_of_the_difference_hold_their_level(metric: str, design: Design) -> None:
    """95% of them hold the true difference."""
    truth = _truth(metric, design).difference
    assert _as_promised([found.low <= truth <= found.high for found in _compared(metric, design)], metric)


@pytest.mark.parametrize(("metric", "design"), CASES, ids=NAMES)
def test_a_model_worse_by_the_margin_seldom_passes(metric: str, design: Design) -> None:
    """The bound on the worse side is beyond the true difference in at most 5% of the comparisons."""
    truth = _truth(metric, design).difference
    lower_is_better = METRICS[metric].direction == "down"
    passed = [found.high < truth if lower_is_better else found.low > truth for found in _compared(metric, design)]
    assert np.mean(passed) <= 0.05


@pytest.mark.parametrize(("metric", "design"), CASES, ids=NAMES)
def test_intervals_of_one_model_hold_their_level(metric: str, design: Design) -> None:
    """95% of them hold the model's true metric."""
    truth, by = _truth(metric, design).challenger, statistics()
    found = [estimate(metric, evidence, by) for evidence in _for(metric, design)]
    assert _as_promised([one.low <= truth <= one.high for one in found], metric)


def test_intervals_that_ignore_groups_are_too_narrow() -> None:
    """Why groups matter: the same rows taken for independent hold the truth far less often than they say."""
    design = Design(500, 30, _binary)
    truth = _truth("brier", design).difference
    unaware = [compare("brier", replace(one, group=None), statistics()) for one in _simulated(design)]
    assert np.mean([found.low <= truth <= found.high for found in unaware]) < 0.92
