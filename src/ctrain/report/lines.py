"""Which finding is about what: the gate's findings as lines of a table, read by the subjects that the gate gives."""

from __future__ import annotations

import re

from ctrain.gate import GateSettings, Rule
from ctrain.report.report import Line
from ctrain.verdict import Finding, Verdict

_SEGMENT = "weak segment, "


def lines_of(verdict: Verdict, gate: GateSettings) -> tuple[Line, ...]:
    """Every finding, in the verdict's order."""
    return tuple(_line(finding, gate) for finding in verdict.findings)


def _line(finding: Finding, gate: GateSettings) -> Line:
    subject = finding.subject
    # The longest name first: a metric may be called as another one begins.
    for name in sorted(gate.metrics, key=len, reverse=True):
        if subject == name or subject.startswith(f"{name} "):
            return _of_metric(name, subject.removeprefix(name).strip(), gate.metrics[name], gate, finding)
    if subject.startswith(_SEGMENT):
        asked = "as good as everywhere" if "whole" in finding.measured else _margin(gate)
        return Line("segment", _first_word(finding), subject.removeprefix(_SEGMENT), asked, "champion", finding)
    if gate.slices is not None and any(_about_column(subject, column) for column in gate.slices.by):
        return Line("slice", "", subject, f"at least {gate.slices.min_rows:,} rows", "", finding)
    return Line("other", "", subject, "", "", finding)


def _of_metric(name: str, rest: str, rule: Rule, gate: GateSettings, finding: Finding) -> Line:
    slice_of = re.fullmatch(r"against the champion, (.+)", rest, re.DOTALL)
    baseline = re.fullmatch(r"against (always the \w+)", rest)
    if slice_of:
        return Line("slice", name, slice_of[1], _margin(gate), "champion", finding)
    if baseline:
        return Line("rule", name, "", f"better than {baseline[1]}", baseline[1], finding)
    if rest == "against the champion":
        return Line("rule", name, "", compared(rule), "champion", finding)
    return Line("rule", name, "", _limit(rule), "", finding)


def _about_column(subject: str, column: str) -> bool:
    return subject.startswith(f"{column} = ") or subject == f"slices by {column}"


def _first_word(finding: Finding) -> str:
    """The metric that a segment was measured by begins the finding's sentence, where it was measured."""
    return finding.says.partition(" ")[0] if "challenger" in finding.measured else ""


def _margin(gate: GateSettings) -> str:
    if gate.slices is None:
        return "no worse than the champion"
    return f"at most {gate.slices.margin} worse"


def _limit(rule: Rule) -> str:
    how = " by its estimate" if rule.judged_by == "estimate" else ""
    if rule.floor is not None:
        return f"at least {rule.floor:g}{how}"
    return f"at most {rule.ceiling:g}{how}" if rule.ceiling is not None else ""


def compared(rule: Rule) -> str:
    """What a rule asks of the difference to the champion."""
    match rule.rule:
        case "superior":
            return f"more than {rule.margin} better" if rule.margin else "better"
        case "equivalent":
            return f"within {rule.margin}"
        case "non_inferior":
            return f"at most {rule.margin} worse"
        case "absolute":
            return ""
