"""The metrics' values, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from ctrain.gate.calibration import calibration_error
from ctrain.gate.evidence import Categories, Evidence, Floats
from ctrain.gate.influence import influences
from ctrain.gate.metrics import auc_components, average_precision, count_ratio
from ctrain.gate.multiclass import class_influences
from ctrain.gate.ranking import query_influences
from ctrain.gate.resampling import cells, ratio
from tests.gate.cases import MULTICLASS_METRICS, a_hundred_and_more, classified, measured, searched

DIGITS = 1e-12


@st.composite
def scored_rows(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Labels of both kinds, and scores with many ties."""
    rows = draw(st.integers(2, 60))
    label = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=rows, max_size=rows).filter(lambda a: len(set(a)) == 2))
    score = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 0.9999, 1.0]), min_size=rows, max_size=rows))
    return np.array(label), np.array(score)


@given(scored_rows())
@settings(max_examples=150, deadline=None)
def test_binary_metrics_are_those_of_scikit_learn(rows: tuple[Floats, Floats]) -> None:
    """Any labels of both kinds, any scores, ties and all."""
    label, score = rows
    expected = {
        "auc": reference.roc_auc_score(label, score),
        "average_precision": reference.average_precision_score(label, score),
        "accuracy": reference.accuracy_score(label, score >= 0.5),
        "log_loss": reference.log_loss(label, score),
        "brier": reference.brier_score_loss(label, score),
    }
    found = {name: influences(name, label, score, 0.5).value for name in expected}
    assert found == pytest.approx(expected, abs=DIGITS)
    assert average_precision(label == 1, score) == pytest.approx(expected["average_precision"], abs=DIGITS)


@given(scored_rows())
@settings(max_examples=100, deadline=None)
def test_ratios_of_counts_are_those_of_scikit_learn(rows: tuple[Floats, Floats]) -> None:
    """Also where a ratio is 0/0, which counts as 0."""
    label, score = rows
    said = score >= 0.5
    kinds, many = cells(label == 1, said, said, None)
    expected = {
        "f1": reference.f1_score(label, said, zero_division=0),
        "precision": reference.precision_score(label, said, zero_division=0),
        "recall": reference.recall_score(label, said, zero_division=0),
        "specificity": reference.recall_score(1 - label, ~said, zero_division=0),
        "balanced_accuracy": reference.balanced_accuracy_score(label, said),
    }
    found = {name: float(ratio(name, many @ kinds, champion=False)) for name in expected}
    assert found == pytest.approx(expected, abs=DIGITS)


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    """On rows of a regression."""
    rows = measured(300, np.random.default_rng(0))
    label, said = rows.label, rows.challenger
    expected = {
        "mae": reference.mean_absolute_error(label, said),
        "rmse": reference.root_mean_squared_error(label, said),
        "r2": reference.r2_score(label, said),
        "mape": reference.mean_absolute_percentage_error(label, said),
        "median_error": reference.median_absolute_error(label, said),
        **{f"pinball_{one}": reference.mean_pinball_loss(label, said, alpha=one / 100) for one in (10, 50, 90)},
    }
    found = {name: influences(name, label, said, 0.5).value for name in expected}
    assert found == pytest.approx(expected, abs=DIGITS)
    p90 = influences("p90_error", label, said, 0.5).value
    assert p90 == pytest.approx(np.quantile(np.abs(label - said), 0.9), abs=DIGITS)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_metrics_of_several_classes_are_those_of_scikit_learn(seed: int) -> None:
    """Of the answers, and of the probabilities."""
    rows = classified(60, np.random.default_rng(seed))
    label, said = rows.label, rows.challenger
    present = np.unique(label)
    found = {name: class_influences(name, rows, champion=False).value for name in MULTICLASS_METRICS}
    expected = {
        "accuracy": reference.accuracy_score(label, said),
        "balanced_accuracy": reference.recall_score(label, said, labels=present, average="macro", zero_division=0),
        "f1_macro": reference.f1_score(label, said, labels=present, average="macro", zero_division=0),
        "f1_weighted": reference.f1_score(label, said, average="weighted", zero_division=0),
        "precision_macro": reference.precision_score(label, said, labels=present, average="macro", zero_division=0),
        "log_loss": reference.log_loss(label, rows.shares, labels=[0, 1, 2]),
        "brier": reference.brier_score_loss(label, rows.shares, labels=[0, 1, 2], scale_by_half=True),
        "auc_macro": np.mean([reference.roc_auc_score(label == c, rows.shares[:, int(c)]) for c in present]),  # type: ignore[index]
    }
    assert found == pytest.approx(expected, abs=DIGITS)


