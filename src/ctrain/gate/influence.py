"""How much each row contributes to a metric: its value, and the influence of every row on it.

For a metric T of the empirical distribution, the influences psi_i are the terms of its linear part, T - theta =
sum(psi_i) + smaller terms, already divided by n: they sum to zero, and the sum of their squares estimates the variance
of T. This "infinitesimal jackknife" (Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter 6)
serves every smooth metric by one formula, costs no resampling, and follows rows that belong together by adding them up
first. For AUC it is DeLong's estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ctrain.gate.evidence import Bools, Floats
from ctrain.gate.metrics import Ranking, auc_components, log_losses


@dataclass(frozen=True)
class Influences:
    """`psi` has one entry a row, in the metric's unit."""

    value: float
    psi: Floats


def influences(metric: str, label: Floats, prediction: Floats, threshold: float) -> Influences:
    """Those of any metric but the ratios of counts (f1, precision, recall)."""
    match metric:
        case "auc":
            return _auc(label == 1, prediction)
        case "average_precision":
            return _average_precision(label == 1, prediction)
        case "rmse":
            return _rmse(label - prediction)
        case "r2":
            return _r2(label, prediction)
        case "median_error":
            return _quantile(np.abs(label - prediction), 0.5)
        case "p90_error":
            return _quantile(np.abs(label - prediction), 0.9)
        case _:
            losses = row_values(metric, label, prediction, threshold)
            value = float(losses.mean())
            return Influences(value, (losses - value) / len(losses))


def row_values(metric: str, label: Floats, prediction: Floats, threshold: float) -> Floats:
    """For a metric that is a mean over rows: each row's value."""
    match metric:
        case "accuracy":
            right: Bools = (prediction >= threshold) == (label == 1)
            return right.astype(np.float64)
        case "log_loss":
            return log_losses(label, prediction)
        case "brier":
            squares: Floats = np.square(prediction - label)
            return squares
        case "mae":
            return np.abs(prediction - label)
        case "mape":
            return np.abs(prediction - label) / np.abs(label)
        case "pinball_10" | "pinball_50" | "pinball_90":
            share = int(metric[-2:]) / 100
            return np.maximum(share * (label - prediction), (share - 1) * (label - prediction))
        case _:
            raise ValueError(f"{metric} is not a mean over rows")


def _auc(positive: Bools, score: Floats) -> Influences:
    shares = auc_components(positive, score)
    positives = int(positive.sum())
    value = float(shares[positive].mean())
    return Influences(value, (shares - value) / np.where(positive, positives, len(shares) - positives))


def _average_precision(positive: Bools, score: Floats) -> Influences:
    """AP = E[Y P(s)] / pi, with P(s) = A(s) / B(s), A(s) = P(Y=1, S >= s) and B(s) = P(S >= s).

    The derivative in the direction of a row (y, s) has three parts: the row's own precision; what it adds, if
    positive, to the precision at every lower positive; and what it takes there by being one more row.
    """
    ranking = Ranking.of(positive, score)
    n = len(score)
    share = ranking.above_all / n
    precision = ranking.above_positive / ranking.above_all
    here = np.diff(ranking.above_positive, prepend=0) / n
    added = np.cumsum((here / share)[::-1])[::-1]
    taken = np.cumsum((here * precision / share)[::-1])[::-1]
    base = float(positive.mean())
    value = float((here * precision).sum()) / base
    gain = ranking.by_row(precision + added) - value
    return Influences(value, (np.where(positive, gain, 0.0) - ranking.by_row(taken)) / base / n)


def _rmse(error: Floats) -> Influences:
    squares = error**2
    value = float(np.sqrt(squares.mean()))
    if value == 0:
        return Influences(0.0, np.zeros_like(error))
    return Influences(value, (squares - value**2) / (2 * value * len(error)))


def _r2(label: Floats, prediction: Floats) -> Influences:
    squares = (label - prediction) ** 2
    spread = (label - label.mean()) ** 2
    ratio = float(squares.mean() / spread.mean())
    return Influences(1 - ratio, (ratio * spread - squares) / (spread.mean() * len(label)))


def _quantile(error: Floats, share: float) -> Influences:
    """Of the errors' sizes: psi = (share - [error <= Q]) / density(Q) / n.

    One over the density is the slope of the quantiles about Q, over Hall & Sheather's (1988) bandwidth, "On the
    distribution of a studentized quantile".
    """
    rows = len(error)
    value = float(np.quantile(error, share))
    normal = NormalDist()
    middle = normal.inv_cdf(share)
    peak = normal.pdf(middle)
    width = (1.5 * normal.inv_cdf(0.975) ** 2 * peak**2 / (rows * (2 * middle**2 + 1))) ** (1 / 3)
    low, high = max(share - width, 0.0), min(share + width, 1.0)
    slope = float(np.quantile(error, high) - np.quantile(error, low)) / (high - low)
    below = error <= value
    return Influences(value, slope * (float(below.mean()) - below) / rows)
