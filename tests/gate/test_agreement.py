"""The paired interval of a difference in proportions: exact where few rows disagree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ctrain.gate.agreement import FEW, bonett_price, exact_low, paired_bounds

TAIL = 0.025


def test_nothing_seen_gives_the_exact_bound_for_no_event() -> None:
    """Ten rows without a disagreement: it may still be 31% of them, by 1 - 0.025^(1/10)."""
    low, high = paired_bounds(10, 0, 0, TAIL)
    assert high == -low == pytest.approx(1 - TAIL ** (1 / 10), abs=3e-3)


def test_zero_is_refused_where_no_share_of_disagreement_explains_it() -> None:
    """Forty rows, by brute force: at the worst of 400 shares, more gain than that has a chance below 2.5%."""
    gains, losses = np.meshgrid(np.arange(41), np.arange(41), indexing="ij")
    possible = gains + losses <= 40
    score = np.divide(
        gains - losses, np.sqrt(gains + losses), out=np.zeros((41, 41)), where=possible & (gains + losses > 0)
    )
    shares = np.linspace(0.0025, 1, 400)[:, None]
    chance = np.stack(
        [
            stats.multinomial.pmf([g, n, 40 - g - n], 40, np.hstack([shares / 2, shares / 2, 1 - shares]))
            for g, n in zip(gains[possible], losses[possible], strict=True)
        ]
    )
    for gained, lost in [(4, 0), (5, 0), (6, 0), (7, 1), (8, 1), (9, 2), (10, 2), (12, 4)]:
        worst = chance[score[possible] >= score[gained, lost] - 1e-9].sum(axis=0).max()
        if worst < TAIL * 0.95 or worst > TAIL:  # in between, the error of the interval of shares decides
            assert (exact_low(40, gained, lost, TAIL) >= 0) == (worst < TAIL), (gained, lost)


@pytest.mark.parametrize(("rows", "gain", "loss"), [(150, 0.03, 0.03), (300, 0.005, 0.02), (60, 0.1, 0.02)])
def test_the_exact_interval_never_promises_too_much(rows: int, gain: float, loss: float) -> None:
    """By the exact distribution of the counts, not by simulation: each side misses in at most 2.5% of cases."""
    missed_low = missed_high = known = 0.0
    for gained in range(FEW):
        for lost in range(FEW - gained):
            chance = stats.multinomial.pmf([gained, lost, rows - gained - lost], rows, [gain, loss, 1 - gain - loss])
            if chance < 1e-6:
                continue
            low, high = paired_bounds(rows, gained, lost, TAIL)
            known += chance
            missed_low += chance * (low > gain - loss)
            missed_high += chance * (high < gain - loss)
    assert known > 0.99
    assert missed_low <= TAIL + 2e-3
    assert missed_high <= TAIL + 2e-3


def test_the_two_intervals_meet() -> None:
    """At the number of disagreeing rows where one takes over from the other they differ little."""
    exact = (exact_low(1000, 15, 10, TAIL), -exact_low(1000, 10, 15, TAIL))
    wald = bonett_price(1000, 15, 10, TAIL)
    assert exact == pytest.approx(wald, abs=0.1 * (wald[1] - wald[0]))


def test_swapped_models_give_the_mirror_image() -> None:
    """Neither has a home advantage."""
    low, high = paired_bounds(400, 9, 3, TAIL)
    assert paired_bounds(400, 3, 9, TAIL) == (-high, -low)


def test_surer_is_wider() -> None:
    """Less error on each side never gives a narrower interval."""
    widths = [np.diff(paired_bounds(400, 9, 3, tail))[0] for tail in (0.1, 0.05, 0.025, 0.005)]
    assert widths == sorted(widths)
