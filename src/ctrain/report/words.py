"""Figures as a report has them, alike in all its formats."""

from __future__ import annotations

import re
from collections.abc import Callable

from ctrain.gate.phrases import number, signed, two_digits
from ctrain.gate.picture import Picture
from ctrain.report.report import Line
from ctrain.verdict import Outcome

_AFTER_FIGURES = re.compile(r"% CI \S+\.\.\S+, (.+) \([\d,]+ rows?(?: in [\d,]+ groups)?\)$", re.DOTALL)
NONE = "\N{EN DASH}"


def outcome_word(outcome: Outcome, *, blocking: bool = True) -> str:
    """The finding in a word; an advisory one says that it decides nothing."""
    told = {Outcome.PASS: "pass", Outcome.FAIL: "fail", Outcome.INCONCLUSIVE: "inconclusive", Outcome.ERROR: "error"}
    return told[outcome] if blocking else f"{told[outcome]}, advisory"


def plain(value: float | None) -> str:
    return NONE if value is None else _minus(number(value))


def told(line: Line, name: str) -> str:
    """A value of a comparison with its sign, or of a limit, in the unit of the rule."""
    value = line.seen(name)
    if value is None:
        return NONE
    if not line.compares:
        return _minus(number(value))
    return _minus(f"{100 * value:+.2f}%" if "relative" in line.finding.measured else signed(value))


def interval(line: Line) -> str:
    """From bound to bound, or a dash where nothing has an interval."""
    if line.seen("low") is None or line.seen("high") is None:
        return NONE
    return f"{told(line, 'low')}…{told(line, 'high')}"


def difference(line: Line) -> str:
    """The difference with its interval; a limit has none."""
    return f"{told(line, 'difference')} ({interval(line)})" if line.compares else NONE


def value(line: Line) -> str:
    """The challenger's value; where it is held against a limit, with its interval."""
    measured = plain(line.seen("challenger"))
    return measured if line.compares or line.seen("low") is None else f"{measured} ({interval(line)})"


def logged(value: float) -> str:
    """A number whose nature we do not know: whole ones stay whole."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) >= 10 else plain(value)


def level(line: Line, otherwise: float = 0.95) -> str:
    """`95% CI`."""
    confidence = line.seen("confidence")
    return f"{100 * (otherwise if confidence is None else confidence):g}% CI"


def clause(line: Line) -> str:
    """What the finding's sentence says beyond the figures that a table shows anyway."""
    said = _AFTER_FIGURES.search(line.finding.says)
    return _minus(said[1]) if said else line.finding.says


def would_decide(line: Line) -> str:
    """How many rows would have decided, in words; empty where that is not known."""
    needed = line.seen("rows_needed") or line.seen("rows_for_power")
    if not needed:
        return ""
    return f"about {two_digits(int(needed)):,} rows would decide"


def power(line: Line) -> str:
    """Whether so few rows could have told at all; empty where they could, or where nobody knows."""
    if line.power is None or line.power >= 0.8:
        return ""
    return f"underpowered: an equally good model passes in {line.power:.0%} of cases on so many rows"


def listed(names: tuple[str, ...]) -> str:
    """`dev, test and prod`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _minus(text: str) -> str:
    """A minus as long as a plus, so that columns stand."""
    return text.replace("-", "\N{MINUS SIGN}")


def reason(line: Line) -> str:
    """Why it did not pass, beyond the figures: what would have decided, or where the interval lies."""
    told = [would_decide(line), power(line)]
    if line.finding.outcome is Outcome.INCONCLUSIVE and any(told):
        return "; ".join(filter(None, told))
    return clause(line)


def signed_label(picture: Picture) -> Callable[[float], str]:
    """How the numbers of a picture are written."""
    return lambda value: _minus(picture.label(value))
