"""What must never pass by accident: one thing goes wrong at a time, from the file to the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ctrain.errors import DataError
from ctrain.events import Opened, from_json, to_json
from ctrain.gate import EvaluationSettings, GateSettings, Rule, Slices, judge, read_evidence
from ctrain.verdict import Outcome
from tests.builders import a_plan
from tests.gate.cases import BINARY, a_hundred_and_more, gate, non_inferior
from tests.test_events import an_event

GOOD = gate(Slices(by=("health",), margin=0.2), auc=non_inferior(margin=0.05, floor=0.6))
Change = Callable[[pl.DataFrame], pl.DataFrame]


def table() -> pl.DataFrame:
    rows = a_hundred_and_more(1500)
    return pl.DataFrame(
        {
            "row_id": rows.row_id,
            "visited": rows.label,
            "prediction": rows.challenger,
            "champion_prediction": rows.champion,
            "health": ["good", "poor"] * 750,
        }
    )


def outcome(
    folder: Path,
    change: Change = lambda rows: rows,
    settings: GateSettings = GOOD,
    evaluation: EvaluationSettings = BINARY,
    *,
    champion: str | None = "m:1",
) -> Outcome:
    change(table()).write_parquet(folder / "rows.parquet")
    try:
        evidence = read_evidence(folder / "rows.parquet", evaluation, settings.slice_columns, settings.metric_columns)
    except DataError:
        return Outcome.ERROR
    return judge(settings, evaluation, evidence, champion=champion).outcome


def at(column: str, value: float | None, many: int = 1) -> Change:
    """That value in the first rows of that column."""
    return lambda rows: rows.with_columns(
        pl.when(pl.int_range(pl.len()) < many).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


def test_without_an_accident_it_passes(tmp_path: Path) -> None:
    """So that each test below is about its accident."""
    assert outcome(tmp_path) is Outcome.PASS


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.clear(), Outcome.ERROR),
        (lambda rows: rows.drop("prediction"), Outcome.ERROR),
        (lambda rows: rows.drop("champion_prediction"), Outcome.ERROR),
        (lambda rows: rows.drop("visited"), Outcome.ERROR),
        (lambda rows: rows.drop("health"), Outcome.FAIL),
        (at("prediction", float("nan")), Outcome.ERROR),
        (at("prediction", None), Outcome.ERROR),
        (at("prediction", float("inf")), Outcome.ERROR),
        (at("visited", None), Outcome.ERROR),
        (at("visited", 2.0), Outcome.ERROR),
        (at("champion_prediction", None), Outcome.ERROR),
        (at("champion_prediction", None, 1499), Outcome.ERROR),
        (at("row_id", 7.0, 9), Outcome.ERROR),
        (lambda rows: pl.concat([rows, rows]), Outcome.ERROR),
        (lambda rows: rows.with_columns(visited=pl.lit(0.0)), Outcome.ERROR),
        (lambda rows: rows.with_columns(health=pl.col("visited").cast(pl.String)), Outcome.ERROR),
        (lambda rows: rows.with_columns(health=pl.col("row_id").cast(pl.String)), Outcome.ERROR),
        (lambda rows: rows.with_columns(health=(pl.col("row_id") % 10).cast(pl.String)), Outcome.INCONCLUSIVE),
        (lambda rows: rows.head(80), Outcome.INCONCLUSIVE),
        (lambda rows: rows.with_columns(prediction=pl.lit(0.5)), Outcome.FAIL),
        (lambda rows: rows.with_columns(prediction=1 - pl.col("prediction")), Outcome.FAIL),
        (lambda rows: rows.with_columns(prediction=pl.col("prediction").shuffle(seed=1)), Outcome.FAIL),
    ],
    ids=[
        "no-rows", "no-predictions", "no-champion-column", "no-label", "no-slice-column", "nan", "missing", "infinite",
        "label-missing", "label-not-binary", "champion-lacks-a-row", "champion-has-one-row", "repeated-row-id",
        "rows-twice", "one-label", "label-is-the-slice", "a-slice-a-row", "slices-all-small", "few-rows", "constant",
        "turned-around", "rows-of-another-model",
    ],
)  # fmt: skip
def test_rows_that_went_wrong_never_pass(tmp_path: Path, change: Change, expected: Outcome) -> None:
    """An error, a fail, or too few to tell."""
    assert outcome(tmp_path, change) is expected


@pytest.mark.parametrize(
    "settings",
    [
        gate(),
        gate(auk=non_inferior()),
        gate(auc=Rule(direction="down", rule="absolute", ceiling=0.9)),
        gate(auc=non_inferior(margin=1.0)),
        gate(auc=non_inferior(margin="100%")),
        gate(auc=non_inferior(margin="two")),
        gate(auc=non_inferior(margin=float("nan"))),
        gate(auc=Rule(direction="up", rule="absolute", floor=float("nan"))),
        gate(auc=Rule(direction="up", rule="absolute")),
        gate(auc=non_inferior(blocking=False)),
        gate(loss=Rule(direction="down", rule="absolute", ceiling=1.0, source="logged")),
        gate(own=replace(non_inferior(), function="a.py:f")),
        gate(Slices(by=("wealth",), margin=0.1), auc=non_inferior()),
        gate(Slices(by=("health",), margin=0.2, expect={"health": ("fair",)}), auc=non_inferior()),
        replace(GOOD, confidence=0.1),
    ],
    ids=lambda _: "",
)
def test_a_gate_that_went_wrong_never_passes(tmp_path: Path, settings: GateSettings) -> None:
    """No rules, typos, margins that let everything through, nothing that blocks, nobody to compute it."""
    assert outcome(tmp_path, settings=settings) in (Outcome.ERROR, Outcome.FAIL)


def test_a_first_model_needs_a_limit_or_a_baseline(tmp_path: Path) -> None:
    """With nothing to compare with, nothing else was judged."""
    assert outcome(tmp_path, settings=gate(auc=non_inferior()), champion=None) is Outcome.ERROR


def test_columns_that_are_named_wrongly_are_an_error(tmp_path: Path) -> None:
    """Not passed over."""
    assert outcome(tmp_path, evaluation=replace(BINARY, group="person")) is Outcome.ERROR
    assert outcome(tmp_path, evaluation=replace(BINARY, champion="champions")) is Outcome.ERROR


def test_probabilities_out_of_range_are_an_error(tmp_path: Path) -> None:
    """A score that is no probability has no log loss."""
    rules = gate(log_loss=non_inferior("down"))
    assert outcome(tmp_path, at("prediction", 1.5), rules) is Outcome.ERROR


def test_releases_of_older_versions_are_read() -> None:
    """A plan that was written before the gate had these keys: what is left out is filled in."""
    told = json.loads(to_json(an_event(Opened(a_plan()))))
    plan = told["what"]["plan"]
    for key in ("segments", "on_inconclusive", "extend"):
        del plan["gate"][key]
    for key in ("beats", "function", "columns", "timeout"):
        del plan["gate"]["metrics"]["auc"][key]
    plan["gate"]["metrics"]["auc"]["judged_by"] = "estimate"
    del plan["evaluation"]["classes"]
    for step in plan["steps"]:
        step.pop("foresees", None)

    read = from_json(json.dumps(told)).what

    assert isinstance(read, Opened)
    rule = read.plan.gate.metrics["auc"]
    assert not rule.by_interval
    assert replace(rule, judged_by=None) == a_plan().gate.metrics["auc"]
    assert np.isclose(read.plan.gate.confidence, 0.95)
