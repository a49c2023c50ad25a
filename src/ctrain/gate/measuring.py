"""Every metric of one model, by the kind of task that the rows are of."""

from __future__ import annotations

import numpy as np

from ctrain.gate.calibration import calibration_error
from ctrain.gate.catalogue import METRICS, RATIOS
from ctrain.gate.evidence import Evidence, Floats
from ctrain.gate.influence import Influences, influences, row_values
from ctrain.gate.multiclass import class_influences
from ctrain.gate.ranking import query_influences
from ctrain.gate.resampling import cells, ratio


def of_model(metric: str, evidence: Evidence, threshold: float, *, champion: bool = False) -> Influences:
    """A metric that has influences: its value, and that of each row on it."""
    if evidence.classes:
        return class_influences(metric, evidence, champion=champion)
    if METRICS[metric].tasks == ("ranking",):
        return query_influences(metric, evidence, champion=champion)
    return influences(metric, evidence.label, _answers(evidence, champion=champion), threshold)


def by_counts(metric: str, evidence: Evidence) -> bool:
    """Whether it is bootstrapped from the counts of a binary decision's outcomes."""
    return metric in RATIOS and not evidence.classes


def value_of(metric: str, evidence: Evidence, threshold: float) -> float:
    """The challenger's metric alone, without an interval."""
    if metric == "calibration_error":
        return calibration_error(evidence.label, evidence.challenger)
    if by_counts(metric, evidence):
        decided = evidence.challenger >= threshold
        kinds, many = cells(evidence.label == 1, decided, decided, None)
        return float(ratio(metric, many @ kinds, champion=False))
    return of_model(metric, evidence, threshold).value


def rightly(evidence: Evidence, threshold: float, *, champion: bool = False) -> Floats:
    """1 for each row that the model answers rightly, else 0."""
    answers = _answers(evidence, champion=champion)
    if evidence.classes:
        return np.equal(answers, evidence.label).astype(np.float64)
    return row_values("accuracy", evidence.label, answers, threshold)


def _answers(evidence: Evidence, *, champion: bool) -> Floats:
    answers = evidence.champion if champion else evidence.challenger
    if answers is None:
        raise ValueError("the evidence holds no predictions of the champion")
    return answers
