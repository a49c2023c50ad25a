"""A rule and what was measured, to a finding that an operator reads as a sentence. Plain numbers, no arrays.

A `Limit` or a `Comparison` knows three things: whether it passes, whether it would be refused at some tail (what
`multiplicity` asks), and how it reads, once it is known whether a refusal stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from ctrain.gate.phrases import Basis, number, rows, signed, two_digits
from ctrain.gate.power import error_of, power_of, rows_needed
from ctrain.gate.settings import Direction, Kind, Rule
from ctrain.verdict import Finding, Outcome

if TYPE_CHECKING:
    from ctrain.gate.intervals import Difference, Estimate

__all__ = ["Basis", "Claim", "Comparison", "Limit", "logged_limit", "number", "rows"]


@dataclass(frozen=True)
class Limit:
    """The floor or the ceiling, on the interval's bound or on the value as the rule has it."""

    name: str
    rule: Rule
    seen: Estimate
    basis: Basis

    @property
    def blocking(self) -> bool:
        return self.rule.blocking

    def refused(self, tail: float) -> bool:
        """Whether all of the interval, with that error on each side, is beyond the limit."""
        _, wanted, sign = _limit_of(self.rule)
        if not self.rule.by_interval:
            return False
        low, high = self.seen.bounds(tail)
        return (sign * (high if sign > 0 else low)) < sign * wanted

    def finding(self, *, stands: bool) -> Finding:
        """`stands` says whether a refusal is believed, where others were asked as well."""
        word, wanted, sign = _limit_of(self.rule)
        seen, name, basis = self.seen, self.name, self.basis
        value, worst, best = (sign * one for one in _worst_first(seen.value, seen.low, seen.high, sign))
        measured = {"challenger": seen.value, "low": seen.low, "high": seen.high, word: wanted, **basis.measured}
        says = f"{name} {number(seen.value)}, {basis.level} {number(seen.low)}..{number(seen.high)}, "
        beyond = "below" if sign > 0 else "above"
        if not all(isfinite(one) for one in (value, worst, best)):
            outcome, says = Outcome.ERROR, f"{name} is not a number on these rows"
        elif not self.rule.by_interval:
            outcome = Outcome.PASS if value >= sign * wanted else Outcome.FAIL
            says += _against_limit(word, wanted, beyond, reached=outcome is Outcome.PASS)
            if outcome is Outcome.PASS and worst < sign * wanted:
                says += f" (the interval reaches {beyond} it)"
        elif worst >= sign * wanted:
            outcome = Outcome.PASS
            says += f"all of it on the right side of the {word} {number(wanted)}"
        elif best < sign * wanted:
            outcome = Outcome.FAIL if stands else Outcome.INCONCLUSIVE
            says += f"all of it {beyond} the {word} {number(wanted)}{'' if stands else _BY_CHANCE}"
        else:
            outcome = Outcome.INCONCLUSIVE
            needed = rows_needed(value, worst, best, sign * wanted, basis.rows)
            measured |= {"rows_needed": float(needed)} if needed else {}
            says += f"the {word} {number(wanted)} lies inside, {_would_decide(needed)}"
        return Finding(f"{name} {word}", outcome, f"{says} ({basis})", self.blocking, measured)


