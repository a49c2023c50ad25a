"""What keeps a metric from being measured on some rows, or from telling anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrain.gate.catalogue import Metric
from ctrain.gate.evidence import Bools, Evidence, Floats, Ints, named
from ctrain.gate.intervals import units_of
from ctrain.verdict import Outcome

FEWEST = 10
"""Units (rows, or groups) below which no interval is relied on; of each class, where classes count."""


@dataclass(frozen=True)
class Obstacle:
    """`error` where the metric does not exist on these rows, `inconclusive` where they are too few for an interval."""

    outcome: Outcome
    says: str


def obstacle(metric: Metric, evidence: Evidence, threshold: float) -> Obstacle | None:
    """The first one found, or None where the metric can be measured for every model in the evidence."""
    if evidence.classes:
        return _of_classes(metric, evidence)
    if metric.tasks == ("ranking",):
        return _of_ranking(metric, evidence)
    models = {"challenger": evidence.challenger, "champion": evidence.champion}
    for model, prediction in models.items():
        says = None if prediction is None else _undefined(metric, model, evidence, prediction, threshold)
        if says:
            return Obstacle(Outcome.ERROR, says)
    return _too_few(metric, evidence)


def _of_classes(metric: Metric, evidence: Evidence) -> Obstacle | None:
    if metric.reads == "probabilities":
        shares = {"challenger": evidence.shares}
        if evidence.champion is not None:
            shares["champion"] = evidence.champion_shares
        for model, part in shares.items():
            if part is None:
                says = f"{metric.name} needs the {model}'s probabilities, a column for each class, and there are none"
                return Obstacle(Outcome.ERROR, says)
    label = evidence.label.astype(np.int64)
    present = np.unique(label)
    means = metric.name in ("accuracy", "log_loss", "brier")
    if len(present) < 2 and not means:
        only = evidence.classes[present[0]]
        return Obstacle(
            Outcome.ERROR, f"{metric.name} needs several classes, and all {evidence.rows:,} rows are {only}"
        )
    wanted: Ints = present[:0] if means or metric.name == "f1_weighted" else present
    return _fewest(metric, evidence, {f"of the class {evidence.classes[one]}": label == one for one in wanted})


def _of_ranking(metric: Metric, evidence: Evidence) -> Obstacle | None:
    if (evidence.label < 0).any():
        return Obstacle(Outcome.ERROR, f"{metric.name} needs labels of 0 or more: how relevant a row is")
    if not (evidence.label > 0).any():
        return Obstacle(Outcome.ERROR, f"{metric.name} needs relevant rows, and no label is above 0")
    return _fewest(metric, evidence, {"with a relevant row": evidence.label > 0})


def _undefined(metric: Metric, model: str, evidence: Evidence, prediction: Floats, threshold: float) -> str | None:
    positive = evidence.label == 1
    if metric.reads == "probabilities":
        outside = (prediction < 0) | (prediction > 1)
        if outside.any():
            where = f"{int(outside.sum()):,} predictions of the {model} are not ({named(evidence.row_id[outside])})"
            return f"{metric.name} needs probabilities between 0 and 1, and {where}"
    if metric.reads == "ranks" and (positive.all() or not positive.any()):
        return f"{metric.name} needs both labels, and all {evidence.rows:,} rows have label {int(positive[0])}"
    if metric.name in ("f1", "recall", "balanced_accuracy") and not positive.any():
        return f"{metric.name} needs positive labels, and none of the {evidence.rows:,} rows has one"
    if metric.name in ("specificity", "balanced_accuracy") and positive.all():
        return f"{metric.name} needs negative labels, and none of the {evidence.rows:,} rows has one"
    if metric.name == "precision" and not (prediction >= threshold).any():
        return f"precision needs positive decisions, and the {model} has none at the threshold {threshold:g}"
    if metric.name == "mape" and (evidence.label == 0).any():
        zero = evidence.label == 0
        return f"mape needs labels other than 0, and {int(zero.sum()):,} are 0 ({named(evidence.row_id[zero])})"
    if metric.name == "r2" and (evidence.label == evidence.label[0]).all():
        return f"r2 needs labels that differ, and all {evidence.rows:,} are {evidence.label[0]:g}"
    return None


def _too_few(metric: Metric, evidence: Evidence) -> Obstacle | None:
    positive = evidence.label == 1
    counted: dict[str, Bools] = {}
    if metric.reads == "ranks" or metric.name in ("f1", "precision", "recall", "balanced_accuracy"):
        counted["with a positive label"] = positive
    if metric.reads == "ranks" or metric.name in ("specificity", "balanced_accuracy"):
        counted["with a negative label"] = ~positive
    return _fewest(metric, evidence, counted)


def few_units(name: str, evidence: Evidence) -> Obstacle | None:
    """Where there are fewer than any interval needs."""
    return _counted(name, evidence, {})


def _fewest(metric: Metric, evidence: Evidence, counted: dict[str, Bools]) -> Obstacle | None:
    return _counted(metric.name, evidence, counted)


def _counted(name: str, evidence: Evidence, counted: dict[str, Bools]) -> Obstacle | None:
    kind = "groups" if evidence.group else "rows"
    for which, mask in {"": np.ones(evidence.rows, dtype=np.bool_), **counted}.items():
        units = units_of(mask, evidence.group)
        if units < FEWEST:
            only = f"only {units} {kind} {which}".rstrip()
            return Obstacle(Outcome.INCONCLUSIVE, f"{only}: {name} needs {FEWEST} for an interval to hold")
    return None
