"""The bets behind a bake: fair at the limit, whenever one looks, and quick where the limit is passed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import binom

from ctrain.betting import cuts_of, share_wealth, shift_wealth

limits = st.floats(0.001, 0.5)


def at_most(repetitions: int, alpha: float) -> int:
    """Alarms that so many repetitions exceed once in a thousand times, where each has a chance of `alpha`."""
    return int(binom.ppf(0.999, repetitions, alpha))


def thresholds(looks: int, limit: float, alpha: float, stake: float = 1.0) -> NDArray[np.int64]:
    """How many bad ones give a version up, at each look; `stake` is the share of it that this bet has."""
    needed, least = [], 0
    for asked in range(1, looks + 1):
        while least <= asked and stake * share_wealth(least, asked, limit) + (1 - stake) < 1 / alpha:
            least += 1
        needed.append(least)
    return np.array(needed)


@given(limits)
def test_nothing_asked_is_no_evidence(limit: float) -> None:
    """The bets begin with a wealth of one."""
    assert share_wealth(0, 0, limit) == pytest.approx(1.0)
    assert shift_wealth((0, 0), (0, 0), 0, limit) == pytest.approx(1.0)


@given(st.integers(0, 60), st.integers(0, 60), limits)
def test_the_wealth_is_the_mixture_it_is_said_to_be(bad: int, good: int, limit: float) -> None:
    """Against the integral itself, to six digits."""

    def ratio(p: float) -> float:
        log = bad * math.log(p / limit) + (
            good * math.log((1 - p) / (1 - limit)) if p < 1 else (-math.inf if good else 0)
        )
        return math.exp(log)

    expected, _ = quad(ratio, limit, 1, limit=200, points=[max(limit, bad / max(1, bad + good))])

    assert share_wealth(bad, bad + good, limit) == pytest.approx(expected / (1 - limit), rel=1e-5, abs=1e-12)


@given(st.integers(0, 500), st.integers(0, 500), limits)
def test_the_bet_on_a_share_is_fair_at_the_limit(bad: int, good: int, limit: float) -> None:
    """The mean of the next wealth, at a true share that equals the limit, is the wealth now: a martingale."""
    now, more = share_wealth(bad, bad + good, limit), share_wealth(bad + 1, bad + good + 1, limit)
    assume(more < 1e300)  # there it is cut off, as no float holds more
    mean = limit * more + (1 - limit) * share_wealth(bad, bad + good + 1, limit)

    assert mean == pytest.approx(now, rel=1e-6)


@given(st.integers(0, 300), st.integers(0, 300), limits)
def test_one_bad_answer_more_never_makes_it_poorer(bad: int, good: int, limit: float) -> None:
    """So a count that is too low for certain, as percentiles give, is a bet as well."""
    assert share_wealth(bad + 1, bad + good + 1, limit) >= share_wealth(bad, bad + good + 1, limit) - 1e-12


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.floats(0.01, 0.5), st.floats(0, 0.25))
def test_the_bet_on_a_shift_gains_nothing_within_the_limit(
    up: int, down: int, same: int, limit: float, noise: float
) -> None:
    """At one cut and in one direction, with scores that cross it both ways: up with `limit` more than down."""
    chances = {(1, 0): min(1.0, limit + noise), (0, 1): noise}
    if sum(chances.values()) > 1:
        return
    chances[0, 0] = 1 - sum(chances.values())
    pairs = up + down + same

    mean = sum(chance * _one_way(up + more, down + less, pairs + 1, limit) for (more, less), chance in chances.items())

    assert mean <= _one_way(up, down, pairs, limit) * (1 + 1e-9)


def _one_way(up: int, down: int, pairs: int, limit: float) -> float:
    """Half of the bet: both directions are averaged, so that the other one is taken off with a mirrored call."""
    stakes = (np.arange(16) + 0.5) / 16 / (1 + limit)
    logs = up * np.log1p(stakes * (1 - limit)) + (pairs - up - down) * np.log1p(-stakes * limit)
    return float(np.exp(np.minimum(logs + down * np.log1p(-stakes * (1 + limit)), 700)).mean())


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.floats(0.01, 0.5))
def test_the_bet_on_a_shift_is_the_average_of_both_directions(up: int, down: int, same: int, limit: float) -> None:
    """And of all cuts: a cut that sees nothing halves what the other one won."""
    pairs = up + down + same
    both = (_one_way(up, down, pairs, limit) + _one_way(down, up, pairs, limit)) / 2

    assert shift_wealth((up,), (down,), pairs, limit) == pytest.approx(both, rel=1e-9)
    still = _one_way(0, 0, pairs, limit)
    assert shift_wealth((up, 0), (down, 0), pairs, limit) == pytest.approx((both + still) / 2, rel=1e-9)


def test_looking_after_every_answer_raises_no_more_false_alarms() -> None:
    """A thousand deployments at their limit, looked at after each of 500 answers: at most one in twenty is given up.

    A test for one look, made at each of them, gives up far more of the same: so many looks do tempt.
    """
    chance, alpha, limit = np.random.default_rng(7), 0.05, 0.05
    bad = np.cumsum(chance.random((1000, 500)) < limit, axis=1)
    once = np.array([int(binom.ppf(1 - alpha, asked, limit)) + 1 for asked in range(1, 501)])

    assert (bad >= thresholds(500, limit, alpha)).any(axis=1).sum() <= at_most(1000, alpha)
    assert (bad >= once).any(axis=1).sum() > 3 * at_most(1000, alpha)


def test_the_platforms_count_may_hold_our_own_answers() -> None:
    """Ours are among those that it counts, 20 answers behind; both are looked at after each answer. The average of both
    bets keeps the level. To add the counts up would not: half of the evidence is then there twice."""
    chance, alpha, limit, behind = np.random.default_rng(8), 0.05, 0.05, 20
    ours = chance.random((1000, 500)) < limit
    users = chance.random((1000, 500)) < limit
    own = np.cumsum(ours, axis=1)
    platform = own + np.cumsum(users, axis=1)
    late = np.concatenate([np.zeros((1000, behind), int), platform[:, :-behind]], axis=1)
    wealths = _table(1000, limit)
    asked = np.arange(1, 501)
    seen = np.maximum(0, 2 * (asked - behind))
    averaged = (wealths[asked, own] + wealths[seen, late]) / 2
    summed = wealths[np.minimum(asked + seen, 1000), np.minimum(own + late, 1000)]

    assert (averaged >= 1 / alpha).any(axis=1).sum() <= at_most(1000, alpha)
    assert (summed >= 1 / alpha).any(axis=1).sum() > at_most(1000, alpha)


def _table(most: int, limit: float) -> NDArray[np.float64]:
    """The wealth by how many were asked, and how many of those were bad."""
    from scipy.special import betaincc, betaln

    asked, bad = np.meshgrid(np.arange(most + 1), np.arange(most + 1), indexing="ij")
    good = np.maximum(asked - bad, 0)
    with np.errstate(divide="ignore"):
        logs = np.log(betaincc(bad + 1, good + 1, limit)) + betaln(bad + 1, good + 1) - math.log1p(-limit)
    return np.asarray(np.exp(np.minimum(logs - bad * math.log(limit) - good * math.log1p(-limit), 700)))


def test_rows_asked_in_turn_would_cry_wolf() -> None:
    """A hundred rows, of which five cannot be answered, where 5% may: side by side they are five bad answers in a row,
    and the bet is over; drawn by chance it keeps its level."""
    alpha, limit = 0.05, 0.05
    rows = np.arange(100) < 5
    needed = thresholds(400, limit, alpha)
    drawn = np.random.default_rng(9).choice(rows, (1000, 400))

    assert (np.cumsum(np.tile(rows, 4)) >= needed).any()
    assert (np.cumsum(drawn, axis=1) >= needed).any(axis=1).sum() <= at_most(1000, alpha)


def shifted(chance: np.random.Generator, repetitions: int, answers: int, apart: float) -> tuple[NDArray[np.int64], ...]:
    """Cumulative counts below and above each cut, by repetition and answer. A share `apart` of the rows has its score
    moved from above all cuts to below them; of the others one half is a little noisy, both ways alike."""
    cuts = np.array(cuts_of(tuple(np.linspace(0.05, 0.95, 50))))
    old = chance.random((repetitions, answers))
    new = old + np.where(chance.random(old.shape) < 0.5, chance.normal(0, 0.02, old.shape), 0)
    moved = chance.random(old.shape) < apart
    old, new = np.where(moved, 1.0, old), np.where(moved, -0.5, new)
    below = np.cumsum(((new[..., None] <= cuts) & (old[..., None] > cuts)).astype(int), axis=1)
    above = np.cumsum(((old[..., None] <= cuts) & (new[..., None] > cuts)).astype(int), axis=1)
    return below, above


def test_looking_for_drift_after_every_answer_raises_no_more_false_alarms() -> None:
    """Score distributions that are just as far apart as they may be, looked at after each of 250 answers."""
    repetitions, answers, alpha, limit = 400, 250, 0.1, 0.1
    below, above = shifted(np.random.default_rng(10), repetitions, answers, limit)
    given_up = np.zeros(repetitions, bool)
    distant = np.zeros(repetitions, bool)
    for asked in range(1, answers + 1):
        now, then = below[:, asked - 1], above[:, asked - 1]
        given_up |= shift_wealth(now, then, asked, limit) >= 1 / alpha
        distant |= (abs(now - then).max(axis=1) / asked > limit + 0.1) & (asked >= 20)

    assert given_up.sum() <= at_most(repetitions, alpha)
    assert distant.sum() > at_most(repetitions, alpha), "a margin of a tenth, looked at as often, would not be enough"


def test_drift_beyond_the_limit_is_found_soon() -> None:
    """Distributions 0.25 apart where 0.1 may be: 95 of 100 are given up within 250 answers, at 1% in all."""
    below, above = shifted(np.random.default_rng(11), 100, 250, 0.25)
    found = shift_wealth(below[:, 249::-10], above[:, 249::-10], np.arange(250, 0, -10)[None, :], 0.1) >= 100

    assert found.any(axis=1).sum() >= 95


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_cuts_are_few_and_finite_and_grow(scores: list[float]) -> None:
    """Whatever the gate's scores were: none but numbers are cut at, and the lowest has a cut below it."""
    cuts = cuts_of(scores)
    known = [score for score in scores if math.isfinite(score)]

    assert len(cuts) <= 16
    assert all(one < other for one, other in itertools.pairwise(cuts))
    assert (not cuts) == (not known)
    if known:
        assert cuts[0] < min(known) <= cuts[1] <= cuts[-1] <= max(known)
