"""The metrics that the gate can compute, and what each of them is about. No numbers are crunched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from ctrain.gate.settings import Direction, Task

Reads = Literal["ranks", "decisions", "probabilities", "values"]
"""What of a prediction a metric uses: its order, its side of the threshold, or its value (a probability or not)."""


@dataclass(frozen=True)
class Metric:
    """`low` and `high` bound what the metric can be."""

    name: str
    task: Task
    direction: Direction
    reads: Reads
    low: float
    high: float

    @property
    def span(self) -> float:
        return self.high - self.low


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auc", "binary", "up", "ranks", 0.0, 1.0),
        Metric("average_precision", "binary", "up", "ranks", 0.0, 1.0),
        Metric("accuracy", "binary", "up", "decisions", 0.0, 1.0),
        Metric("f1", "binary", "up", "decisions", 0.0, 1.0),
        Metric("precision", "binary", "up", "decisions", 0.0, 1.0),
        Metric("recall", "binary", "up", "decisions", 0.0, 1.0),
        Metric("log_loss", "binary", "down", "probabilities", 0.0, inf),
        Metric("brier", "binary", "down", "probabilities", 0.0, 1.0),
        Metric("mae", "regression", "down", "values", 0.0, inf),
        Metric("rmse", "regression", "down", "values", 0.0, inf),
        Metric("r2", "regression", "up", "values", -inf, 1.0),
    )
}
