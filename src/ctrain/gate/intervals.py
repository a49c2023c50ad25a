"""From evidence to confidence intervals: of one model's metric, and of the difference between two on the same rows.

| metric | rows on their own | rows in groups |
|---|---|---|
| auc | DeLong, DeLong & Clarke-Pearson (1988), by Sun & Xu's (2014) sort | Obuchowski (1997), clustered ROC data |
| accuracy | exact or Bonett & Price (see `agreement`); one model: Wilson (1927) | cluster-robust mean |
| average_precision, rmse, r2 | influences (see `influence`) | influences added up by group |
| log_loss, brier, mae, mape, pinball_*; several classes | paired mean, Student's t | cluster-robust mean |
| median_error, p90_error | influences, over Hall & Sheather's density | influences added up by group |
| ndcg, mrr | | paired mean over queries, Student's t |
| calibration_error | redrawn gaps (see `calibration`) | the same, by group |
| f1, precision, recall, ... (`catalogue.RATIOS`) | seeded bootstrap (see `resampling`) | the same, drawing groups |

Cluster-robust: each group's influences are added up and count as one observation, with the factor G / (G - 1) and
G - 1 degrees of freedom (Cameron & Miller, A Practitioner's Guide to Cluster-Robust Inference, 2015, sections II.B and
VI.D). Degrees of freedom for auc are Satterthwaite's, as Brunner & Munzel (2000) use for the same statistic, and for
average_precision those of the positives; without them the intervals of few positives are too narrow. One model's auc
and average_precision have theirs on the logit scale (Boyd, Eng & Page, Area under the Precision-Recall Curve, 2013):
that of average_precision on 300 rows then holds the truth in 94.3% of simulations, instead of 92.9%.

One model's losses have long tails, and their intervals are moved by what skewness does to them (`bounds`): the rate at
which a model at its ceiling passes goes from 4.5% to 3.2% for log_loss on 300 rows. Paired differences are less skewed.

A relative difference is (challenger - champion) / |champion|, and its interval takes the champion's own error in: by
the delta method where influences are known (psi of c / b is (psi_c - c / b psi_b) / b), by the draws otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from ctrain.gate import bounds, calibration
from ctrain.gate.agreement import paired_bounds
from ctrain.gate.bounds import Bounds
from ctrain.gate.catalogue import METRICS
from ctrain.gate.evidence import Bools, Categories, Evidence, Floats
from ctrain.gate.influence import Influences
from ctrain.gate.measuring import by_counts, of_model, rightly
from ctrain.gate.resampling import cells, ratio, resample


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
    """One model's metric, with its interval; `bounds` gives that of any other confidence."""

    value: float
    low: float
    high: float
    bounds: Bounds = field(default=bounds.at(-np.inf, np.inf), compare=False, repr=False)


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion, with its interval, which always holds the measured difference.

    `relative`: as a share of the champion's absolute value. `bounds` gives the interval of any other confidence.
    """

    challenger: float
    champion: float
    low: float
    high: float
    relative: bool = False
    bounds: Bounds = field(default=bounds.at(-np.inf, np.inf), compare=False, repr=False)

    @property
    def difference(self) -> float:
        gap = self.challenger - self.champion
        return gap / abs(self.champion) if self.relative else gap


def estimate(metric: str, evidence: Evidence, by: Statistics) -> Estimate:
    """The challenger's metric. The caller has made sure that it is defined on these rows (`obstacles.obstacle`)."""
    known = METRICS[metric]
    value, found = _of_one(metric, evidence, by)
    kept = bounds.within(found, value, known.low, known.high)
    return Estimate(value, *kept(by.tail), kept)


