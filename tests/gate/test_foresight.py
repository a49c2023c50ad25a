"""What the gate will be able to tell, from what an earlier evaluation was sure of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctrain.gate import Earlier, GateSettings, Rule, foresee, judge
from ctrain.verdict import Verdict
from tests.gate.cases import BINARY, gate, non_inferior, scored

RULES = gate(auc=non_inferior(margin=0.02, floor=0.6))


def verdict(rows: int, rules: GateSettings = RULES, seed: int = 0) -> Verdict:
    evidence = scored(rows, np.random.default_rng(seed), ours=0.5, theirs=0.5)
    return judge(rules, BINARY, evidence, champion="m:1")


def test_it_foresees_what_then_happens() -> None:
    """From 800 rows to 3,200: how often equally good models pass, and how sure the limit is."""
    limit, compared = foresee(RULES, Earlier("r-1", verdict(800), 3200), comparable=True)
    happened = [verdict(3200, seed=seed) for seed in range(1, 61)]
    passed = np.mean([one.findings[1].outcome == "pass" for one in happened])
    half = np.mean([one.findings[0].measured["high"] - one.findings[0].measured["low"] for one in happened]) / 2
    assert compared.passes == pytest.approx(passed, abs=0.12)
    assert limit.within == pytest.approx(half, rel=0.1)


def test_a_sample_is_not_compared_so_only_limits_are_foreseen() -> None:
    """The comparison decides nothing there."""
    (limit,) = foresee(RULES, Earlier("r-1", verdict(800), 800), comparable=False)
    assert limit.within is not None


def test_margins_of_another_kind_are_converted() -> None:
    """The earlier evaluation was in the metric's unit, the rule is in percent: the same chances."""
    seen = verdict(800)
    champion = seen.findings[1].measured["champion"]
    percent = gate(auc=non_inferior(margin=f"{2 / champion:.6f}%"))
    (there,) = foresee(percent, Earlier("r-1", seen, 800), comparable=True)
    here = foresee(RULES, Earlier("r-1", seen, 800), comparable=True)[1]
    assert there.passes == pytest.approx(here.passes, abs=1e-3)
    back = foresee(RULES, Earlier("r-1", verdict(800, percent), 800), comparable=True)
    assert back[-1].passes == pytest.approx(here.passes, abs=0.02)


def test_rules_that_were_never_measured_are_left_out() -> None:
    """Nothing is made up."""
    other = gate(log_loss=non_inferior("down"))
    assert foresee(other, Earlier("r-1", verdict(800), 800), comparable=True) == ()
    by_value = replace(RULES, metrics={"auc": Rule(direction="up", rule="absolute", floor=0.6, judged_by="estimate")})
    assert foresee(by_value, Earlier("r-1", verdict(800), 800), comparable=True) == ()


def test_superior_foresees_what_it_finds_out_only() -> None:
    """An equally good model is not to pass."""
    superior = gate(auc=Rule(direction="up", rule="superior"))
    (seen,) = foresee(superior, Earlier("r-1", verdict(800, superior), 800), comparable=True)
    assert seen.passes is None
    assert seen.shows
