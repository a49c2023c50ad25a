"""The influence of a row: what the metric would lose without it."""

from __future__ import annotations

import numpy as np
import pytest

from ctrain.gate.catalogue import RATIOS
from ctrain.gate.evidence import Evidence, Floats
from ctrain.gate.influence import influences
from tests.gate.cases import BINARY_METRICS, REGRESSION_METRICS, a_hundred_and_more, measured

SMOOTH = tuple(metric for metric in BINARY_METRICS if metric not in (*RATIOS, "calibration_error"))


QUANTILES = ("median_error", "p90_error")  # the jackknife is wrong for them (Efron 1982, section 3.4)


def rows_for(metric: str, rows: int) -> Evidence:
    return measured(rows, np.random.default_rng(2)) if metric in REGRESSION_METRICS else a_hundred_and_more(rows)


def without_each(metric: str, label: Floats, said: Floats) -> Floats:
    return np.array([influences(metric, np.delete(label, i), np.delete(said, i), 0.5).value for i in range(len(label))])


@pytest.mark.parametrize("metric", [*SMOOTH, *REGRESSION_METRICS])
def test_influences_sum_to_zero(metric: str) -> None:
    """They are deviations from the value."""
    rows = rows_for(metric, 300)
    assert influences(metric, rows.label, rows.challenger, 0.5).psi.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("metric", [one for one in (*SMOOTH, *REGRESSION_METRICS) if one not in QUANTILES])
def test_influences_agree_with_leaving_each_row_out(metric: str) -> None:
    """The jackknife computes the same by brute force: row by row, and as a standard error within 3%."""
    rows = rows_for(metric, 300)
    said = np.round(rows.challenger, 2)  # with ties
    own = influences(metric, rows.label, said, 0.5)
    left = without_each(metric, rows.label, said)
    assert np.corrcoef(own.psi, left)[0, 1] == pytest.approx(-1, abs=1e-3)
    jackknife = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    assert np.sqrt((own.psi**2).sum()) == pytest.approx(jackknife, rel=0.03)


def test_a_perfect_regression_has_no_influences() -> None:
    """An rmse of zero does not divide by itself."""
    label = np.arange(5.0)
    own = influences("rmse", label, label, 0.5)
    assert own.value == 0
    assert not own.psi.any()
