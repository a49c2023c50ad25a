"""From evidence to confidence intervals: of one model's metric, and of the difference between two on the same rows.

| metric | rows on their own | rows in groups |
|---|---|---|
| auc | DeLong, DeLong & Clarke-Pearson (1988), by Sun & Xu's (2014) sort | Obuchowski (1997), clustered ROC data |
| accuracy | Bonett & Price (2012); one model: Wilson (1927) | cluster-robust mean |
| average_precision, rmse, r2 | influences (see `influence`) | influences added up by group |
| log_loss, brier, mae | paired mean, Student's t | cluster-robust mean |
| f1, precision, recall | seeded bootstrap (see `resampling`) | the same, drawing groups |

Cluster-robust: each group's influences are added up and count as one observation, with the factor G / (G - 1) and
G - 1 degrees of freedom (Cameron & Miller, A Practitioner's Guide to Cluster-Robust Inference, 2015, sections II.B and
VI.D). Degrees of freedom for auc are Satterthwaite's, as Brunner & Munzel (2000) use for the same statistic, and for
average_precision those of the positives; without them the intervals of few positives are too narrow. One model's auc
and average_precision have theirs on the logit scale (Boyd, Eng & Page, Area under the Precision-Recall Curve, 2013):
that of average_precision on 300 rows then holds the truth in 94.3% of simulations, instead of 92.9%.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ctrain.gate.catalogue import METRICS
from ctrain.gate.evidence import Bools, Categories, Evidence, Floats
from ctrain.gate.influence import Influences, influences
from ctrain.gate.resampling import cells, ratio, resample

_RATIOS = ("f1", "precision", "recall")


@dataclass(frozen=True)
class Statistics:
    """`confidence` is two-sided; the others are as in the settings, `seed` already made of evidence and settings."""

    confidence: float
    threshold: float
    resamples: int
    seed: int

    @property
    def tail(self) -> float:
        return (1 - self.confidence) / 2


@dataclass(frozen=True)
class Estimate:
    """One model's metric, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion, with its interval, which always holds the measured difference."""

    challenger: float
    champion: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.challenger - self.champion


def estimate(metric: str, evidence: Evidence, by: Statistics) -> Estimate:
    """The challenger's metric. The caller has made sure that it is defined on these rows (`obstacles.obstacle`)."""
    known = METRICS[metric]
    if metric in _RATIOS:
        value, low, high = _bootstrap(metric, evidence, by)
    else:
        own = influences(metric, evidence.label, evidence.challenger, by.threshold)
        value = own.value
        if metric == "accuracy" and evidence.group is None:
            low, high = _wilson(value, evidence.rows, by)
        else:
            half = _half_width(metric, own.psi, evidence, by)
            low, high = _on_logits(value, half) if known.reads == "ranks" else (value - half, value + half)
    return Estimate(value, max(min(low, value), known.low), min(max(high, value), known.high))


def compare(metric: str, evidence: Evidence, by: Statistics) -> Difference:
    """The paired difference on the rows of `evidence`, which hold the champion's predictions.

    Predictions that are the same on every row give a difference of zero, without width: no further row could tell.
    """
    champion = evidence.champion
    if champion is None:
        raise ValueError("the evidence holds no predictions of the champion")
    if np.array_equal(evidence.challenger, champion):
        value = estimate(metric, evidence, by).value
        return Difference(value, value, 0.0, 0.0)
    if metric in _RATIOS:
        return _paired_bootstrap(metric, evidence, champion, by)
    ours = influences(metric, evidence.label, evidence.challenger, by.threshold)
    theirs = influences(metric, evidence.label, champion, by.threshold)
    if metric == "accuracy" and evidence.group is None:
        low, high = _bonett_price(evidence, champion, by)
        return _difference(metric, ours.value, theirs.value, low, high)
    return _linear_difference(metric, ours, theirs, evidence, by)


def _linear_difference(
    metric: str, ours: Influences, theirs: Influences, evidence: Evidence, by: Statistics
) -> Difference:
    half = _half_width(metric, ours.psi - theirs.psi, evidence, by)
    middle = ours.value - theirs.value
    return _difference(metric, ours.value, theirs.value, middle - half, middle + half)


def _difference(metric: str, ours: float, theirs: float, low: float, high: float) -> Difference:
    span = METRICS[metric].span
    middle = ours - theirs
    return Difference(ours, theirs, max(min(low, middle), -span), min(max(high, middle), span))


def _half_width(metric: str, psi: Floats, evidence: Evidence, by: Statistics) -> float:
    """Half of the interval of a sum of influences; more than zero wherever unseen rows could still tell."""
    positive = evidence.label == 1
    if metric == "auc":
        variance, freedom = auc_variance(psi, positive, evidence.group)
    else:
        variance, freedom = mean_variance(psi, evidence.group)
    if metric == "average_precision":
        freedom = units_of(positive, evidence.group) - 1
    if variance > 0:
        return _students_t(freedom, by) * float(np.sqrt(variance))
    if METRICS[metric].reads == "ranks":
        return _unseen(min(units_of(positive, evidence.group), units_of(~positive, evidence.group)), by)
    return _unseen(evidence.units, by) if METRICS[metric].reads == "decisions" else 0.0


