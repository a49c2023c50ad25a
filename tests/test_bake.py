"""The judge of a bake: it may be asked at any time, and does not cry wolf."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from ctrain.bake import BakeSettings, Watched, judge
from ctrain.betting import share_wealth as wealth
from ctrain.verdict import Outcome

limits = st.floats(0.001, 0.5)


@given(limits)
def test_nothing_asked_is_no_evidence(limit: float) -> None:
    """The bet begins with a wealth of one."""
    assert wealth(0, 0, limit) == pytest.approx(1.0)


@given(st.integers(0, 60), st.integers(0, 60), limits)
def test_wealth_is_the_mixture_it_is_said_to_be(bad: int, good: int, limit: float) -> None:
    """Against the integral itself, to six digits."""

    def ratio(p: float) -> float:
        log = bad * math.log(p / limit) + (
            good * math.log((1 - p) / (1 - limit)) if p < 1 else (-math.inf if good else 0)
        )
        return math.exp(log)

    expected, _ = quad(ratio, limit, 1, limit=200, points=[max(limit, bad / max(1, bad + good))])

    assert wealth(bad, bad + good, limit) == pytest.approx(expected / (1 - limit), rel=1e-5, abs=1e-12)


@given(st.integers(0, 500), st.integers(0, 500), limits)
def test_the_bet_is_fair_at_the_limit(bad: int, good: int, limit: float) -> None:
    """The mean of the next wealth, at a true share that equals the limit, is the wealth now: a martingale."""
    now = wealth(bad, bad + good, limit)
    mean = limit * wealth(bad + 1, bad + good + 1, limit) + (1 - limit) * wealth(bad, bad + good + 1, limit)

    assert mean == pytest.approx(now, rel=1e-6)


def test_looking_after_every_answer_raises_no_more_false_alarms() -> None:
    """A thousand deployments at their limit, looked at after each of 500 answers: at most one in twenty is given up."""
    chance = np.random.default_rng(7)
    alpha, alarms = 0.05, 0
    thresholds = [next(k for k in range(n + 2) if k > n or wealth(k, n, 0.05) >= 1 / alpha) for n in range(1, 501)]
    for _ in range(1000):
        bad = np.cumsum(chance.random(500) < 0.05)
        alarms += bool((bad >= thresholds).any())

    assert alarms <= 50 + 2 * math.sqrt(1000 * 0.05 * 0.95)


def test_a_deployment_that_fails_is_found_out_soon() -> None:
    """One answer in four fails where one in a hundred may: two dozen answers tell."""
    settings = BakeSettings(errors=0.01)

    verdict = judge(settings, Watched(requests=24, errors=6), watches=4, over=False)

    assert verdict.outcome is Outcome.FAIL
    assert "6 of 24 failed" in verdict.findings[0].says


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (Watched(), Outcome.INCONCLUSIVE),
        (Watched(requests=99), Outcome.INCONCLUSIVE),
        (Watched(requests=100), Outcome.PASS),
        (Watched(requests=100, slow=60), Outcome.FAIL),
    ],
)
def test_too_little_is_never_a_pass(seen: Watched, outcome: Outcome) -> None:
    """No data is inconclusive, once the time is over."""
    assert judge(BakeSettings(errors=0.01, p95_ms=100), seen, watches=1, over=True).outcome is outcome


def test_what_leans_to_a_no_is_no_pass() -> None:
    """Five of fifteen bad ones, where one of twenty may be: too few for proof, and nothing to go on with."""
    settings, seen = BakeSettings(errors=0.05, min_requests=15), Watched(requests=15, errors=5)

    assert judge(settings, seen, watches=4, over=False).outcome is Outcome.PASS
    assert judge(settings, seen, watches=4, over=True).outcome is Outcome.INCONCLUSIVE


def test_answers_that_were_not_compared_decide_nothing() -> None:
    """A rule on changed answers has its own count."""
    verdict = judge(BakeSettings(errors=0.01, changed=0.1), Watched(requests=500), watches=1, over=True)

    assert [finding.outcome for finding in verdict.findings] == [Outcome.PASS, Outcome.INCONCLUSIVE]


def test_no_rule_is_an_error() -> None:
    """What judges nothing has not passed."""
    assert judge(BakeSettings(), Watched(requests=1000), watches=1, over=True).outcome is Outcome.ERROR
