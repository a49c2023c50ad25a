"""How much more often one of two models is right, on rows that both answered: the interval of p(gained) - p(lost).

`gained` rows only the challenger gets right, `lost` rows only the champion does; all others tell nothing.

Where many rows disagree: Bonett & Price (2012), "Adjusted Wald confidence interval for a difference of binomial
proportions based on paired data". Where few do, an exact unconditional interval: the values of the difference that the
score test of Tango (1998, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design") does not refuse, by its exact distribution, at the worst share of disagreeing rows (Sidik 2003,
"Exact unconditional tests for testing non-inferiority in matched-pairs design"). That share is looked for within its
own exact interval, whose error is taken off (Berger & Boos 1994, "P values maximized over a confidence set for the
nuisance parameter").
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from ctrain.gate.evidence import Floats

FEW = 25
"""Disagreeing rows below which the exact interval is computed."""

_SHARES = 9
_STEPS = 16
_SPENT = 0.02  # of the tail, on the interval of the nuisance


def paired_bounds(rows: int, gained: int, lost: int, tail: float) -> tuple[float, float]:
    """The interval of the difference, with so much error on each side."""
    if gained + lost >= FEW:
        return bonett_price(rows, gained, lost, tail)
    return exact_low(rows, gained, lost, tail), -exact_low(rows, lost, gained, tail)


def bonett_price(rows: int, gained: int, lost: int, tail: float) -> tuple[float, float]:
    """The adjusted Wald interval: one row is added to each way of disagreeing."""
    total = rows + 2
    more, less = (gained + 1) / total, (lost + 1) / total
    half = NormalDist().inv_cdf(1 - tail) * ((more + less - (more - less) ** 2) / total) ** 0.5
    return more - less - half, more - less + half


@lru_cache(maxsize=4096)
def exact_low(rows: int, gained: int, lost: int, tail: float) -> float:
    """The smallest difference that these counts do not refuse: by bisection, to the safe side."""
    measured = (gained - lost) / rows
    refused, kept = -1.0, measured
    near = bonett_price(rows, gained, lost, tail / 10)[0] - 2 / rows
    if near > -1 and _refutes(near, rows, gained, lost, tail):
        refused = near
    for _ in range(_STEPS if refused > -1 else 2 * _STEPS):
        middle = (refused + kept) / 2
        if _refutes(middle, rows, gained, lost, tail):
            refused = middle
        else:
            kept = middle
    return refused


def _refutes(difference: float, rows: int, gained: int, lost: int, tail: float) -> bool:
    """Whether a true difference this small would show as much gain as was seen in less than `tail` of all cases."""
    from scipy.special import gammaln

    low, high = _disagreeing(rows, gained + lost, tail * _SPENT)
    low = max(low, abs(difference))
    if low > high:
        return True
    most = min(rows, int(rows * high + 6 * (rows * high) ** 0.5 + 10))
    ours, theirs = np.meshgrid(np.arange(most + 1.0), np.arange(most + 1.0), indexing="ij")
    seen = _score(np.array([float(gained)]), np.array([float(lost)]), rows, difference)[0]
    as_extreme = (_score(ours, theirs, rows, difference) >= seen - 1e-9) & (ours + theirs <= rows)
    ours, theirs = ours[as_extreme], theirs[as_extreme]
    ways = gammaln(rows + 1) - gammaln(ours + 1) - gammaln(theirs + 1) - gammaln(rows - ours - theirs + 1)
    worst = max(
        _chance(ours, theirs, ways, rows=rows, share=share, difference=difference)
        for share in np.linspace(low, min(high, 1.0), _SHARES)
    )
    return bool(worst < tail * (1 - _SPENT))


def _chance(ours: Floats, theirs: Floats, ways: Floats, *, rows: int, share: float, difference: float) -> float:
    from scipy.special import xlogy

    gain, loss = (share + difference) / 2, (share - difference) / 2
    logs = ways + xlogy(ours, max(gain, 0.0)) + xlogy(theirs, max(loss, 0.0))
    return float(np.exp(logs + xlogy(rows - ours - theirs, max(1 - share, 0.0))).sum())


def _score(gained: Floats, lost: Floats, rows: int, difference: float) -> Floats:
    """Tango's statistic: zero where the difference is the measured one, growing with what was gained."""
    b = (2 * rows - gained + lost) * difference - gained - lost
    root = np.sqrt(np.maximum(b * b + 8 * rows * lost * difference * (1 - difference), 0))
    loss = (root - b) / (4 * rows)
    variance = rows * (2 * loss + difference * (1 - difference))
    above = gained - lost - rows * difference
    certain = np.where(above == 0, 0.0, np.copysign(np.inf, above))
    return np.divide(above, np.sqrt(np.maximum(variance, 0)), out=certain, where=variance > 1e-12)


@lru_cache(maxsize=4096)
def _disagreeing(rows: int, seen: int, error: float) -> tuple[float, float]:
    """Clopper & Pearson's interval of the share of rows on which the models disagree."""
    from scipy.special import betaincinv

    low = 0.0 if seen == 0 else float(betaincinv(seen, rows - seen + 1, error / 2))
    high = 1.0 if seen == rows else float(betaincinv(seen + 1, rows - seen, 1 - error / 2))
    return low, high
