"""The metrics' values, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from ctrain.gate.evidence import Floats
from ctrain.gate.influence import influences
from ctrain.gate.metrics import auc_components, average_precision, count_ratio
from ctrain.gate.resampling import cells, ratio
from tests.gate.cases import a_hundred_and_more, measured

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
    }
    found = {name: influences(name, label, said, 0.5).value for name in expected}
    assert found == pytest.approx(expected, abs=DIGITS)


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