def mean_variance(psi: Floats, group: Categories | None) -> tuple[float, float]:
    """The variance of a sum of influences, and its degrees of freedom."""
    total = psi if group is None else np.bincount(group.codes, weights=psi, minlength=len(group.names))
    return float(total @ total) * len(total) / (len(total) - 1), len(total) - 1


def auc_variance(psi: Floats, positive: Bools, group: Categories | None) -> tuple[float, float]:
    """As `mean_variance`, with both classes' own corrections: DeLong's where each row is a group of its own."""
    if group is None:
        ours: Floats = psi[positive]
        others: Floats = psi[~positive]
        together = 0.0
        units = len(psi)
    else:
        units = len(group.names)
        ours = np.bincount(group.codes, weights=np.where(positive, psi, 0.0), minlength=units).astype(np.float64)
        others = np.bincount(group.codes, weights=np.where(positive, 0.0, psi), minlength=units).astype(np.float64)
        together = 2 * float(ours @ others) * units / (units - 1)
    of_ours, of_others = units_of(positive, group), units_of(~positive, group)
    first = float(ours @ ours) * of_ours / (of_ours - 1)
    second = float(others @ others) * of_others / (of_others - 1)
    spread = first**2 / (of_ours - 1) + second**2 / (of_others - 1)
    freedom = (first + second) ** 2 / spread if spread > 0 else float(units - 1)
    return max(first + second + together, 0.0), min(freedom, units - 1)


def units_of(mask: Bools, group: Categories | None) -> int:
    """How many rows, or groups with such a row, there are where `mask` is true."""
    return int(mask.sum()) if group is None else int(np.count_nonzero(np.bincount(group.codes[mask])))


def _students_t(freedom: float, by: Statistics) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - by.tail))


def _unseen(units: int, by: Statistics) -> float:
    """How often what none of so many units showed can still happen: the exact binomial bound for no event."""
    return float(1 - by.tail ** (1 / units))


def _on_logits(value: float, half: float) -> tuple[float, float]:
    """The same interval on the scale of log(v / (1 - v)), where the estimate is nearer to normal, and back."""
    if not 0 < value < 1:
        return value - half, value + half
    odds, width = value / (1 - value), half / (value * (1 - value))
    return float(1 / (1 + np.exp(width) / odds)), float(1 / (1 + np.exp(-width) / odds))


def _wilson(value: float, rows: int, by: Statistics) -> tuple[float, float]:
    square = NormalDist().inv_cdf(1 - by.tail) ** 2
    middle = (value + square / (2 * rows)) / (1 + square / rows)
    half = float(np.sqrt(square * (value * (1 - value) + square / (4 * rows)) / rows)) / (1 + square / rows)
    return middle - half, middle + half


def _bonett_price(evidence: Evidence, champion: Floats, by: Statistics) -> tuple[float, float]:
    """The adjusted Wald interval: one row is added to each way of disagreeing."""
    truth = evidence.label == 1
    ours = (evidence.challenger >= by.threshold) == truth
    theirs = (champion >= by.threshold) == truth
    rows = evidence.rows + 2
    gained = (int((ours & ~theirs).sum()) + 1) / rows
    lost = (int((theirs & ~ours).sum()) + 1) / rows
    half = NormalDist().inv_cdf(1 - by.tail) * float(np.sqrt((gained + lost - (gained - lost) ** 2) / rows))
    return gained - lost - half, gained - lost + half


def _bootstrap(metric: str, evidence: Evidence, by: Statistics) -> tuple[float, float, float]:
    """One model's value and interval; the champion's decisions are taken to be the challenger's."""
    decided = evidence.challenger >= by.threshold
    kinds, many = cells(evidence.label == 1, decided, decided, evidence.group)
    draws = ratio(metric, resample(kinds, many, paired=False, resamples=by.resamples, seed=by.seed), champion=False)
    low, high = np.quantile(draws, [by.tail, 1 - by.tail])
    return float(ratio(metric, many @ kinds, champion=False)), float(low), float(high)


def _paired_bootstrap(metric: str, evidence: Evidence, champion: Floats, by: Statistics) -> Difference:
    kinds, many = cells(
        evidence.label == 1, evidence.challenger >= by.threshold, champion >= by.threshold, evidence.group
    )
    drawn = resample(kinds, many, paired=True, resamples=by.resamples, seed=by.seed)
    low, high = np.quantile(
        ratio(metric, drawn, champion=False) - ratio(metric, drawn, champion=True), [by.tail, 1 - by.tail]
    )
    seen = many @ kinds
    ours, theirs = float(ratio(metric, seen, champion=False)), float(ratio(metric, seen, champion=True))
    return _difference(metric, ours, theirs, float(low), float(high))
