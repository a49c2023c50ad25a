"""The calibration error: how far, on average, a probability is from what then happened.

Ten bins of equal width; in each, the gap between the sum of labels and the sum of probabilities; the sum of the gaps'
sizes, divided by the rows (Naeini, Cooper & Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian
binning"). A gap's size has a kink at zero: where a bin is well calibrated, chance alone makes a gap, so the measured
error is too large, by how much depends on gaps that are not known, and no bootstrap is right for all of them (measured:
plain ones hold the truth in 54% to 93% of simulations). So the gaps are redrawn, normal, with the covariances over both
models' bins (by group where there are groups), and three intervals are made: the basic one (Davison & Hinkley 1997,
Bootstrap Methods and their Application, section 5.2.1) as if the gaps were as measured, the same as if those that are
not clearly there were none, and the percentiles. The interval reaches as far as any of them: it holds the truth in 95%
or more, and is about a quarter wider than it would have to be. Its truth is the binned error of the population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrain.gate.evidence import Categories, Evidence, Floats, Ints

BINS = 10
_SHOWN = 2.0  # standard errors from zero at which a gap counts as one


def bin_of(probability: Floats) -> Ints:
    """Which bin; 1.0 belongs to the last."""
    return np.minimum((probability * BINS).astype(np.int64), BINS - 1)


def calibration_error(label: Floats, probability: Floats) -> float:
    """Between 0 and 1, 0 the best."""
    gaps = np.bincount(bin_of(probability), weights=label - probability, minlength=BINS)
    return float(np.abs(gaps).sum() / len(label))


@dataclass(frozen=True)
class Redrawn:
    """`seen` has one entry a model, challenger first. Each of `errors` has a row a resample: by how much it was off."""

    seen: Floats
    errors: tuple[Floats, ...]


def redrawn(evidence: Evidence, resamples: int, seed: int) -> Redrawn:
    """What was measured for each model, and the errors of measurements like it, by three readings of the truth."""
    predictions = [evidence.challenger, *([evidence.champion] if evidence.champion is not None else [])]
    gaps, covariance = _gaps(evidence, predictions)
    values, vectors = np.linalg.eigh(covariance)
    spread = vectors * np.sqrt(np.maximum(values, 0))
    noise = np.random.default_rng(seed).standard_normal((resamples, len(gaps))) @ spread.T
    shown = np.where(np.abs(gaps) > _SHOWN * np.sqrt(np.diag(covariance)), gaps, 0)
    size = _sizes(gaps, len(predictions))
    as_seen = _sizes(gaps + noise, len(predictions)) - size
    as_shown = _sizes(shown + noise, len(predictions)) - _sizes(shown, len(predictions))
    return Redrawn(size[0], (as_seen, as_shown, -as_seen))


def _sizes(gaps: Floats, models: int) -> Floats:
    """The sum of the gaps' sizes, one column a model."""
    sizes: Floats = np.abs(gaps).reshape(-1, models, BINS).sum(axis=2)
    return sizes


def _gaps(evidence: Evidence, predictions: list[Floats]) -> tuple[Floats, Floats]:
    """The gaps of all models' bins, as shares of the rows, and their covariances."""
    rows = evidence.rows
    bins = [model * BINS + bin_of(prediction) for model, prediction in enumerate(predictions)]
    gains = [(evidence.label - prediction) / rows for prediction in predictions]
    size = BINS * len(predictions)
    gaps = np.zeros(size)
    for which, gain in zip(bins, gains, strict=True):
        gaps += np.bincount(which, weights=gain, minlength=size)
    if evidence.group is not None:
        return gaps, _by_group(evidence.group, bins, gains, size)
    products = np.zeros(size * size)
    for one, ours in zip(bins, gains, strict=True):
        for other, theirs in zip(bins, gains, strict=True):
            products += np.bincount(one * size + other, weights=ours * theirs, minlength=size * size)
    covariance = products.reshape(size, size) - np.outer(gaps, gaps) / rows
    return gaps, covariance * rows / (rows - 1)


def _by_group(group: Categories, bins: list[Ints], gains: list[Floats], size: int) -> Floats:
    units = len(group.names)
    sums = np.zeros(units * size)
    for which, gain in zip(bins, gains, strict=True):
        sums += np.bincount(group.codes * size + which, weights=gain, minlength=units * size)
    table = sums.reshape(units, size)
    table -= table.mean(axis=0)
    covariance: Floats = table.T @ table
    return covariance * units / (units - 1)
