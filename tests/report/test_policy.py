"""What has become of the gate since the champion passed it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.gate import GateSettings, Rule, Slices
from ctrain.report.policy import policy_change
from tests.report.shapes import GATE, Story, plan_of

AUC, LOSS = GATE.metrics["auc"], GATE.metrics["log_loss"]
SLICES = Slices(by=("region",), margin=0.05, min_rows=200, expect={"region": ("north",)})
OLD = replace(GATE, slices=SLICES)


def _auc(**changed: object) -> GateSettings:
    return replace(OLD, metrics={**OLD.metrics, "auc": replace(AUC, **changed)})  # type: ignore[arg-type]


def _loss(**changed: object) -> GateSettings:
    return replace(OLD, metrics={**OLD.metrics, "log_loss": replace(LOSS, **changed)})  # type: ignore[arg-type]


def _slices(**changed: object) -> GateSettings:
    return replace(OLD, slices=replace(SLICES, **changed))  # type: ignore[arg-type]


CASES = [
    ("gate.metrics.auc.margin", _auc(margin=0.05)),
    ("gate.metrics.auc.floor", _auc(floor=0.6)),
    ("gate.metrics.auc.floor", _auc(floor=None)),
    ("gate.metrics.auc.blocking", _auc(blocking=False)),
    ("gate.metrics.auc.rule", _auc(rule="absolute")),
    ("gate.metrics.log_loss.ceiling", _loss(ceiling=0.7)),
    ("gate.metrics.log_loss.beats", _loss(beats=())),
    ("gate.metrics.auc", replace(OLD, metrics={name: rule for name, rule in OLD.metrics.items() if name != "auc"})),
    ("gate.slices", replace(OLD, slices=None)),
    ("gate.slices.by", _slices(by=())),
    ("gate.slices.margin", _slices(margin=0.1)),
    ("gate.slices.min_rows", _slices(min_rows=300)),
    ("gate.slices.expect.region", _slices(expect={})),
    ("gate.slices.on_inconclusive", _slices(on_inconclusive="advise")),
    ("gate.confidence", replace(OLD, confidence=0.8)),
    ("gate.min_rows", replace(OLD, min_rows=10)),
]


@pytest.mark.parametrize(("key", "new"), CASES, ids=[f"{key}-{place}" for place, (key, _) in enumerate(CASES)])
def test_what_asks_for_less_is_relaxed_and_the_way_back_is_tightened(key: str, new: GateSettings) -> None:
    """One key, both ways: the same change, told as the opposite."""
    (there,), (back,) = _changes(OLD, new), _changes(new, OLD)

    assert (there[0], there[1], back[0], back[1]) == (key, "relaxed", key, "tightened")


def test_an_advisory_rule_that_goes_relaxes_nothing() -> None:
    """It decided nothing."""
    fewer = {name: rule for name, rule in OLD.metrics.items() if name != "brier"}

    assert _changes(OLD, replace(OLD, metrics=fewer)) == [("gate.metrics.brier", "changed")]


def test_a_margin_in_another_unit_is_neither() -> None:
    """Whether 2% of the champion's is more than 0.02 is for a person to say."""
    assert _changes(OLD, _auc(margin="2%")) == [("gate.metrics.auc.margin", "changed")]


def test_a_superior_margin_is_the_other_way_round() -> None:
    """To be better by more is harder."""
    rule = Rule(direction="up", rule="superior", margin=0.01)
    old, new = (replace(OLD, metrics={"auc": replace(rule, margin=margin)}) for margin in (0.01, 0.005))

    assert _changes(old, new) == [("gate.metrics.auc.margin", "relaxed")]


def test_without_the_champions_release_nothing_is_said() -> None:
    """The ledger may not go back that far."""
    assert policy_change(plan_of(), None) is None


def _changes(old: GateSettings, new: GateSettings) -> list[tuple[str, str]]:
    before = Story(replace(plan_of(gate=old), policy="before")).release
    told = policy_change(plan_of(gate=new), before)
    return [(change.key, change.effect) for change in told.changes] if told else []
