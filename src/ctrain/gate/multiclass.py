"""Metrics of a model that chooses among more than two classes, with every row's influence on them.

All are means over rows, or smooth functions of the counts of labels, answers and hits of each class, so that one
formula (see `influence`) serves them. Macro averages are over the classes that the labels of these rows have.
"""

from __future__ import annotations

import numpy as np

from ctrain.gate.evidence import Evidence, Floats, Ints
from ctrain.gate.influence import Influences
from ctrain.gate.metrics import auc_components


def class_influences(metric: str, evidence: Evidence, *, champion: bool) -> Influences:
    """Those of one model. Raises ValueError where the metric reads probabilities and the rows hold none."""
    answered = evidence.champion if champion else evidence.challenger
    if answered is None:
        raise ValueError("the evidence holds no predictions of the champion")
    label, answer = evidence.label.astype(np.int64), answered.astype(np.int64)
    match metric:
        case "accuracy":
            return _mean((label == answer).astype(np.float64))
        case "balanced_accuracy" | "f1_macro" | "precision_macro" | "f1_weighted":
            return _by_class(metric, label, answer, len(evidence.classes))
        case _:
            shares = evidence.champion_shares if champion else evidence.shares
            if shares is None:
                raise ValueError("the evidence holds no probabilities of the classes")
            return _of_shares(metric, label, shares)


def _mean(values: Floats) -> Influences:
    value = float(values.mean())
    return Influences(value, (values - value) / len(values))


def _by_class(metric: str, label: Ints, answer: Ints, classes: int) -> Influences:
    """Each class's ratio, its influences, and their average: plain, or weighted by how common the class is.

    A ratio r = a / b changes by (da - r db) / b. Recall: hits / labels; precision: hits / answers; f1: twice the hits
    / (labels + answers), 0 where a class is never answered.
    """
    labels = np.bincount(label, minlength=classes).astype(np.float64)
    answers = np.bincount(answer, minlength=classes).astype(np.float64)
    hits = np.bincount(label[label == answer], minlength=classes).astype(np.float64)
    with_labels = {"balanced_accuracy": 1.0, "precision_macro": 0.0}.get(metric, 0.5)
    with_answers = 1 - with_labels
    below = with_labels * labels + with_answers * answers
    ratio = np.divide(hits, below, out=np.zeros(classes), where=below > 0)
    present = labels > 0
    weight = labels / len(label) if metric == "f1_weighted" else present / present.sum()
    slope = np.divide(weight, below, out=np.zeros(classes), where=below > 0)
    hit = (label == answer).astype(np.float64)
    psi = slope[label] * (hit - with_labels * ratio[label]) - with_answers * slope[answer] * ratio[answer]
    if metric == "f1_weighted":
        psi += (ratio[label] - float(weight @ ratio)) / len(label)
    return Influences(float(weight @ ratio), psi)


def _of_shares(metric: str, label: Ints, shares: Floats) -> Influences:
    rows = np.arange(len(label))
    match metric:
        case "log_loss":
            step = np.finfo(np.float64).eps
            return _mean(-np.log(np.clip(shares[rows, label], step, 1)))
        case "brier":
            return _mean((np.square(shares).sum(axis=1) - 2 * shares[rows, label] + 1) / 2)
        case "auc_macro":
            return _auc_macro(label, shares)
        case _:
            raise ValueError(f"{metric} is no metric of several classes")


def _auc_macro(label: Ints, shares: Floats) -> Influences:
    """The mean over classes of the auc of that class against all others."""
    present = np.unique(label)
    psi, value = np.zeros(len(label)), 0.0
    for one in present:
        positive = label == one
        components = auc_components(positive, shares[:, one])
        auc = float(components[positive].mean())
        psi += (components - auc) / np.where(positive, positive.sum(), (~positive).sum())
        value += auc
    return Influences(value / len(present), psi / len(present))
