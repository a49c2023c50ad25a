"""What ctrain.yaml may ask of the gate, and what contradicts itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import inf, nan

import pytest
from pydantic import TypeAdapter, ValidationError

from ctrain.document import Keys
from ctrain.gate import METRICS, EvaluationSettings, Extend, GateSettings, OnInconclusive, Rule, Slices, check
from ctrain.gate.settings import Allowance, Segments, allowance
from tests.gate.cases import BINARY, MULTICLASS, RANKING, REGRESSION, gate, non_inferior

AUC: Keys = ("gate", "metrics", "auc")


def absolute(**limits: float) -> Rule:
    return Rule(direction="up", rule="absolute", **limits)  # type: ignore[arg-type]


def test_the_documented_shape_builds_settings_that_hold_no_problem() -> None:
    """The YAML shape of the design loads through pydantic as it is."""
    settings = TypeAdapter(GateSettings).validate_python(
        {
            "metrics": {"auc": {"direction": "up", "rule": "non_inferior", "margin": 0.005, "floor": 0.70}},
            "slices": {"by": ["health"], "min_rows": 200, "margin": 0.02},
        }
    )
    assert settings.metrics["auc"] == non_inferior(margin=0.005, floor=0.7)
    assert settings.slice_columns == ("health",)
    assert check(settings, BINARY) == ()


@pytest.mark.parametrize("settings", [GateSettings, EvaluationSettings, Rule, Slices])
def test_unknown_keys_are_refused(settings: type) -> None:
    """A typo in a key must not switch a rule off."""
    with pytest.raises(ValidationError, match="marjin"):
        TypeAdapter(settings).validate_python({"marjin": 1})


def test_every_metric_may_be_gated_by_its_own_direction_and_task() -> None:
    """The catalogue and the checks agree."""
    for metric in METRICS.values():
        for task in metric.tasks:
            evaluation = {"binary": BINARY, "multiclass": MULTICLASS, "regression": REGRESSION, "ranking": RANKING}[
                task
            ]
            assert check(replace(gate(), metrics={metric.name: non_inferior(metric.direction)}), evaluation) == ()


@pytest.mark.parametrize(
    ("settings", "keys", "words"),
    [
        (gate(), ("gate", "metrics"), "no rules"),
        (gate(aux=non_inferior()), ("gate", "metrics", "aux"), "did you mean 'auc'"),
        (gate(auc=non_inferior("down")), (*AUC, "direction"), "write `direction: up`"),
        (gate(mae=non_inferior("down")), ("gate", "metrics", "mae"), "regression"),
        (gate(auc=Rule(direction="up", rule="non_inferior")), (*AUC, "rule"), "no margin"),
        (gate(auc=absolute()), (*AUC, "rule"), "no floor"),
        (gate(auc=absolute(floor=0.7, margin=0.1)), (*AUC, "margin"), "would do nothing"),
        (gate(auc=absolute(floor=0.7, ceiling=0.9)), (*AUC, "ceiling"), "write floor"),
        (gate(auc=Rule(direction="up", rule="equivalent")), (*AUC, "rule"), "how large a change"),
        (gate(auc=Rule(direction="up", rule="equivalent", margin=0)), (*AUC, "margin"), "lets nothing through"),
        (gate(auc=non_inferior(margin="2")), (*AUC, "margin"), "cannot be read"),
        (gate(auc=non_inferior(margin="-2%")), (*AUC, "margin"), "cannot be read"),
        (gate(auc=non_inferior(margin="100%")), (*AUC, "margin"), "lets everything through"),
        (gate(auc=replace(non_inferior(), judged_by="interval")), (*AUC, "judged_by"), "would do nothing"),
        (gate(auc=replace(non_inferior(), beats=("mean",))), (*AUC, "beats", 0), "use majority"),
        (gate(auc=replace(non_inferior(), beats=("majority", "majority"))), (*AUC, "beats", 1), "twice"),
        (
            gate(auc=replace(absolute(floor=0.7), source="logged", beats=("majority",))),
            (*AUC, "beats"),
            "is logged",
        ),
        (
            gate(Slices(by=("a",), margin=0.1, expect={"b": ("x",)}), auc=non_inferior()),
            ("gate", "slices", "expect", "b"),
            "is no slice",
        ),
        (
            gate(own=replace(non_inferior(), function="profit")),
            ("gate", "metrics", "own", "function"),
            "profit.py:profit",
        ),
        (gate(auc=replace(non_inferior(), function="a.py:f")), AUC, "choose another name"),
        (gate(auc=replace(non_inferior(), columns=("a",))), (*AUC, "columns"), "would do nothing"),
        (
            gate(own=replace(non_inferior(), function="a.py:f", columns=("a b",))),
            ("gate", "metrics", "own", "columns", 0),
            "Python name",
        ),
        (
            gate(own=replace(non_inferior(), function="a.py:f", timeout=0.0)),
            ("gate", "metrics", "own", "timeout"),
            "3600",
        ),
        (replace(gate(auc=non_inferior()), segments=Segments(most=0)), ("gate", "segments", "most"), "too small"),
        (
            replace(gate(auc=non_inferior()), segments=Segments(among=("visited",))),
            ("gate", "segments", "among", 0),
            "cannot make segments",
        ),
        (
            replace(gate(auc=non_inferior()), on_inconclusive=OnInconclusive(main="extend")),
            ("gate", "on_inconclusive", "main"),
            "`gate.extend` is missing",
        ),
        (
            replace(gate(auc=non_inferior()), extend=Extend(input="rows", value=5)),
            ("gate", "extend"),
            "would do nothing",
        ),
        (gate(auc=absolute(floor=70)), (*AUC, "floor"), "can never be 70"),
        (gate(auc=absolute(floor=nan)), (*AUC, "floor"), "no number"),
        (gate(auc=non_inferior(margin=-0.1)), (*AUC, "margin"), "zero or more"),
        (gate(auc=non_inferior(margin=inf)), (*AUC, "margin"), "zero or more"),
        (gate(auc=non_inferior(margin=1)), (*AUC, "margin"), "lets everything through"),
        (gate(auc=replace(non_inferior(), source="logged")), (*AUC, "rule"), "is logged"),
        (
            gate(auc=replace(absolute(floor=0.7), source="logged", judged_by="interval")),
            (*AUC, "judged_by"),
            "is logged",
        ),
        (replace(gate(auc=non_inferior()), confidence=0.5), ("gate", "confidence"), "between 0.5 and 1"),
        (replace(gate(auc=non_inferior()), confidence=95.0), ("gate", "confidence"), "between 0.5 and 1"),
        (replace(gate(auc=non_inferior()), resamples=10), ("gate", "resamples"), "too small"),
        (replace(gate(auc=non_inferior()), min_rows=0), ("gate", "min_rows"), "too small"),
        (gate(Slices(by=(), margin=0.1), auc=non_inferior()), ("gate", "slices", "by"), "no column"),
        (gate(Slices(by=("a", "a"), margin=0.1), auc=non_inferior()), ("gate", "slices", "by", 1), "twice"),
        (gate(Slices(by=("visited",), margin=0.1), auc=non_inferior()), ("gate", "slices", "by", 0), "the label"),
        (gate(Slices(by=("row_id",), margin=0.1), auc=non_inferior()), ("gate", "slices", "by", 0), "row id"),
        (gate(Slices(by=("a",), margin=2), auc=non_inferior()), ("gate", "slices", "margin"), "everything"),
        (gate(Slices(by=("a",), margin=0.1, min_rows=0), auc=non_inferior()), ("gate", "slices", "min_rows"), "small"),
        (gate(Slices(by=("a",), margin=0.1), auc=absolute(floor=0.7)), ("gate", "slices"), "judge nothing"),
    ],
)
def test_a_contradiction_is_named_where_it_stands(settings: GateSettings, keys: Keys, words: str) -> None:
    """One mistake, one problem, at the keys that lead to it."""
    problems = check(settings, BINARY)
    assert [problem.keys for problem in problems] == [keys]
    assert words in str(problems[0])


def test_one_column_cannot_play_two_parts() -> None:
    """A label that is also the prediction would grade itself."""
    problems = check(gate(auc=non_inferior()), replace(BINARY, prediction="visited"))
    assert [problem.keys for problem in problems] == [("evaluation", "prediction")]


@pytest.mark.parametrize(
    ("evaluation", "key", "words"),
    [
        (replace(RANKING, group=None), "group", "needs to know its queries"),
        (replace(BINARY, classes=("a", "b")), "classes", "for multiclass models"),
        (replace(MULTICLASS, classes=("a", "a")), "classes", "each once"),
        (replace(MULTICLASS, classes=("a",)), "classes", "two or more"),
    ],
)
def test_a_task_needs_its_own_columns(evaluation: EvaluationSettings, key: str, words: str) -> None:
    """Queries for a ranking; classes for nothing but several classes."""
    task = evaluation.task
    metric = next(one for one in METRICS.values() if task in one.tasks)
    problems = check(replace(gate(), metrics={metric.name: non_inferior(metric.direction)}), evaluation)
    assert [problem.keys for problem in problems] == [("evaluation", key)]
    assert words in str(problems[0])


def test_a_row_id_may_be_the_group() -> None:
    """Each row is a group of its own then, which is no contradiction."""
    assert check(gate(auc=non_inferior()), replace(BINARY, group="row_id")) == ()


def test_settings_are_read_without_numpy() -> None:
    """Start-up is felt at every keystroke: what reads ctrain.yaml must not pay for statistics."""
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, ctrain.gate; print('numpy' in sys.modules or 'polars' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("margin", "size", "relative"), [(0.01, 0.01, False), ("2%", 0.02, True), (" 0.5 %", 0.005, True), (None, 0, False)]
)
def test_a_margin_is_a_number_or_a_percentage(margin: float | str | None, size: float, relative: bool) -> None:
    """In the metric's unit, or as a share of the champion's value."""
    assert allowance(margin) == Allowance(size, relative)


def test_margins_of_both_kinds_load() -> None:
    """From the file, as they are written."""
    read = TypeAdapter(Rule).validate_python
    assert read({"direction": "up", "rule": "non_inferior", "margin": "2%"}).margin == "2%"
    assert read({"direction": "up", "rule": "non_inferior", "margin": 1}).margin == 1


def test_beating_a_baseline_is_enough_of_a_rule() -> None:
    """An absolute rule without a limit then asks for something."""
    assert check(gate(auc=Rule(direction="up", rule="absolute", beats=("majority",))), BINARY) == ()
