"""The metrics that the gate can compute, and what each of them is about. No numbers are crunched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from ctrain.gate.settings import Baseline, Direction, Task

Reads = Literal["ranks", "decisions", "probabilities", "values"]
"""What of a prediction a metric uses: its order, its side of the threshold, or its value (a probability or not)."""


@dataclass(frozen=True)
class Metric:
    """`low` and `high` bound what the metric can be."""

    name: str
    tasks: tuple[Task, ...]
    direction: Direction
    reads: Reads
    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_MULTICLASS: tuple[Task, ...] = ("multiclass",)
_RANKING: tuple[Task, ...] = ("ranking",)
_BINARY: tuple[Task, ...] = ("binary",)
_REGRESSION: tuple[Task, ...] = ("regression",)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auc", _BINARY, "up", "ranks", 0.0, 1.0),
        Metric("average_precision", _BINARY, "up", "ranks", 0.0, 1.0),
        Metric("accuracy", _CLASSES, "up", "decisions", 0.0, 1.0),
        Metric("balanced_accuracy", _CLASSES, "up", "decisions", 0.0, 1.0),
        Metric("f1", _BINARY, "up", "decisions", 0.0, 1.0),
        Metric("precision", _BINARY, "up", "decisions", 0.0, 1.0),
        Metric("recall", _BINARY, "up", "decisions", 0.0, 1.0),
        Metric("specificity", _BINARY, "up", "decisions", 0.0, 1.0),
        Metric("log_loss", _CLASSES, "down", "probabilities", 0.0, inf),
        Metric("brier", _CLASSES, "down", "probabilities", 0.0, 1.0),
        Metric("calibration_error", _BINARY, "down", "probabilities", 0.0, 1.0),
        Metric("f1_macro", _MULTICLASS, "up", "decisions", 0.0, 1.0),
        Metric("f1_weighted", _MULTICLASS, "up", "decisions", 0.0, 1.0),
        Metric("precision_macro", _MULTICLASS, "up", "decisions", 0.0, 1.0),
        Metric("auc_macro", _MULTICLASS, "up", "probabilities", 0.0, 1.0),
        Metric("mae", _REGRESSION, "down", "values", 0.0, inf),
        Metric("rmse", _REGRESSION, "down", "values", 0.0, inf),
        Metric("r2", _REGRESSION, "up", "values", -inf, 1.0),
        Metric("mape", _REGRESSION, "down", "values", 0.0, inf),
        Metric("median_error", _REGRESSION, "down", "values", 0.0, inf),
        Metric("p90_error", _REGRESSION, "down", "values", 0.0, inf),
        Metric("pinball_10", _REGRESSION, "down", "values", 0.0, inf),
        Metric("pinball_50", _REGRESSION, "down", "values", 0.0, inf),
        Metric("pinball_90", _REGRESSION, "down", "values", 0.0, inf),
        Metric("ndcg", _RANKING, "up", "values", 0.0, 1.0),
        Metric("ndcg_10", _RANKING, "up", "values", 0.0, 1.0),
        Metric("mrr", _RANKING, "up", "values", 0.0, 1.0),
    )
}

RATIOS = ("f1", "precision", "recall", "specificity", "balanced_accuracy")
"""Those that are ratios of counts of a binary decision's four outcomes."""

BASELINES: Mapping[Baseline, tuple[Task, ...]] = {
    "majority": _CLASSES,
    "mean": ("regression",),
    "median": ("regression",),
}


def suiting(task: Task) -> tuple[str, ...]:
    """The names of the metrics that suit a task."""
    return tuple(metric.name for metric in METRICS.values() if task in metric.tasks)
