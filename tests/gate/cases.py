"""Evidence made to order: two models that see the truth through noise of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ctrain.gate import Categories, EvaluationSettings, Evidence, GateSettings, Rule, Slices
from ctrain.gate.evidence import Floats
from ctrain.gate.intervals import Statistics

BINARY = EvaluationSettings(output="evaluation", row_id="row_id", label="visited")
REGRESSION = EvaluationSettings(output="evaluation", row_id="row_id", label="cost", task="regression")
BINARY_METRICS = (
    "auc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "precision",
    "recall",
    "specificity",
    "log_loss",
    "brier",
    "calibration_error",
)
REGRESSION_METRICS = (
    "mae",
    "rmse",
    "r2",
    "mape",
    "median_error",
    "p90_error",
    "pinball_10",
    "pinball_50",
    "pinball_90",
)
MULTICLASS = EvaluationSettings(output="evaluation", row_id="row_id", label="size", task="multiclass")
MULTICLASS_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "f1_weighted",
    "precision_macro",
    "log_loss",
    "brier",
    "auc_macro",
)
RANKING = EvaluationSettings(output="evaluation", row_id="row_id", label="clicked", task="ranking", group="query")
RANKING_METRICS = ("ndcg", "ndcg_10", "mrr")


def statistics(confidence: float = 0.95, resamples: int = 1000, seed: int = 1) -> Statistics:
    return Statistics(confidence, threshold=0.5, resamples=resamples, seed=seed)


def non_inferior(
    direction: Literal["up", "down"] = "up",
    margin: float | str = 0.05,
    floor: float | None = None,
    *,
    blocking: bool = True,
) -> Rule:
    return Rule(direction=direction, rule="non_inferior", margin=margin, floor=floor, blocking=blocking)


def gate(slices: Slices | None = None, min_rows: int = 100, **metrics: Rule) -> GateSettings:
    return GateSettings(metrics=metrics, slices=slices, min_rows=min_rows, resamples=500)


def scored(
    rows: int,
    generator: np.random.Generator,
    *,
    ours: float = 0.4,
    theirs: float = 0.6,
    groups: int | None = None,
) -> Evidence:
    """Binary rows; `ours` and `theirs` are the noise of challenger and champion. Rows of a group share much of it."""
    group, shared = None, np.zeros((3, rows))
    if groups:
        codes = generator.integers(0, groups, rows)
        shared = generator.normal(size=(3, groups))[:, codes] * np.array([[1.0], [0.5], [0.5]])
        group = Categories(tuple(str(one) for one in range(groups)), codes).where(np.arange(rows))
    signal = generator.normal(size=rows) + shared[0] - 0.9
    label = (generator.random(rows) < _logistic(1.5 * signal)).astype(np.float64)
    challenger = _logistic(signal + generator.normal(size=rows) * ours + shared[1])
    champion = _logistic(signal + generator.normal(size=rows) * theirs + shared[2])
    return Evidence(np.arange(rows), label, challenger, champion, group)


def measured(rows: int, generator: np.random.Generator, *, ours: float = 0.4, theirs: float = 0.6) -> Evidence:
    """Rows of a regression."""
    signal = 10 + generator.normal(size=rows) * 2
    label = signal + generator.normal(size=rows)
    noise = generator.normal(size=(2, rows))
    return Evidence(np.arange(rows), label, signal + ours * noise[0], signal + theirs * noise[1])


def classified(rows: int, generator: np.random.Generator, *, ours: float = 0.4, theirs: float = 0.6) -> Evidence:
    """Rows of three classes, one of them rare, with probabilities."""
    base = np.array([0.5, 0.0, -0.9])
    signal = generator.normal(size=(rows, 3)) * 1.5
    logits = signal + base
    label = (logits + generator.gumbel(size=(rows, 3))).argmax(axis=1)
    seen = [_softmax(logits + generator.normal(size=(rows, 3)) * 2 * noise) for noise in (ours, theirs)]
    answers = [shares.argmax(axis=1).astype(np.float64) for shares in seen]
    return Evidence(
        np.arange(rows),
        label.astype(np.float64),
        answers[0],
        answers[1],
        classes=("a", "b", "c"),
        shares=seen[0],
        champion_shares=seen[1],
    )


def searched(queries: int, generator: np.random.Generator, *, ours: float = 0.4, theirs: float = 0.6) -> Evidence:
    """Queries of twelve rows each, of relevance 0, 1 or 2."""
    rows = queries * 12
    signal = generator.normal(size=rows)
    label = np.digitize(signal + generator.normal(size=rows) * 0.7, [0.8, 1.8]).astype(np.float64)
    challenger, champion = (signal + generator.normal(size=rows) * 2 * noise for noise in (ours, theirs))
    group = Categories(tuple(str(one) for one in range(queries)), np.repeat(np.arange(queries), 12))
    return Evidence(np.arange(rows), label, challenger, champion, group)


def sliced(evidence: Evidence, name: str, values: Sequence[str | None]) -> Evidence:
    """The same evidence with a slice column of these values, one a row."""
    return replace(evidence, slices={**evidence.slices, name: Categories.of(values)})


def a_hundred_and_more(rows: int = 400, seed: int = 0) -> Evidence:
    return scored(rows, np.random.default_rng(seed))


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = odds / odds.sum(axis=1, keepdims=True)
    return shares


def _logistic(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-value))