def _of_one(metric: str, evidence: Evidence, by: Statistics) -> tuple[float, Bounds]:
    if by_counts(metric, evidence):
        return _bootstrap(metric, evidence, by)
    if metric == "calibration_error":
        drawn = calibration.redrawn(replace(evidence, champion=None), by.resamples, by.seed)
        readings = [bounds.of_draws(drawn.seen[0] - errors[:, 0]) for errors in drawn.errors]
        return float(drawn.seen[0]), bounds.furthest(*readings)
    own = of_model(metric, evidence, by.threshold)
    if metric == "accuracy" and evidence.group is None:
        return own.value, _wilson(own.value, evidence.rows)
    ranks = METRICS[metric].reads == "ranks"
    found = _around(metric, own.value, own.psi, evidence, skewed=not ranks)
    return own.value, bounds.on_logits(own.value, found) if ranks else found


def compare(metric: str, evidence: Evidence, by: Statistics, *, relative: bool = False) -> Difference:
    """The paired difference on the rows of `evidence`, which hold the champion's predictions.

    Predictions that are the same on every row give a difference of zero, without width: no further row could tell.
    A relative one needs a champion's metric that is not zero (`near_zero` tells).
    """
    champion = evidence.champion
    if champion is None:
        raise ValueError("the evidence holds no predictions of the champion")
    if evidence.same_answers:
        value = estimate(metric, evidence, by).value
        return Difference(value, value, 0.0, 0.0, relative, bounds.at(0.0, 0.0))
    if metric == "calibration_error":
        return _calibrated(evidence, by, relative=relative)
    if by_counts(metric, evidence) or (metric == "accuracy" and relative and _plain(evidence)):
        return _paired_bootstrap(metric, evidence, champion, by, relative=relative)
    ours = of_model(metric, evidence, by.threshold)
    theirs = of_model(metric, evidence, by.threshold, champion=True)
    if metric == "accuracy" and evidence.group is None and not relative:
        found = _of_disagreeing(evidence, by.threshold)
    else:
        found = _linear(metric, ours, theirs, evidence, relative=relative)
    return _difference(metric, ours.value, theirs.value, found, by, relative=relative)


def near_zero(metric: str, evidence: Evidence, by: Statistics) -> bool:
    """Whether the champion's metric cannot be told from zero, so that no difference can be a share of it.

    The interval of a ratio has no end where its denominator's holds zero (Fieller 1954).
    """
    if evidence.champion is None:
        raise ValueError("the evidence holds no predictions of the champion")
    seen = estimate(metric, replace(evidence, challenger=evidence.champion, champion=None), by)
    return abs(seen.value) < 1e-9 or (METRICS[metric].low < 0 and seen.low <= 0 <= seen.high)


def _linear(metric: str, ours: Influences, theirs: Influences, evidence: Evidence, *, relative: bool) -> Bounds:
    if not relative:
        return _around(metric, ours.value - theirs.value, ours.psi - theirs.psi, evidence)
    size = abs(theirs.value)
    share = ours.value / theirs.value
    psi = (ours.psi - share * theirs.psi) / size
    return _around(metric, (ours.value - theirs.value) / size, psi, evidence)


def _difference(
    metric: str, ours: float, theirs: float, found: Bounds, by: Statistics, *, relative: bool
) -> Difference:
    span = METRICS[metric].span / (abs(theirs) if relative else 1)
    made = Difference(ours, theirs, 0.0, 0.0, relative)
    kept = bounds.within(found, made.difference, -span, span)
    low, high = kept(by.tail)
    return replace(made, low=low, high=high, bounds=kept)


def _around(metric: str, middle: float, psi: Floats, evidence: Evidence, *, skewed: bool = False) -> Bounds:
    """The interval of a sum of influences; it has a width wherever unseen rows could still tell."""
    positive = evidence.label == 1
    if evidence.classes or METRICS[metric].tasks == ("ranking",):
        return _around_units(metric, middle, psi, evidence, skewed=skewed)
    if metric == "auc":
        variance, freedom = auc_variance(psi, positive, evidence.group)
    else:
        variance, freedom = mean_variance(psi, evidence.group)
    if metric == "average_precision":
        freedom = units_of(positive, evidence.group) - 1
    if variance > 0:
        skewness = _skewness(psi, evidence.group) if skewed else 0.0
        return bounds.of_students_t(middle, float(np.sqrt(variance)), freedom, skewness=skewness)
    if METRICS[metric].reads == "ranks":
        return bounds.of_unseen(middle, min(units_of(positive, evidence.group), units_of(~positive, evidence.group)))
    if METRICS[metric].reads == "decisions":
        return bounds.of_unseen(middle, evidence.units)
    return bounds.at(middle, middle)


