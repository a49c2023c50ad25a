"""What the gate will be able to tell, before any compute is paid for: from what an earlier evaluation was sure of.

How sure an evaluation will be depends on how the two models' answers hang together, which nobody knows before. The
earlier evaluation's interval tells it for its own rows, and the error goes with one over their square root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctrain.gate.power import error_of, on_rows, power_of
from ctrain.gate.settings import GateSettings, Rule, allowance
from ctrain.verdict import Finding, Verdict


@dataclass(frozen=True)
class Earlier:
    """An evaluation that there has been: of this release, over so many rows. `expected`: how many it will be now."""

    release: str
    verdict: Verdict
    expected: int


@dataclass(frozen=True)
class Foresight:
    """Of one rule, on about so many `rows`, as the release `after` was sure.

    For a comparison: `passes` is the chance of an equally good model to pass, `shows` the change for the worse that is
    found out with a chance of 80%, and `needs` the rows on which an equally good model passes in 80% of cases, None
    where none would do. For a limit: `within` is half of the interval.
    """

    metric: str
    rows: int
    after: str
    passes: float | None = None
    shows: float | None = None
    needs: int | None = None
    within: float | None = None


def foresee(settings: GateSettings, earlier: Earlier, *, comparable: bool) -> tuple[Foresight, ...]:
    """One for every rule that the earlier evaluation tells something of."""
    return tuple(_all(settings, earlier, comparable=comparable))


def _all(settings: GateSettings, earlier: Earlier, *, comparable: bool) -> Iterator[Foresight]:
    measured = {finding.subject: finding for finding in earlier.verdict.findings if "low" in finding.measured}
    for name, rule in settings.metrics.items():
        limit = measured.get(f"{name} {'floor' if rule.floor is not None else 'ceiling'}")
        if limit is not None and rule.by_interval and (rule.floor is not None or rule.ceiling is not None):
            half = (limit.measured["high"] - limit.measured["low"]) / 2
            within = on_rows(half, _rows(limit), earlier.expected)
            yield Foresight(name, earlier.expected, earlier.release, within=within)
        compared = measured.get(f"{name} against the champion")
        if compared is not None and rule.compares and comparable:
            found = _of_comparison(name, rule, compared, settings, earlier)
            if found is not None:
                yield found


def _of_comparison(name: str, rule: Rule, seen: Finding, settings: GateSettings, earlier: Earlier) -> Foresight | None:
    margin = allowance(rule.margin)
    low, high = seen.measured["low"], seen.measured["high"]
    if margin.relative != ("relative" in seen.measured):
        scale = abs(seen.measured["champion"])
        if scale == 0:
            return None
        low, high = (one / scale if margin.relative else one * scale for one in (low, high))
    error = error_of(low, high, seen.measured.get("confidence", 0.95))
    expected = on_rows(error, _rows(seen), earlier.expected)
    power = power_of(rule.rule, margin.size, error=expected, rows=earlier.expected, confidence=settings.confidence)
    worse = power.shows + (-margin.size if rule.rule == "superior" else margin.size)
    passes = None if rule.rule == "superior" else power.passes
    needs = None if rule.rule == "superior" else power.needs
    return Foresight(name, earlier.expected, earlier.release, passes=passes, shows=max(worse, 0.0), needs=needs)


def _rows(finding: Finding) -> int:
    return max(int(finding.measured.get("rows", 1)), 1)
