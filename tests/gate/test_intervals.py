"""Intervals, against reference implementations and by their properties. Their level is in test_coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from ctrain.gate import METRICS, Categories, Evidence
from ctrain.gate.catalogue import RATIOS
from ctrain.gate.evidence import Floats
from ctrain.gate.influence import influences, row_values
from ctrain.gate.intervals import auc_variance, compare, estimate
from ctrain.gate.resampling import cells, ratio
from tests.gate.cases import (
    BINARY_METRICS,
    REGRESSION_METRICS,
    a_hundred_and_more,
    measured,
    scored,
    statistics,
)

ALL = [*BINARY_METRICS, *REGRESSION_METRICS]


def rows_for(metric: str, rows: int = 300, seed: int = 0) -> Evidence:
    generator = np.random.default_rng(seed)
    return measured(rows, generator) if metric in REGRESSION_METRICS else scored(rows, generator)


def champion_of(evidence: Evidence) -> Floats:
    assert evidence.champion is not None
    return evidence.champion


def swapped(evidence: Evidence) -> Evidence:
    return replace(evidence, challenger=champion_of(evidence), champion=evidence.challenger)


def each_a_group(evidence: Evidence) -> Evidence:
    return replace(
        evidence, group=Categories(tuple(str(one) for one in range(evidence.rows)), np.arange(evidence.rows))
    )


def test_auc_by_the_textbook_formula_of_delong() -> None:
    """S10/m + S01/n over the O(n^2) components of both models, as in DeLong et al. (1988), ties included."""
    rows = a_hundred_and_more(150)
    positive = rows.label == 1
    components = []
    for said in (np.round(rows.challenger, 2), np.round(champion_of(rows), 2)):
        won = (said[positive][:, None] > said[~positive]) + 0.5 * (said[positive][:, None] == said[~positive])
        components.append((won.mean(axis=1), won.mean(axis=0)))
    (ours10, ours01), (theirs10, theirs01) = components
    textbook = (ours10 - theirs10).var(ddof=1) / positive.sum() + (ours01 - theirs01).var(ddof=1) / (~positive).sum()
    ours = influences("auc", rows.label, np.round(rows.challenger, 2), 0.5)
    theirs = influences("auc", rows.label, np.round(champion_of(rows), 2), 0.5)
    found, _ = auc_variance(ours.psi - theirs.psi, positive, None)
    assert found == pytest.approx(textbook, rel=1e-12)


def test_clustered_auc_by_the_textbook_formula_of_obuchowski() -> None:
    """S10/M + S01/N + 2 S11/(MN) over sums of components by cluster, as in Obuchowski (1997)."""
    rows = scored(200, np.random.default_rng(3), groups=40)
    assert rows.group is not None
    positive, value = rows.label == 1, influences("auc", rows.label, rows.challenger, 0.5)
    m, n = int(positive.sum()), int((~positive).sum())
    won = rows.challenger[positive][:, None] > rows.challenger[~positive]
    v10, v01 = won.mean(axis=1), won.mean(axis=0)
    s10 = s01 = s11 = 0.0
    clusters = np.unique(rows.group.codes)
    for cluster in clusters:
        a = (v10[rows.group.codes[positive] == cluster] - value.value).sum()
        b = (v01[rows.group.codes[~positive] == cluster] - value.value).sum()
        s10, s01, s11 = s10 + a * a, s01 + b * b, s11 + a * b
    i10, i01 = (len(np.unique(rows.group.codes[which])) for which in (positive, ~positive))
    i = len(clusters)
    textbook = i10 / (i10 - 1) * s10 / m**2 + i01 / (i01 - 1) * s01 / n**2 + 2 * i / (i - 1) * s11 / (m * n)
    found, _ = auc_variance(value.psi, positive, rows.group)
    assert found == pytest.approx(textbook, rel=1e-12)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "mae"])
def test_means_over_rows_have_the_paired_t_interval_of_scipy(metric: str) -> None:
    """`ttest_rel` on the rows' losses."""
    rows = rows_for(metric)
    ours, theirs = (row_values(metric, rows.label, said, 0.5) for said in (rows.challenger, champion_of(rows)))
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.9)
    found = compare(metric, rows, statistics(0.9))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-10)


