"""Metrics, as MLflow's API tells of them."""

from __future__ import annotations

import math

from ctrain.backends.azureml.bodies import JsonValue
from ctrain.backends.azureml.metrics import metrics_of


def _run(*metrics: JsonValue) -> JsonValue:
    return {"info": {"run_id": "r"}, "data": {"metrics": metrics}}


def test_what_is_not_finite_is_told_as_it_is() -> None:
    """The gate decides about it; protobuf's JSON writes it as text."""
    said = [{"key": key, "value": value} for key, value in (("a", "NaN"), ("b", "Infinity"), ("c", "-Infinity"))]

    made = metrics_of(_run(*said))

    assert math.isnan(made["a"])
    assert (made["b"], made["c"]) == (math.inf, -math.inf)


def test_the_last_value_of_a_metric_counts() -> None:
    """By its step, then by its time; long integers come as text."""
    said: list[JsonValue] = [
        {"key": "auc", "value": 0.7, "step": "2", "timestamp": "20"},
        {"key": "auc", "value": 0.9, "step": "10", "timestamp": "5"},
        {"key": "auc", "value": 0.8, "step": "10", "timestamp": "4"},
    ]

    assert metrics_of(_run(*said)) == {"auc": 0.9}


def test_what_is_no_metric_is_passed_over() -> None:
    """Somebody else's shapes are no failure of ours."""
    assert metrics_of(_run({"key": "a", "value": "many"}, {"value": 1}, {"key": "b", "value": True}, "c")) == {}
    assert metrics_of(None) == {}