@pytest.mark.parametrize("digits", [1, 9])
def test_metrics_of_a_ranking_are_those_of_scikit_learn(digits: int) -> None:
    """Each query by `ndcg_score`, ties and all."""
    rows = searched(40, np.random.default_rng(0))
    said = np.round(rows.challenger, digits)
    labels, scores = rows.label.reshape(40, 12), said.reshape(40, 12)
    relevant = labels.sum(axis=1) > 0
    for name, cut in (("ndcg", None), ("ndcg_10", 10)):
        found = query_influences(name, replace(rows, challenger=said), champion=False).value
        assert found == pytest.approx(reference.ndcg_score(labels[relevant], scores[relevant], k=cut), abs=DIGITS)


def test_the_first_relevant_row_counts_by_its_place() -> None:
    """Second and first of their queries: (1/2 + 1) / 2; a tie puts the irrelevant row first."""
    group = Categories(("a", "b"), np.array([0, 0, 0, 1, 1]))
    rows = Evidence(np.arange(5), np.array([0, 1, 0, 2, 0.0]), np.array([0.9, 0.5, 0.1, 0.7, 0.6]), group=group)
    assert query_influences("mrr", rows, champion=False).value == 0.75
    tied = replace(rows, challenger=np.array([0.9, 0.9, 0.1, 0.7, 0.6]))
    assert query_influences("mrr", tied, champion=False).value == 0.75
    worse = replace(rows, challenger=np.array([0.9, 0.5, 0.5, 0.7, 0.6]))
    assert query_influences("mrr", worse, champion=False).value == pytest.approx((1 / 3 + 1) / 2)


def test_the_calibration_error_by_its_definition() -> None:
    """Two bins, half of the rows each: gaps of 0.1 and 0.3 make 0.2."""
    said = np.repeat([0.25, 0.75], 10)
    label = np.concatenate([np.ones(3), np.zeros(7), np.ones(4), np.zeros(6)])
    expected = (abs(0.3 - 0.25) + abs(0.4 - 0.75)) / 2
    assert calibration_error(label, said) == pytest.approx(expected)
    assert calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0


def test_components_of_auc_are_shares_of_pairs_won() -> None:
    """Each row against every row of the other class, a tie counting half: the O(n^2) definition."""
    rows = a_hundred_and_more(200)
    score = np.round(rows.challenger, 1)
    positive = rows.label == 1
    won = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
    found = auc_components(positive, score)
    assert found[positive] == pytest.approx(won.mean(axis=1), abs=DIGITS)
    assert found[~positive] == pytest.approx(won.mean(axis=0), abs=DIGITS)


@given(scored_rows(), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=60, deadline=None)
def test_ranking_metrics_see_only_the_order(rows: tuple[Floats, Floats], scale: float, shift: float) -> None:
    """A monotone transform of the scores changes neither auc nor average precision."""
    label, score = rows
    moved = np.exp(score * scale) + shift
    for metric in ("auc", "average_precision"):
        assert influences(metric, label, moved, 0.5).value == influences(metric, label, score, 0.5).value


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_moving_label_and_prediction_together_changes_nothing(metric: str) -> None:
    """Errors are differences, whatever the origin."""
    rows = measured(100, np.random.default_rng(1))
    moved = influences(metric, rows.label + 7, rows.challenger + 7, 0.5).value
    assert moved == pytest.approx(influences(metric, rows.label, rows.challenger, 0.5).value, abs=1e-9)


def test_only_ratios_of_counts_are_ratios_of_counts() -> None:
    """A name that slips through is a bug, not a zero."""
    with pytest.raises(ValueError, match="not a ratio"):
        count_ratio("auc", *(np.ones(1),) * 4)
    with pytest.raises(ValueError, match="not a mean"):
        influences("f1", np.ones(1), np.ones(1), 0.5)
