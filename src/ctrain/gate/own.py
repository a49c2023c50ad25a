"""A project's own metric: what its function gave, and the intervals that follow.

The function is called in a process of its own (see `own_process`), never in ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ctrain.gate import bounds
from ctrain.gate.bounds import Bounds
from ctrain.gate.evidence import Evidence, Floats
from ctrain.gate.intervals import Difference, Estimate, Statistics, mean_variance


@dataclass(frozen=True)
class Asked:
    """Call `function` (`folder/file.py:name`, from the project's folder) on these rows, within so many seconds."""

    function: str
    evidence: Evidence
    resamples: int
    seed: int
    seconds: float


@dataclass(frozen=True)
class Given:
    """What the function gave of one model: a number, and either one for every row, whose mean it is, or what it gives
    for each of the resamples."""

    value: float
    rows: Floats | None
    draws: Floats | None


Measure = Callable[[Asked], tuple[Given, Given | None]]
"""Of the challenger, and of the champion where the rows have its predictions. Raises DataError, with the reason."""


def own_estimate(given: Given, evidence: Evidence, by: Statistics) -> Estimate:
    """One model's metric, with its interval."""
    found = _around(given.value, _psi(given), given.draws, evidence)
    kept = bounds.within(found, given.value, -np.inf, np.inf)
    return Estimate(given.value, *kept(by.tail), kept)


def own_difference(ours: Given, theirs: Given, evidence: Evidence, by: Statistics, *, relative: bool) -> Difference:
    """The paired difference: both models' rows, or draws, are the same ones."""
    if evidence.same_answers:
        return Difference(ours.value, theirs.value, 0.0, 0.0, relative, bounds.at(0.0, 0.0))
    size, share = (abs(theirs.value), ours.value / theirs.value) if relative else (1.0, 1.0)
    mine, other = _psi(ours), _psi(theirs)
    psi = None if mine is None or other is None else (mine - share * other) / size
    draws = None
    if ours.draws is not None and theirs.draws is not None:
        draws = ours.draws - theirs.draws
        draws = draws / np.abs(theirs.draws) if relative else draws
    middle = (ours.value - theirs.value) / size
    kept = bounds.within(_around(middle, psi, draws, evidence), middle, -np.inf, np.inf)
    return Difference(ours.value, theirs.value, *kept(by.tail), relative, kept)


def _psi(given: Given) -> Floats | None:
    return None if given.rows is None else (given.rows - given.value) / len(given.rows)


def _around(middle: float, psi: Floats | None, draws: Floats | None, evidence: Evidence) -> Bounds:
    if psi is not None:
        variance, freedom = mean_variance(psi, evidence.group)
        return bounds.of_students_t(middle, float(np.sqrt(variance)), freedom)
    if draws is None:
        raise ValueError("neither rows nor draws were given")
    return bounds.of_draws(draws)
