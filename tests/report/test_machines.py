"""The report for machines: JUnit's XML and SARIF, each held to what its readers take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest

from ctrain.document import parse_document
from ctrain.errors import ProjectError
from ctrain.report import Beside, Places, State, junit, make_report, sarif
from tests.report.hostile import PAYLOADS, hostile
from tests.report.readers import missing, sarif_schema
from tests.report.shapes import ALL, BEGAN, SHAPES, report_of

NONE = missing()

# What Jenkins' xunit plugin allows where (junit-10.xsd), as far as we write it; the children in order.
# Azure's PublishTestResults reads a subset of it ("Publish Test Results v2", Microsoft Learn, result formats mapping).
ALLOWED: dict[str, tuple[set[str], list[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, ["testsuite"]),
    "testsuite": (
        {
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        ["properties", "testcase"],
    ),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": ({"name", "classname", "time", "assertions", "status"}, ["skipped", "error", "failure"]),
    "skipped": ({"message"}, []),
    "error": ({"message", "type"}, []),
    "failure": ({"message", "type"}, []),
}


def _read(text: str) -> Xml.Element:
    return Xml.fromstring(text.encode())  # noqa: S314  we wrote it


def _hold(element: Xml.Element) -> None:
    attributes, children = ALLOWED[element.tag]
    order = [children.index(child.tag) for child in element]
    assert set(element.attrib) <= attributes
    assert order == sorted(order)
    for child in element:
        _hold(child)


@pytest.mark.parametrize("name", ALL)
def test_junit_is_what_jenkins_and_azure_take(name: str) -> None:
    """Elements, attributes and their order; and the sums are those of the cases."""
    root = _read(junit(report_of(name)))
    _hold(root)
    for suite in root:
        cases = suite.findall("testcase")
        found = {how: len(suite.findall(f"testcase/{how}")) for how in ("failure", "error", "skipped")}
        assert int(suite.get("tests", "")) == len(cases)
        assert [int(suite.get(what, "")) for what in ("failures", "errors", "skipped")] == list(found.values())
    assert int(root.get("tests", "")) == len(root.findall("testsuite/testcase"))


@pytest.mark.parametrize(
    ("name", "suites", "bad"),
    [
        ("delivered", ["training", "gate", "smoke dev", "smoke prod", "watch prod"], 0),
        ("given-up", ["training", "gate", "smoke dev", "smoke prod", "watch prod"], 2),
        ("training-failed", ["training"], 1),
        ("inconclusive-proposal", ["training", "gate"], 0),
        ("nothing", [], 0),
    ],
)
def test_what_fails_in_junit_is_what_failed(name: str, suites: list[str], bad: int) -> None:
    """Rules and checks are cases; too few rows are no failure where the trigger says so."""
    root = _read(junit(report_of(name)))

    assert [suite.get("name") for suite in root] == suites
    assert len(root.findall(".//failure")) + len(root.findall(".//error")) == bad


def test_a_failed_step_brings_its_log() -> None:
    """Line by line, as it was printed."""
    (error,) = _read(junit(report_of("training-failed"))).findall(".//error")

    assert error.get("message") == "it ended with exit code 1"
    assert "  ..." in (error.text or "").splitlines()


@pytest.mark.parametrize("text", PAYLOADS)
def test_any_text_makes_good_xml_and_good_json(text: str) -> None:
    """Whatever is written into a report."""
    report = hostile(text, State.UNDECIDED)
    _hold(_read(junit(report)))
    json.loads(sarif(report).encode())


def _sarif(name: str) -> dict[str, Any]:
    text = b"gate:\n  metrics:\n    auc: {direction: up}\n"
    places = Places(Path("/repo"), parse_document(text, Path("/repo/my models/ctrain.yaml"), ProjectError))
    story = SHAPES[name]()
    report = make_report(story.release, tuple(story.events), now=BEGAN, beside=Beside(places=places))
    made: dict[str, Any] = json.loads(sarif(report, version="0.1.0"))
    return made


@pytest.mark.skipif(NONE is not None, reason=NONE or "")
def test_sarif_keeps_to_the_published_schema() -> None:
    """Version 2.1.0, as OASIS published it; of every shape, and of text that others wrote."""
    reader = jsonschema.Draft7Validator(sarif_schema())
    made = [_sarif(name) for name in SHAPES] + [json.loads(sarif(hostile(text))) for text in PAYLOADS[:20]]
    for one in made:
        assert not list(reader.iter_errors({**one, "$schema": "https://json.schemastore.org/sarif-2.1.0-rtm.5.json"}))


def test_a_result_is_found_where_its_rule_stands() -> None:
    """By a path that is an address, relative to the repository."""
    result = _sarif("rejected")["runs"][0]["results"][0]
    (at,) = result["locations"]

    assert result["ruleId"] == "gate/auc"
    assert at["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20models/ctrain.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }


def test_the_same_finding_has_the_same_mark_on_any_commit() -> None:
    """So that a finding is not new each time; two of them are told apart."""
    first, again = (_sarif("rejected")["runs"][0]["results"] for _ in range(2))
    marks = [result["partialFingerprints"]["ctrain/v1"] for result in first]

    assert marks == [result["partialFingerprints"]["ctrain/v1"] for result in again]
    assert len(set(marks)) == len(marks)


def test_where_all_is_well_there_is_no_result() -> None:
    """One run, and nothing in it."""
    assert _sarif("delivered")["runs"][0]["results"] == []
