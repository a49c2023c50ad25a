"""A report's remarks as SARIF 2.1.0, which GitHub's code scanning and most editors show at the line.

Source: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS, 2020.
"""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

from ctrain.report.harmless import clean
from ctrain.report.report import Level, Remark, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Level, str] = {"error": "error", "warning": "warning", "notice": "note"}
_WHAT = {
    "gate": "A rule of the gate, or a slice, was not passed.",
    "gate-relaxed": "The gate asks for less than when the champion passed it.",
    "train": "A step of the training did not complete.",
    "stages": "A deployment did not pass what was asked of it.",
}


def sarif(report: Report, *, version: str = "") -> str:
    """One run, with a result for each remark; none where all is well."""
    rules = list(dict.fromkeys(remark.rule for remark in report.remarks))
    driver = {
        "name": "ctrain",
        **({"version": version} if version else {}),
        "rules": [{"id": clean(rule), "shortDescription": {"text": _what(rule)}} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": clean(f"ctrain/{report.project}/{report.trigger or 'none'}/")},
        "columnKind": "unicodeCodePoints",
        "results": [_result(remark, rules.index(remark.rule), report) for remark in report.remarks],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _what(rule: str) -> str:
    return _WHAT.get(rule, _WHAT.get(rule.partition("/")[0], "ctrain refused to go on."))


def _result(remark: Remark, place: int, report: Report) -> dict[str, object]:
    mark = hashlib.sha256(f"{report.project}|{remark.rule}|{remark.title}".encode(errors="replace")).hexdigest()
    text = f"{clean(remark.title)}: {clean(remark.text, 1000)}"
    made: dict[str, object] = {
        "ruleId": clean(remark.rule),
        "ruleIndex": place,
        "level": _LEVELS[remark.level],
        "message": {"text": _plain(text)},
        "partialFingerprints": {"ctrain/v1": mark},
    }
    if remark.file is not None:
        at = {"artifactLocation": {"uri": quote(remark.file, errors="replace"), "uriBaseId": "%SRCROOT%"}}
        region = {"region": {"startLine": max(remark.line or 1, 1)}}
        made["locations"] = [{"physicalLocation": {**at, **region}}]
    return made


def _plain(text: str) -> str:
    """A message's text may hold links and placeholders (3.11.5, 3.11.6); a backslash makes a bracket a bracket."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("{", "{{").replace("}", "}}")
