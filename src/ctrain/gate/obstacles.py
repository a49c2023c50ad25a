"""What keeps a metric from being measured on some rows, or from telling anything."""

from __future__ import annotations

from dataclasses import dataclass

from ctrain.gate.catalogue import Metric
from ctrain.gate.evidence import Bools, Evidence, Floats, named
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
    models = {"challenger": evidence.challenger, "champion": evidence.champion}
    for model, prediction in models.items():
        says = None if prediction is None else _undefined(metric, model, evidence, prediction, threshold)
        if says:
            return Obstacle(Outcome.ERROR, says)
    return _too_few(metric, evidence)


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
    if metric.name == "r2" and (evidence.label == evidence.label[0]).all():
        return f"r2 needs labels that differ, and all {evidence.rows:,} are {evidence.label[0]:g}"
    return None


def _too_few(metric: Metric, evidence: Evidence) -> Obstacle | None:
    positive = evidence.label == 1
    counted: dict[str, Bools] = {"": positive | True}
    if metric.reads == "ranks" or metric.name in ("f1", "precision", "recall", "balanced_accuracy"):
        counted["with a positive label"] = positive
    if metric.reads == "ranks" or metric.name in ("specificity", "balanced_accuracy"):
        counted["with a negative label"] = ~positive
    kind = "groups" if evidence.group else "rows"
    for which, mask in counted.items():
        units = units_of(mask, evidence.group)
        if units < FEWEST:
            only = f"only {units} {kind} {which}".rstrip()
            return Obstacle(Outcome.INCONCLUSIVE, f"{only}: {metric.name} needs {FEWEST} for an interval to hold")
    return None
