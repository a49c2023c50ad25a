"""A report as JUnit's XML: each rule, check and step a test case, for whatever a CI shows tests with.

It keeps to what Jenkins' xunit plugin (`junit-10.xsd`) and Azure's PublishTestResults task both take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as Xml

from ctrain.report.harmless import clean, lines
from ctrain.report.report import Report, StageLine, State, Training
from ctrain.verdict import Finding, Outcome

_MOST = 2000


@dataclass(frozen=True)
class _Case:
    """One test: `how` it did not pass, None where it did."""

    of: str
    name: str
    how: Literal["failure", "error", "skipped"] | None = None
    kind: str = ""
    says: str = ""
    log: str = ""
    seconds: float = 0.0


def junit(report: Report) -> str:
    """One suite for the training, one for the gate, one for the tests of each stage and one for each watch."""
    root = Xml.Element("testsuites", name=_text(f"ctrain {report.project}"))
    for name, cases in _suites(report):
        _suite(root, name, cases, report)
    for what in ("tests", "failures", "errors"):
        root.set(what, str(sum(int(suite.get(what, "0")) for suite in root)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suites(report: Report) -> Iterator[tuple[str, list[_Case]]]:
    if report.training is not None and report.training.steps:
        yield "training", list(_steps(report.training))
    neutral = report.state is State.INCONCLUSIVE
    if report.lines:
        yield "gate", [_judged("gate", line.finding, neutral=neutral) for line in report.lines]
    for stage in report.stages:
        smoke = [one for one in stage.checks if not one.what.startswith("watched")]
        watch = [one for one in stage.checks if one.what.startswith("watched")]
        for suite, checks in (("smoke", smoke), ("watch", watch)):
            cases = [
                _judged(f"{suite}.{stage.name}", finding, f"{one.what}: ")
                for one in checks
                for finding in one.verdict.findings
            ]
            cases += [_given_up(stage, suite)] if stage.state == "given up" and suite == "smoke" else []
            if cases:
                yield f"{suite} {stage.name}", cases


def _steps(training: Training) -> Iterator[_Case]:
    for step in training.steps:
        case = _Case("training", step.name, seconds=step.seconds)
        if step.status == "Completed":
            yield case
        elif step.status in ("Failed", "Canceled"):
            yield _Case("training", step.name, "error", step.status.told, step.why, step.log, step.seconds)
        else:
            yield _Case("training", step.name, "skipped", says=f"it is {step.status.told}")


def _judged(of: str, finding: Finding, before: str = "", *, neutral: bool = False) -> _Case:
    """Too few rows are a failure, unless they are none for this trigger; what only advises is skipped, not failed."""
    name, outcome = f"{before}{finding.subject}", finding.outcome
    if outcome is Outcome.PASS:
        return _Case(of, name)
    if not finding.blocking or (neutral and outcome is Outcome.INCONCLUSIVE):
        return _Case(of, name, "skipped", says=f"{outcome}: {finding.says}")
    how: Literal["failure", "error"] = "error" if outcome is Outcome.ERROR else "failure"
    return _Case(of, name, how, outcome, finding.says)


def _given_up(stage: StageLine, suite: str) -> _Case:
    return _Case(f"{suite}.{stage.name}", "the rollout", "failure", "given up", stage.why, stage.log)


def _suite(root: Xml.Element, name: str, cases: list[_Case], report: Report) -> None:
    suite = Xml.SubElement(root, "testsuite", name=_text(name), tests=str(len(cases)))
    for what, how in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(what, str(sum(case.how == how for case in cases)))
    suite.set("time", f"{sum(case.seconds for case in cases):.3f}")
    if report.opened is not None:
        suite.set("timestamp", report.opened.strftime("%Y-%m-%dT%H:%M:%S"))
    about = {"release": report.release, "commit": report.commit, "model": report.model, "verdict": report.outcome or ""}
    properties = Xml.SubElement(suite, "properties")
    for key, value in about.items():
        Xml.SubElement(properties, "property", name=key, value=_text(value))
    for case in cases:
        made = Xml.SubElement(suite, "testcase", name=_text(case.name), classname=_text(f"ctrain.{case.of}"))
        made.set("time", f"{case.seconds:.3f}")
        if case.how == "skipped":
            Xml.SubElement(made, "skipped", message=_text(case.says))
        elif case.how is not None:
            told = Xml.SubElement(made, case.how, message=_text(case.says), type=_text(case.kind))
            told.text = lines(case.log or case.says, _MOST)


def _text(text: str) -> str:
    """What XML can hold."""
    return clean(text, _MOST)
