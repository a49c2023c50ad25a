"""Rules over plain numbers: where pass ends, and how it reads."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.gate.intervals import Difference, Estimate
from ctrain.gate.phrases import Basis, number
from ctrain.gate.power import rows_needed
from ctrain.gate.rules import Comparison, Limit, logged_limit
from ctrain.gate.settings import Direction, Kind, Rule
from ctrain.verdict import Finding, Outcome

BASIS = Basis(rows=2000, groups=None, confidence=0.95)
FLOOR = Rule(direction="up", rule="absolute", floor=0.7)
CEILING = Rule(direction="down", rule="absolute", ceiling=0.5)
FLOOR_OF_VALUE = replace(FLOOR, judged_by="estimate")
CEILING_OF_VALUE = replace(CEILING, judged_by="estimate")


def comparison(
    low: float,
    high: float,
    *,
    direction: Direction = "up",
    margin: float = 0.005,
    kind: Kind = "non_inferior",
    basis: Basis = BASIS,
    middle: float | None = None,
    relative: bool = False,
) -> Comparison:
    gap = (low + high) / 2 if middle is None else middle
    seen = Difference(0.73 * (1 + gap) if relative else 0.73 + gap, 0.73, low, high, relative)
    name = "auc" if direction == "up" else "log_loss"
    return Comparison(name, name, kind, direction, margin, seen, basis)


def compared(low: float, high: float, direction: Direction = "up", margin: float = 0.005) -> Finding:
    return comparison(low, high, direction=direction, margin=margin).finding(stands=True)


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
    finding = comparison(-0.0021, 0.0043, middle=0.0011).finding(stands=True)
    assert finding.says == (
        "auc 0.7311, champion 0.7300: difference +0.0011, 95% CI -0.0021..+0.0043, above -0.0050 (2,000 rows)"
    )


def test_a_relative_difference_reads_in_percent() -> None:
    """Of the champion's value; so does the margin."""
    finding = comparison(-0.021, 0.043, middle=0.011, margin=0.05, relative=True).finding(stands=True)
    assert "difference +1.10%, 95% CI -2.10%..+4.30%, above -5.00%" in finding.says
    assert finding.measured["relative"] == 1


@pytest.mark.parametrize(
    ("kind", "low", "high", "outcome", "words"),
    [
        ("superior", 0.0051, 0.02, Outcome.PASS, "above +0.0050"),
        ("superior", 0.005, 0.02, Outcome.INCONCLUSIVE, "+0.0050 lies inside"),
        ("superior", -0.02, 0.005, Outcome.FAIL, "not above +0.0050"),
        ("equivalent", -0.005, 0.005, Outcome.PASS, "all of it within -0.0050..+0.0050"),
        ("equivalent", -0.001, 0.0051, Outcome.INCONCLUSIVE, "+0.0050 lies inside"),
        ("equivalent", -0.0051, 0.001, Outcome.INCONCLUSIVE, "-0.0050 lies inside"),
        ("equivalent", 0.0051, 0.01, Outcome.FAIL, "all of it above +0.0050"),
        ("equivalent", -0.01, -0.0051, Outcome.FAIL, "all of it below -0.0050"),
    ],
)
def test_each_kind_of_comparison_has_its_own_region(
    kind: Kind, low: float, high: float, outcome: Outcome, words: str
) -> None:
    """Better by more than the margin; or within it, either way. The mirror image holds where lower is better."""
    finding = comparison(low, high, kind=kind).finding(stands=True)
    assert finding.outcome is outcome
    assert words in finding.says
    assert comparison(-high, -low, direction="down", kind=kind).finding(stands=True).outcome is outcome


def test_a_model_that_changed_nothing_is_not_superior() -> None:
    """An interval without width, at zero, is no improvement; it is equivalent, and not inferior."""
    superior = comparison(0, 0, margin=0, kind="superior").finding(stands=True)
    others = [comparison(0, 0, margin=0), comparison(0, 0, margin=0.001, kind="equivalent")]
    assert superior.outcome is Outcome.FAIL
    assert {other.finding(stands=True).outcome for other in others} == {Outcome.PASS}


def test_a_refusal_that_does_not_stand_is_inconclusive() -> None:
    """One of many rules is beyond its margin by chance, sooner or later; it does not pass either."""
    finding = comparison(-0.02, -0.0051).finding(stands=False)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "by chance" in finding.says
    limit = Limit("auc", FLOOR, Estimate(0.6, 0.55, 0.65), BASIS).finding(stands=False)
    assert (limit.outcome, "by chance" in limit.says) == (Outcome.INCONCLUSIVE, True)


def test_an_inconclusive_finding_says_what_would_decide() -> None:
    """And how many rows there were; groups are counted too."""
    finding = comparison(-0.01, 0.01, basis=replace(BASIS, groups=500)).finding(stands=True)
    assert finding.says.endswith(
        "-0.0050 lies inside, about 8,000 such rows would decide, should the values stay; an equally good model "
        "passes in 16% of cases on these, and in 80% on 17,000 (2,000 rows in 500 groups)"
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
        (FLOOR_OF_VALUE, Estimate(0.75, 0.72, 0.78), Outcome.PASS, "floor 0.7000 kept"),
        (FLOOR_OF_VALUE, Estimate(0.71, 0.68, 0.74), Outcome.PASS, "the interval reaches below it"),
        (FLOOR_OF_VALUE, Estimate(0.69, 0.66, 0.72), Outcome.FAIL, "below the floor 0.7000"),
        (FLOOR_OF_VALUE, Estimate(nan, nan, nan), Outcome.ERROR, "not a number"),
        (CEILING_OF_VALUE, Estimate(0.45, 0.40, 0.49), Outcome.PASS, "ceiling 0.5000 kept"),
        (CEILING_OF_VALUE, Estimate(0.49, 0.45, 0.53), Outcome.PASS, "the interval reaches above it"),
        (CEILING_OF_VALUE, Estimate(0.51, 0.45, 0.57), Outcome.FAIL, "above the ceiling 0.5000"),
        (FLOOR, Estimate(0.75, 0.72, 0.78), Outcome.PASS, "right side of the floor"),
        (FLOOR, Estimate(0.71, 0.68, 0.74), Outcome.INCONCLUSIVE, "lies inside"),
        (FLOOR, Estimate(0.6, 0.55, 0.65), Outcome.FAIL, "all of it below"),
        (CEILING, Estimate(0.45, 0.4, 0.49), Outcome.PASS, "right side"),
        (CEILING, Estimate(0.45, 0.4, 0.51), Outcome.INCONCLUSIVE, "lies inside"),
        (CEILING, Estimate(0.6, 0.55, 0.65), Outcome.FAIL, "all of it above"),
    ],
)
def test_a_limit_is_kept_or_not(rule: Rule, seen: Estimate, outcome: Outcome, words: str) -> None:
    """By the interval's bound, or by the value where that is asked for."""
    finding = Limit("metric", rule, seen, BASIS).finding(stands=True)
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
    assert number(value, sign="+" if signed else "") == text