def test_grouped_means_have_the_cluster_robust_error_of_statsmodels() -> None:
    """A regression on nothing but a constant, with clustered covariance; its factor (n-1)/(n-k) is 1 for k = 1."""
    rows = scored(400, np.random.default_rng(4), groups=60)
    assert rows.group is not None
    lost = row_values("brier", rows.label, rows.challenger, 0.5) - row_values(
        "brier", rows.label, champion_of(rows), 0.5
    )
    fitted = OLS(lost, np.ones_like(lost)).fit(cov_type="cluster", cov_kwds={"groups": rows.group.codes}, use_t=True)
    low, high = fitted.conf_int(0.05)[0]
    found = compare("brier", rows, statistics())
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_one_accuracy_has_the_wilson_interval_of_statsmodels() -> None:
    """Wilson (1927)."""
    rows = rows_for("accuracy", 90)
    right = int(((rows.challenger >= 0.5) == (rows.label == 1)).sum())
    found = estimate("accuracy", rows, statistics())
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, 90, 0.05, "wilson"), rel=1e-10)


def test_many_disagreements_have_the_interval_of_bonett_and_price() -> None:
    """b = 60 gained and c = 20 lost of 500 give 61/502 - 21/502 and its adjusted Wald error."""
    label = np.ones(500)
    ours, theirs = np.full(500, 0.9), np.full(500, 0.9)
    theirs[:60], ours[60:80] = 0.1, 0.1
    found = compare("accuracy", Evidence(np.arange(500), label, ours, theirs), statistics())
    middle, error = 40 / 502, ((61 + 21) / 502 - (40 / 502) ** 2) / 502
    assert found.difference == pytest.approx(40 / 500)
    assert (found.low, found.high) == pytest.approx((middle - 1.959964 * error**0.5, middle + 1.959964 * error**0.5))


def test_a_relative_difference_is_that_of_the_bootstrap() -> None:
    """(challenger - champion) / |champion|, with the champion's own error: the delta method beside 4,000 draws."""
    rows, draw = rows_for("mae", 400), np.random.default_rng(0)
    ours, theirs = np.abs(rows.label - rows.challenger), np.abs(rows.label - champion_of(rows))
    drawn = [(ours[i].mean() - theirs[i].mean()) / theirs[i].mean() for i in draw.integers(0, 400, (4000, 400))]
    found = compare("mae", rows, statistics(), relative=True)
    assert found.difference == pytest.approx((ours.mean() - theirs.mean()) / theirs.mean(), rel=1e-12)
    width = found.high - found.low
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.05 * width)


def test_a_negative_metric_is_improved_by_going_up() -> None:
    """From r2 = -0.5 to -0.4 is better by 20% of 0.5: the share is of the absolute value."""
    label = np.arange(100.0) % 10
    other = replace(rows_for("r2", 100), label=label, challenger=9 - label, champion=11 - 1.2 * label)
    found = compare("r2", other, statistics(), relative=True)
    assert found.champion < 0
    assert (found.difference > 0) == (found.challenger > found.champion)


def test_the_bootstrap_agrees_with_that_of_scipy() -> None:
    """Percentiles of the paired f1 difference: within a tenth of the width, the draws and half-units being our own."""
    rows = rows_for("f1", 1500)
    positive, ours, theirs = rows.label == 1, rows.challenger >= 0.5, champion_of(rows) >= 0.5

    def difference(y: Floats, p: Floats, q: Floats) -> float:
        kinds, many = cells(y, p, q, None)  # type: ignore[arg-type]
        return float(ratio("f1", many @ kinds, champion=False) - ratio("f1", many @ kinds, champion=True))

    expected = stats.bootstrap(
        (positive, ours, theirs),
        difference,
        paired=True,
        vectorized=False,
        n_resamples=1500,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = compare("f1", rows, statistics(resamples=4000))
    tolerance = 0.1 * (expected.high - expected.low)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=tolerance)


@pytest.mark.parametrize("metric", BINARY_METRICS)
def test_groups_of_one_row_are_rows(metric: str) -> None:
    """Grouping by the row id changes the interval by no more than its refinements for independent rows."""
    rows = rows_for(metric, 800)
    alone, grouped = compare(metric, rows, statistics()), compare(metric, each_a_group(rows), statistics())
    assert grouped.difference == alone.difference
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high), abs=0.05 * (alone.high - alone.low))


@pytest.mark.parametrize("metric", BINARY_METRICS)
def test_copies_of_rows_in_a_group_are_no_evidence(metric: str) -> None:
    """Every row written three times, grouped, is as unsure as the rows once; ungrouped it would look surer."""
    rows = rows_for(metric, 400)
    three = np.repeat(np.arange(400), 3)
    copied = Evidence(
        np.arange(1200),
        rows.label[three],
        rows.challenger[three],
        champion_of(rows)[three],
        Categories(tuple(str(one) for one in range(400)), three),
    )
    once, thrice = compare(metric, rows, statistics()), compare(metric, copied, statistics())
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.1)
    unaware = compare(metric, replace(copied, group=None), statistics())
    assert unaware.high - unaware.low < 0.7 * (once.high - once.low)


