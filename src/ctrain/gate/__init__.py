"""The gate: rules x evidence -> Verdict. Statistics live here, and only here.

    settings    what a project asks (`gate` and `evaluation` in ctrain.yaml), and `checks`: what contradicts itself
    evidence    the row-level predictions of challenger and champion, `reading` brings them in from Parquet or CSV
    metrics     the values; `influence`: how much each row contributes to them; `resampling`: what else could have come
    intervals   from these to confidence intervals, one model's or the paired difference of two
    judgement   the rules, and the sentences

What computes needs numpy, which costs a tenth of a second: it is imported when first used (PEP 562), so that reading
a project's settings stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ctrain.gate.catalogue import METRICS, Metric
from ctrain.gate.checks import check
from ctrain.gate.foresight import Earlier, Foresight, foresee
from ctrain.gate.problem import Problem
from ctrain.gate.settings import EvaluationSettings, Extend, GateSettings, OnInconclusive, Rule, Slices

if TYPE_CHECKING:
    from ctrain.gate.evidence import Categories, Evidence
    from ctrain.gate.judgement import judge
    from ctrain.gate.reading import Rows, read_evidence, read_rows

__all__ = [
    "METRICS",
    "Categories",
    "Earlier",
    "EvaluationSettings",
    "Evidence",
    "Extend",
    "Foresight",
    "GateSettings",
    "Metric",
    "OnInconclusive",
    "Problem",
    "Rows",
    "Rule",
    "Slices",
    "check",
    "foresee",
    "judge",
    "read_evidence",
    "read_rows",
]

_COMPUTES = {
    "Categories": "evidence",
    "Evidence": "evidence",
    "Rows": "reading",
    "judge": "judgement",
    "read_evidence": "reading",
    "read_rows": "reading",
}


def __getattr__(name: str) -> object:
    if name not in _COMPUTES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_COMPUTES[name]}"), name)
