"""A rule and what was measured, to a finding that an operator reads as a sentence. Plain numbers, no arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite
from typing import TYPE_CHECKING

from ctrain.gate.settings import Direction, Rule
from ctrain.verdict import Finding, Outcome

if TYPE_CHECKING:
    from ctrain.gate.intervals import Difference, Estimate

_HOPELESS = 1000  # times the rows there are


@dataclass(frozen=True)
class Basis:
    """What a finding rests on: so many rows, in so many groups if they are grouped."""

    rows: int
    groups: int | None
    confidence: float

    def __str__(self) -> str:
        return rows(self.rows) + (f" in {self.groups:,} groups" if self.groups is not None else "")

    @property
    def level(self) -> str:
        return f"{self.confidence * 100:g}% CI"


def limit(name: str, rule: Rule, seen: Estimate, basis: Basis) -> Finding:
    """The floor or the ceiling, on the value or on the interval's bound as the rule has it."""
    word, wanted, sign = _limit_of(rule)
    value, worst, best = (sign * one for one in _worst_first(seen.value, seen.low, seen.high, sign))
    measured = {"challenger": seen.value, "low": seen.low, "high": seen.high, word: wanted, "rows": float(basis.rows)}
    says = f"{name} {number(seen.value)}, {basis.level} {number(seen.low)}..{number(seen.high)}, "
    beyond = "below" if sign > 0 else "above"
    if not all(isfinite(one) for one in (value, worst, best)):
        outcome, says = Outcome.ERROR, f"{name} is not a number on these rows"
    elif rule.judged_by == "estimate":
        outcome = Outcome.PASS if value >= sign * wanted else Outcome.FAIL
        says += _against_limit(word, wanted, beyond, reached=outcome is Outcome.PASS)
        if outcome is Outcome.PASS and worst < sign * wanted:
            says += f" (the interval reaches {beyond} it)"
    elif worst >= sign * wanted:
        outcome = Outcome.PASS
        says += f"all of it on the right side of the {word} {number(wanted)}"
    elif best < sign * wanted:
        outcome = Outcome.FAIL
        says += f"all of it {beyond} the {word} {number(wanted)}"
    else:
        outcome = Outcome.INCONCLUSIVE
        says += f"the {word} {number(wanted)} lies inside, {_would_decide(value, worst, best, sign * wanted, basis)}"
    return Finding(f"{name} {word}", outcome, f"{says} ({basis})", rule.blocking, measured)


def logged_limit(name: str, rule: Rule, value: float) -> Finding:
    """The floor or the ceiling of a value that the training logged itself."""
    word, wanted, sign = _limit_of(rule)
    measured = {"challenger": value, word: wanted}
    if not isfinite(value):
        return Finding(f"{name} {word}", Outcome.ERROR, f"the logged {name} is {value}", rule.blocking, measured)
    reached = sign * value >= sign * wanted
    says = _against_limit(word, wanted, "below" if sign > 0 else "above", reached=reached)
    outcome = Outcome.PASS if reached else Outcome.FAIL
    return Finding(f"{name} {word}", outcome, f"logged {name} {number(value)}, {says}", rule.blocking, measured)


def non_inferior(
    subject: str, name: str, direction: Direction, *, margin: float, seen: Difference, basis: Basis, blocking: bool
) -> Finding:
    """At most `margin` worse than the champion, by the interval's bound; when neither is shown, inconclusive."""
    sign = 1 if direction == "up" else -1
    gain, worst, best = (sign * one for one in _worst_first(seen.difference, seen.low, seen.high, sign))
    measured = {
        "challenger": seen.challenger,
        "champion": seen.champion,
        "difference": seen.difference,
        "low": seen.low,
        "high": seen.high,
        "margin": margin,
        "rows": float(basis.rows),
    } | ({"groups": float(basis.groups)} if basis.groups is not None else {})
    edge = number(-sign * margin, signed=True)
    says = (
        f"{name} {number(seen.challenger)}, champion {number(seen.champion)}: "
        f"difference {number(seen.difference, signed=True)}, "
        f"{basis.level} {number(seen.low, signed=True)}..{number(seen.high, signed=True)}, "
    )
    if not all(isfinite(one) for one in (gain, worst, best)):
        outcome, says = Outcome.ERROR, f"{name} is not a number on these rows"
    elif worst >= -margin:
        outcome = Outcome.PASS
        says += f"{'above' if sign > 0 else 'below'} {edge}"
    elif best < -margin:
        outcome = Outcome.FAIL
        says += f"all of it {'below' if sign > 0 else 'above'} {edge}"
    else:
        outcome = Outcome.INCONCLUSIVE
        needed = rows_needed(gain, worst, best, -margin, basis.rows)
        measured |= {"rows_needed": float(needed)} if needed else {}
        says += f"{edge} lies inside, {_would_decide(gain, worst, best, -margin, basis)}"
    return Finding(subject, outcome, f"{says} ({basis})", blocking, measured)


def rows_needed(value: float, worst: float, best: float, edge: float, rows: int) -> int | None:
    """How many rows would have put the edge outside the interval, had the value stayed: width goes with 1/sqrt(rows).

    None where it is more than a thousand times those there are.
    """
    half = value - worst if value >= edge else best - value
    distance = abs(value - edge)
    if distance * _HOPELESS**0.5 < half or distance == 0:
        return None
    return ceil(rows * (half / distance) ** 2)


def rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def number(value: float, *, signed: bool = False) -> str:
    """Four decimals for what is about one, six digits for large values, two for those that would vanish."""
    sign = "+" if signed else ""
    size = abs(value)
    if size >= 1000:
        return f"{value:{sign},.1f}"
    if 0 < size < 0.0005:
        return f"{value:{sign}.2g}"
    return f"{value:{sign}.4f}"


def _limit_of(rule: Rule) -> tuple[str, float, int]:
    if rule.floor is not None:
        return "floor", rule.floor, 1
    if rule.ceiling is not None:
        return "ceiling", rule.ceiling, -1
    raise ValueError("the rule has neither floor nor ceiling")


def _worst_first(value: float, low: float, high: float, sign: int) -> tuple[float, float, float]:
    return (value, low, high) if sign > 0 else (value, high, low)


def _against_limit(word: str, wanted: float, beyond: str, *, reached: bool) -> str:
    return f"{word} {number(wanted)} kept" if reached else f"{beyond} the {word} {number(wanted)}"


def _would_decide(value: float, worst: float, best: float, edge: float, basis: Basis) -> str:
    needed = rows_needed(value, worst, best, edge, basis.rows)
    if needed is None:
        return "and the value is too close to it for any number of rows that can be had"
    return f"about {_two_digits(needed):,} such rows would decide, should the values stay"


def _two_digits(count: int) -> int:
    """Rounded up to two digits: it is an estimate, and should look like one."""
    step = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // step) * step
