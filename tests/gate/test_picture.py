"""A finding's picture: what of it can be drawn."""

from __future__ import annotations

from math import inf

import numpy as np

from ctrain.gate import Rule, judge
from ctrain.gate.picture import picture_of
from ctrain.verdict import Finding, Outcome
from tests.gate.cases import BINARY, gate, non_inferior, scored


def test_every_finding_with_an_interval_has_its_picture() -> None:
    """Where the interval has to be follows from kind and direction."""
    equal = Rule(direction="up", rule="equivalent", margin=0.1)
    rules = gate(auc=non_inferior(margin=0.05, floor=0.6), brier=non_inferior("down", margin=0.02), f1=equal)
    verdict = judge(rules, BINARY, scored(1000, np.random.default_rng(0)), champion="m:1")
    found = {finding.subject: picture_of(finding) for finding in verdict.findings}
    drawn = {name: (one.least, one.most, one.zero) for name, one in found.items() if one}
    assert drawn == {
        "auc floor": (0.6, inf, None),
        "auc against the champion": (-0.05, inf, 0.0),
        "brier against the champion": (-inf, 0.02, 0.0),
        "f1 against the champion": (-0.1, 0.1, 0.0),
    }
    for one in found.values():
        assert one is not None
        low, high = one.span
        assert low < min(one.low, *one.edges) <= max(one.high, *one.edges) < high


def test_a_finding_without_an_interval_has_none() -> None:
    """Too few rows, an older ledger's finding without edges, a number that is none."""
    nothing = Finding("auc", Outcome.INCONCLUSIVE, "", measured={"rows": 3.0})
    older = Finding("auc", Outcome.PASS, "", measured={"low": 0.1, "high": 0.2, "difference": 0.15, "margin": 0.3})
    none = Finding("auc", Outcome.ERROR, "", measured={"low": -inf, "high": inf, "challenger": 0.1, "floor": 0.2})
    assert [picture_of(one) for one in (nothing, older, none)] == [None, None, None]
