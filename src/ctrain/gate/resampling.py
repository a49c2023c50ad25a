"""The paired bootstrap for metrics that are ratios of counts: f1, precision, recall and their like.

All that such a metric sees of a row is one of eight cells: its label and the two models' decisions. Rows in one cell,
or groups with the same counts in all cells, are alike, so that drawing rows (or groups) with replacement is one
multinomial draw over the distinct kinds: exact, and its cost does not grow with the rows.

What was never seen could still happen. A plain bootstrap of decisions that agree on every row gives an interval without
width; the draws are therefore made from counts with half a unit added to each of the four cells in question (where the
two models disagree; for one model, all its cells), the bootstrap's counterpart of Bonett & Price (2012), "Adjusted
Wald confidence interval for a difference of binomial proportions based on paired data". Intervals are percentiles:
measured at 300 rows, and at 500 in 100 groups, those of 95% hold the truth in 94.2% to 95.4% of thousands of
simulations, which leaves BCa nothing to mend.
"""

from __future__ import annotations

import numpy as np

from ctrain.gate.evidence import Bools, Categories, Floats, Ints
from ctrain.gate.metrics import count_ratio

_CELLS = 8  # 4 x label + 2 x challenger's decision + champion's decision
_POSITIVE = np.array([0, 0, 0, 0, 1, 1, 1, 1])
_CHALLENGER = np.array([0, 0, 1, 1, 0, 0, 1, 1])
_CHAMPION = np.array([0, 1, 0, 1, 0, 1, 0, 1])
_PSEUDO = 0.5
_DRAWN_AT_ONCE = 4_000_000


def cells(positive: Bools, challenger: Bools, champion: Bools, group: Categories | None) -> tuple[Floats, Floats]:
    """The distinct kinds of units as rows of eight counts, and how many units are of each kind."""
    cell = 4 * positive.astype(np.int64) + 2 * challenger + champion
    if group is None:
        return np.eye(_CELLS), np.bincount(cell, minlength=_CELLS).astype(np.float64)
    units = len(group.names)
    counts = np.bincount(group.codes * _CELLS + cell, minlength=units * _CELLS).reshape(units, _CELLS)
    if counts.max() < 256:  # eight counts in one machine word: sorting words is 20 times faster than sorting rows
        words, many = np.unique(counts.astype(np.uint8).view(np.uint64).ravel(), return_counts=True)
        kinds = words.view(np.uint8).reshape(-1, _CELLS)
    else:
        kinds, many = np.unique(counts, axis=0, return_counts=True)
    return kinds.astype(np.float64), many.astype(np.float64)


def resample(kinds: Floats, many: Floats, *, paired: bool, resamples: int, seed: int) -> Floats:
    """Counts of the eight cells in each of the resamples, shape (resamples, 8). The same seed gives the same draws."""
    unseen = np.flatnonzero(_CHALLENGER != _CHAMPION if paired else _CHALLENGER == _CHAMPION)
    kinds = np.concatenate([kinds, np.eye(_CELLS)[unseen]])
    chance = np.concatenate([many, np.full(len(unseen), _PSEUDO)])
    chance /= chance.sum()
    generator = np.random.default_rng(seed)
    units = int(many.sum())
    step = max(1, _DRAWN_AT_ONCE // len(kinds))
    drawn = [
        generator.multinomial(units, chance, size=min(step, resamples - first)) @ kinds
        for first in range(0, resamples, step)
    ]
    return np.concatenate(drawn)


def ratio(metric: str, counts: Floats, *, champion: bool) -> Floats:
    """The metric of the challenger, or of the champion, from counts of the eight cells (along the last axis)."""
    decided: Ints = _CHAMPION if champion else _CHALLENGER
    hits = counts @ (_POSITIVE * decided).astype(np.float64)
    false_alarms = counts @ ((1 - _POSITIVE) * decided).astype(np.float64)
    misses = counts @ (_POSITIVE * (1 - decided)).astype(np.float64)
    rejections = counts @ ((1 - _POSITIVE) * (1 - decided)).astype(np.float64)
    return count_ratio(metric, hits, false_alarms, misses, rejections)