@pytest.mark.parametrize("metric", [metric for metric in ALL if metric not in (*RATIOS, "calibration_error")])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_swapping_the_models_negates_the_difference(metric: str, seed: int) -> None:
    """Neither of them has a home advantage."""
    rows = rows_for(metric, 60, seed)
    there, back = compare(metric, rows, statistics()), compare(metric, swapped(rows), statistics())
    assert (back.low, back.difference, back.high) == pytest.approx((-there.high, -there.difference, -there.low))


@pytest.mark.parametrize("metric", RATIOS)
def test_swapping_the_models_negates_a_bootstrapped_difference(metric: str) -> None:
    """Up to the noise of the draws."""
    rows = rows_for(metric, 500)
    there, back = (
        compare(metric, rows, statistics(resamples=8000)),
        compare(metric, swapped(rows), statistics(resamples=8000)),
    )
    assert back.difference == -there.difference
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.08 * (there.high - there.low))


@pytest.mark.parametrize("metric", ALL)
@given(seed=st.integers(0, 10_000), rows=st.integers(30, 120))
@settings(max_examples=10, deadline=None)
def test_an_interval_holds_what_was_measured_and_stays_possible(metric: str, seed: int, rows: int) -> None:
    """Low <= value <= high, within what the metric can be."""
    evidence = rows_for(metric, rows, seed)
    known, by = METRICS[metric], statistics(resamples=300)
    difference, own = compare(metric, evidence, by), estimate(metric, evidence, by)
    assert -known.span <= difference.low <= difference.difference <= difference.high <= known.span
    assert known.low <= own.low <= own.value <= own.high <= known.high


@pytest.mark.parametrize("metric", ALL)
def test_the_same_predictions_differ_by_nothing(metric: str) -> None:
    """No further row could tell them apart, so that the interval has no width."""
    rows = rows_for(metric)
    found = compare(metric, replace(rows, champion=rows.challenger.copy()), statistics())
    assert (found.low, found.difference, found.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", ["auc", "average_precision", "accuracy", *RATIOS])
@pytest.mark.parametrize("groups", [None, 20])
def test_models_that_agree_so_far_may_still_differ(metric: str, groups: int | None) -> None:
    """Other scores with the same decisions and a perfect order: zero was measured, and certainty was not."""
    generator = np.random.default_rng(5)
    label = np.repeat([0.0, 1.0], 30)
    ours, theirs = (0.4 * generator.random(60) + 0.6 * label for _ in range(2))
    group = Categories(tuple(map(str, range(20))), np.arange(60) % 20) if groups else None
    found = compare(metric, Evidence(np.arange(60), label, ours, theirs, group), statistics())
    assert found.difference == 0
    assert found.low < 0 < found.high


def test_auc_does_not_change_under_a_monotone_transform() -> None:
    """Its interval sees the order alone, as its value does."""
    rows = a_hundred_and_more()
    bent = replace(rows, challenger=rows.challenger**3, champion=np.log(champion_of(rows)))
    assert compare("auc", bent, statistics()) == compare("auc", rows, statistics())


def test_a_comparison_needs_a_champion() -> None:
    """Asking without one is a bug."""
    with pytest.raises(ValueError, match="no predictions of the champion"):
        compare("auc", replace(a_hundred_and_more(), champion=None), statistics())


def test_the_same_seed_draws_the_same() -> None:
    """A rerun of the gate on the same evidence says the same."""
    rows = rows_for("f1")
    assert compare("f1", rows, statistics(seed=3)) == compare("f1", rows, statistics(seed=3))
    assert compare("f1", rows, statistics(seed=3)) != compare("f1", rows, statistics(seed=4))


def test_many_rows_in_a_group_take_the_long_way_to_the_same_kinds() -> None:
    """Counts beyond one byte are sorted as rows: the totals are those of the rows."""
    rows = scored(2000, np.random.default_rng(6), groups=3)
    decided = rows.challenger >= 0.5
    kinds, many = cells(rows.label == 1, decided, decided, rows.group)
    alone, count = cells(rows.label == 1, decided, decided, None)
    assert (many @ kinds).tolist() == (count @ alone).tolist()
    assert many.sum() == 3
