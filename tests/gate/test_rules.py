"""Rules over plain numbers: where pass ends, and how it reads."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.gate.intervals import Difference, Estimate
from ctrain.gate.rules import Basis, limit, logged_limit, non_inferior, number, rows_needed
from ctrain.gate.settings import Direction, Rule
from ctrain.verdict import Finding, Outcome

BASIS = Basis(rows=2000, groups=None, confidence=0.95)
FLOOR = Rule(direction="up", rule="absolute", floor=0.7)
CEILING = Rule(direction="down", rule="absolute", ceiling=0.5)


def compared(low: float, high: float, direction: Direction = "up", margin: float = 0.005) -> Finding:
    middle = (low + high) / 2
    seen = Difference(0.73 + middle, 0.73, low, high)
    name = "auc" if direction == "up" else "log_loss"
    return non_inferior(name, name, direction, margin=margin, seen=seen, basis=BASIS, blocking=True)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.004, 0.02, Outcome.PASS),
        (-0.005, 0.02, Outcome.PASS),
        (-0.0051, 0.02, Outcome.INCONCLUSIVE),
        (-0.02, -0.005, Outcome.INCONCLUSIVE),
        (-0.02, -0.0051, Outcome.FAIL),
        (nan, 0.1, Outcome.ERROR),
        (-0.1, inf, Outcome.ERROR),
    ],
)
def test_the_bound_that_counts_is_the_worse_one(low: float, high: float, outcome: Outcome) -> None:
    """The whole interval must be on one side of the margin, and the mirror image holds where lower is better."""
    assert compared(low, high).outcome is outcome
    assert compared(-high, -low, "down").outcome is outcome


def test_a_pass_reads_as_a_sentence() -> None:
    """Values, difference, interval, margin, rows."""
    seen = Difference(0.7312, 0.7301, -0.0021, 0.0043)
    finding = non_inferior("auc", "auc", "up", margin=0.005, seen=seen, basis=BASIS, blocking=True)
    assert finding.says == (
        "auc 0.7312, champion 0.7301: difference +0.0011, 95% CI -0.0021..+0.0043, above -0.0050 (2,000 rows)"
    )


def test_an_inconclusive_finding_says_what_would_decide() -> None:
    """And how many rows there were; groups are counted too."""
    basis = replace(BASIS, groups=500)
    seen = Difference(0.73, 0.73, -0.01, 0.01)
    finding = non_inferior("auc", "auc", "up", margin=0.005, seen=seen, basis=basis, blocking=True)
    assert finding.says.endswith(
        "-0.0050 lies inside, about 8,000 such rows would decide, should the values stay (2,000 rows in 500 groups)"
    )
    assert finding.measured["rows_needed"] == 8000
    assert finding.measured["groups"] == 500


def test_a_difference_at_the_margin_can_never_be_decided() -> None:
    """No number of rows is made up for it."""
    assert rows_needed(-0.005, -0.01, 0.0, -0.005, 2000) is None
    assert "too close" in compared(-0.010000001, 0.0).says


@given(st.floats(-0.1, 0.1), st.floats(0.001, 0.1), st.floats(0.001, 0.05))
def test_with_the_rows_needed_the_bound_would_touch_the_margin(value: float, half: float, margin: float) -> None:
    """Width goes with one over the square root of the rows."""
    needed = rows_needed(value, value - half, value + half, -margin, 1000)
    if needed is not None and needed > 1000:
        shrunk = half * (1000 / needed) ** 0.5
        assert shrunk == pytest.approx(abs(value + margin), rel=0.01)


@pytest.mark.parametrize(
    ("rule", "seen", "outcome", "words"),
    [
        (FLOOR, Estimate(0.75, 0.72, 0.78), Outcome.PASS, "floor 0.7000 kept"),
        (FLOOR, Estimate(0.71, 0.68, 0.74), Outcome.PASS, "the interval reaches below it"),
        (FLOOR, Estimate(0.69, 0.66, 0.72), Outcome.FAIL, "below the floor 0.7000"),
        (FLOOR, Estimate(nan, nan, nan), Outcome.ERROR, "not a number"),
        (CEILING, Estimate(0.45, 0.40, 0.49), Outcome.PASS, "ceiling 0.5000 kept"),
        (CEILING, Estimate(0.49, 0.45, 0.53), Outcome.PASS, "the interval reaches above it"),
        (CEILING, Estimate(0.51, 0.45, 0.57), Outcome.FAIL, "above the ceiling 0.5000"),
        (replace(FLOOR, judged_by="interval"), Estimate(0.75, 0.72, 0.78), Outcome.PASS, "right side of the floor"),
        (replace(FLOOR, judged_by="interval"), Estimate(0.71, 0.68, 0.74), Outcome.INCONCLUSIVE, "lies inside"),
        (replace(FLOOR, judged_by="interval"), Estimate(0.6, 0.55, 0.65), Outcome.FAIL, "all of it below"),
        (replace(CEILING, judged_by="interval"), Estimate(0.45, 0.4, 0.49), Outcome.PASS, "right side"),
        (replace(CEILING, judged_by="interval"), Estimate(0.45, 0.4, 0.51), Outcome.INCONCLUSIVE, "lies inside"),
        (replace(CEILING, judged_by="interval"), Estimate(0.6, 0.55, 0.65), Outcome.FAIL, "all of it above"),
    ],
)
def test_a_limit_is_kept_or_not(rule: Rule, seen: Estimate, outcome: Outcome, words: str) -> None:
    """By the value, or by the interval's bound where that is asked for."""
    finding = limit("metric", rule, seen, BASIS)
    assert finding.outcome is outcome
    assert words in finding.says


@pytest.mark.parametrize(
    ("rule", "value", "outcome"),
    [
        (FLOOR, 0.7, Outcome.PASS),
        (FLOOR, 0.69, Outcome.FAIL),
        (CEILING, 0.5, Outcome.PASS),
        (CEILING, 0.51, Outcome.FAIL),
        (FLOOR, nan, Outcome.ERROR),
        (CEILING, -inf, Outcome.ERROR),
    ],
)
def test_a_logged_value_keeps_its_limit_or_not(rule: Rule, value: float, outcome: Outcome) -> None:
    """A number that is none passes nothing, on whichever side infinity lies."""
    assert logged_limit("val_loss", rule, value).outcome is outcome


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (0.73124, False, "0.7312"),
        (0.0011, True, "+0.0011"),
        (0.0, True, "+0.0000"),
        (-0.00001234, True, "-1.2e-05"),
        (12345.67, False, "12,345.7"),
    ],
)
def test_numbers_keep_what_matters(value: float, signed: bool, text: str) -> None:
    """A tiny difference does not read as none."""
    assert number(value, signed=signed) == text