def _around_units(metric: str, middle: float, psi: Floats, evidence: Evidence, *, skewed: bool) -> Bounds:
    """Where it takes rows (or groups) of any kind to tell."""
    variance, freedom = mean_variance(psi, evidence.group)
    if variance > 0:
        skewness = _skewness(psi, evidence.group) if skewed else 0.0
        return bounds.of_students_t(middle, float(np.sqrt(variance)), freedom, skewness=skewness)
    unseen = METRICS[metric].reads == "decisions" or METRICS[metric].span == 1
    return bounds.of_unseen(middle, evidence.units) if unseen else bounds.at(middle, middle)


def _skewness(psi: Floats, group: Categories | None) -> float:
    """Of a sum of influences."""
    total = psi if group is None else np.bincount(group.codes, weights=psi, minlength=len(group.names))
    return float((total**3).sum() / (total @ total) ** 1.5)


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


def _wilson(value: float, rows: int) -> Bounds:
    def found(tail: float) -> tuple[float, float]:
        square = NormalDist().inv_cdf(1 - tail) ** 2
        middle = (value + square / (2 * rows)) / (1 + square / rows)
        half = float(np.sqrt(square * (value * (1 - value) + square / (4 * rows)) / rows)) / (1 + square / rows)
        return middle - half, middle + half

    return found


def _plain(evidence: Evidence) -> bool:
    """Rows on their own, of a binary decision."""
    return evidence.group is None and not evidence.classes


def _calibrated(evidence: Evidence, by: Statistics, *, relative: bool) -> Difference:
    drawn = calibration.redrawn(evidence, by.resamples, by.seed)
    ours, theirs = (float(one) for one in drawn.seen)
    unit, share = (theirs, ours / theirs) if relative else (1.0, 1.0)
    middle = (ours - theirs) / unit
    readings = [bounds.of_draws(middle - (errors[:, 0] - share * errors[:, 1]) / unit) for errors in drawn.errors]
    return _difference("calibration_error", ours, theirs, bounds.furthest(*readings), by, relative=relative)


def _of_disagreeing(evidence: Evidence, threshold: float) -> Bounds:
    ours, theirs = rightly(evidence, threshold), rightly(evidence, threshold, champion=True)
    gained, lost = int((ours > theirs).sum()), int((ours < theirs).sum())
    return lambda tail: paired_bounds(evidence.rows, gained, lost, tail)


def _bootstrap(metric: str, evidence: Evidence, by: Statistics) -> tuple[float, Bounds]:
    """One model's value and interval; the champion's decisions are taken to be the challenger's."""
    decided = evidence.challenger >= by.threshold
    kinds, many = cells(evidence.label == 1, decided, decided, evidence.group)
    drawn = resample(kinds, many, paired=False, resamples=by.resamples, seed=by.seed)
    value = float(ratio(metric, many @ kinds, champion=False))
    return value, bounds.of_draws(ratio(metric, drawn, champion=False))


def _paired_bootstrap(
    metric: str, evidence: Evidence, champion: Floats, by: Statistics, *, relative: bool
) -> Difference:
    kinds, many = cells(
        evidence.label == 1, evidence.challenger >= by.threshold, champion >= by.threshold, evidence.group
    )
    drawn = resample(kinds, many, paired=True, resamples=by.resamples, seed=by.seed)
    seen = many @ kinds
    ours, theirs = float(ratio(metric, seen, champion=False)), float(ratio(metric, seen, champion=True))
    base = ratio(metric, drawn, champion=True)
    gap = ratio(metric, drawn, champion=False) - base
    if relative:
        gap = np.divide(gap, np.abs(base), out=np.full_like(gap, np.inf), where=base != 0)
    return _difference(metric, ours, theirs, bounds.of_draws(gap), by, relative=relative)