@dataclass(frozen=True)
class Comparison:
    """A paired difference to the champion (or another `opponent`), and what is asked of it.

    `margin` is in the unit of `seen`: the metric's, or a share where `seen` is relative.
    """

    subject: str
    name: str
    kind: Kind
    direction: Direction
    margin: float
    seen: Difference
    basis: Basis
    blocking: bool = True
    opponent: str = "champion"

    def refused(self, tail: float) -> bool:
        """Whether all of the interval, with that error on each side, is where it must not be."""
        return self._wrong(*self._gains(*self.seen.bounds(tail)))

    def finding(self, *, stands: bool) -> Finding:
        """`stands` says whether a refusal is believed, where others were asked as well."""
        seen = self.seen
        worst, best = self._gains(seen.low, seen.high)
        says = (
            f"{self.name} {number(seen.challenger)}, {self.opponent} {number(seen.champion)}: "
            f"difference {self._told(seen.difference)}, "
            f"{self.basis.level} {self._told(seen.low)}..{self._told(seen.high)}, "
        )
        measured = dict(self._measured())
        if not all(isfinite(one) for one in (seen.difference, seen.low, seen.high)):
            outcome, says = Outcome.ERROR, f"{self.name} is not a number on these rows"
        elif self._passes(worst, best):
            outcome = Outcome.PASS
            says += self._good()
        elif self._wrong(worst, best):
            outcome = Outcome.FAIL if stands else Outcome.INCONCLUSIVE
            says += self._bad(best) + ("" if stands else _BY_CHANCE)
        else:
            outcome = Outcome.INCONCLUSIVE
            told, numbers = self._undecided(worst, best)
            says += told
            measured |= numbers
        return Finding(self.subject, outcome, f"{says} ({self.basis})", self.blocking, measured)

    @property
    def _sign(self) -> int:
        return 1 if self.direction == "up" else -1

    def _gains(self, low: float, high: float) -> tuple[float, float]:
        """The interval as what is gained, worst first."""
        return (low, high) if self._sign > 0 else (-high, -low)

    def _passes(self, worst: float, best: float) -> bool:
        match self.kind:
            case "superior":
                return worst > self.margin
            case "equivalent":
                return -self.margin <= worst and best <= self.margin
            case _:
                return worst >= -self.margin

    def _wrong(self, worst: float, best: float) -> bool:
        match self.kind:
            case "superior":
                return best <= self.margin
            case "equivalent":
                return best < -self.margin or worst > self.margin
            case _:
                return best < -self.margin

    def _edge(self) -> float:
        """The difference at which a pass ends, with its sign, in the unit of what was seen."""
        return self._sign * (self.margin if self.kind == "superior" else -self.margin)

    def _good(self) -> str:
        if self.kind == "equivalent":
            return f"all of it within {self._told(-self.margin)}..{self._told(self.margin)}"
        return f"{'above' if self._sign > 0 else 'below'} {self._told(self._edge())}"

    def _bad(self, best: float) -> str:
        if self.kind == "equivalent":
            side, edge = (
                ("below", -self.margin) if (best < -self.margin) == (self._sign > 0) else ("above", self.margin)
            )
            return f"all of it {side} {self._told(edge)}"
        word = "not above" if self._sign > 0 else "not below"
        if self.kind == "superior":
            return f"{word} {self._told(self._edge())}"
        return f"all of it {'below' if self._sign > 0 else 'above'} {self._told(self._edge())}"

    def _undecided(self, worst: float, best: float) -> tuple[str, Mapping[str, float]]:
        """What would have decided: rows, should the values stay, and rows for an equally good model."""
        gain = self._sign * self.seen.difference
        edge = self.margin if self.kind == "superior" else -self.margin
        if self.kind == "equivalent" and best - self.margin > -self.margin - worst:
            edge = self.margin
        needed = rows_needed(gain, worst, best, edge, self.basis.rows)
        error = error_of(self.seen.low, self.seen.high, self.basis.confidence)
        power = power_of(self.kind, self.margin, error=error, rows=self.basis.rows, confidence=self.basis.confidence)
        measured = {"rows_needed": float(needed)} if needed else {}
        says = f"{self._told(self._sign * edge)} lies inside, {_would_decide(needed)}"
        if self.kind in ("non_inferior", "equivalent") and power.needs:
            measured |= {"power": power.passes, "rows_for_power": float(power.needs)}
            says += (
                f"; an equally good model passes in {power.passes:.0%} of cases on these, "
                f"and in 80% on {two_digits(power.needs):,}"
            )
        return says, measured

    def _measured(self) -> Mapping[str, float]:
        seen = self.seen
        return {
            "challenger": seen.challenger,
            "champion": seen.champion,
            "difference": seen.difference,
            "low": seen.low,
            "high": seen.high,
            "margin": self.margin,
            **self._region(),
            **({"relative": 1.0} if seen.relative else {}),
            **self.basis.measured,
        }

    def _region(self) -> Mapping[str, float]:
        """Where the interval has to be, as `least` and `most`."""
        if self.kind == "equivalent":
            return {"least": -self.margin, "most": self.margin}
        return {"least" if self._sign > 0 else "most": self._edge()}

    def _told(self, value: float) -> str:
        return f"{100 * value:+.2f}%" if self.seen.relative else signed(value)


Claim = Limit | Comparison


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


def beside_the_whole(subject: str, name: str, seen: Estimate, whole: float, basis: Basis) -> Finding:
    """A part of the rows beside all of them: whether it differs is shown, and decides nothing."""
    apart = not seen.low <= whole <= seen.high
    says = f"{name} {number(seen.value)}, {basis.level} {number(seen.low)}..{number(seen.high)}"
    says += f", {'and' if apart else 'about as'} {number(whole)} on all rows ({basis})"
    measured = {"challenger": seen.value, "low": seen.low, "high": seen.high, "whole": whole, **basis.measured}
    return Finding(subject, Outcome.FAIL if apart else Outcome.PASS, says, blocking=False, measured=measured)


_BY_CHANCE = ", which one of so many rules may show by chance"


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


def _would_decide(needed: int | None) -> str:
    if needed is None:
        return "and the value is too close to it for any number of rows that can be had"
    return f"about {two_digits(needed):,} such rows would decide, should the values stay"
