"""Weak segments: found where they are, measured on rows that did not choose them, and deciding nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ctrain.errors import DataError
from ctrain.gate import Categories, Evidence, judge, read_evidence
from ctrain.gate.segments import weakest
from ctrain.gate.settings import Segments
from ctrain.verdict import Outcome
from tests.gate.cases import BINARY, RANKING, gate, non_inferior, scored, searched

LOOK = Segments(min_rows=100)


def featured(rows: int = 4000, *, spoilt: bool = True, seed: int = 0) -> Evidence:
    """Age and plan; with `spoilt`, the challenger guesses for the old on the free plan."""
    generator = np.random.default_rng(seed)
    evidence = scored(rows, generator, ours=0.4, theirs=0.4)
    age, plan = generator.integers(0, 4, rows), generator.integers(0, 3, rows)
    features = {
        "age": Categories(("young", "grown", "ripe", "old"), age),
        "plan": Categories(("free", "basic", "full"), plan),
    }
    bad = (age == 3) & (plan == 0) & spoilt
    challenger = np.where(bad, generator.random(rows), evidence.challenger)
    return replace(evidence, challenger=challenger, features=features)


def test_the_weakest_segment_is_found() -> None:
    """A pair of columns, where neither alone is as weak."""
    found = weakest(LOOK, featured(), "binary", 0.5)
    assert found[0].where == "age = old, plan = free"
    assert len(found) <= LOOK.most


def test_it_is_measured_on_rows_that_did_not_choose_it() -> None:
    """About half of the segment's rows, at least as many as asked for."""
    evidence = featured()
    (first, *_) = weakest(LOOK, evidence, "binary", 0.5)
    everywhere = (evidence.features["age"].codes == 3) & (evidence.features["plan"].codes == 0)
    assert 0.35 < first.evidence.rows / everywhere.sum() < 0.65
    assert first.evidence.rows >= LOOK.min_rows


def test_where_nothing_is_weak_little_is_refused() -> None:
    """Two models of one kind: the worst of what chance shows is not held against the challenger."""
    rules = replace(gate(auc=non_inferior(margin=0.05)), segments=LOOK)
    refused = 0
    for seed in range(20):
        verdict = judge(rules, BINARY, featured(2500, spoilt=False, seed=seed), champion="m:1")
        refused += any(f.outcome is Outcome.FAIL for f in verdict.findings if f.subject.startswith("weak"))
    assert refused <= 2


def test_weak_segments_decide_nothing() -> None:
    """However bad they are."""
    rules = replace(gate(auc=non_inferior(margin=0.1)), segments=LOOK)
    verdict = judge(rules, BINARY, featured(), champion="m:1")
    weak = [finding for finding in verdict.findings if finding.subject.startswith("weak segment")]
    assert weak[0].subject == "weak segment, age = old, plan = free"
    assert weak[0].outcome is Outcome.FAIL
    assert not any(finding.blocking for finding in weak)
    assert verdict.outcome is Outcome.PASS


def test_without_a_champion_they_are_beside_the_whole() -> None:
    """The model's own metric there, and on all rows."""
    rules = replace(gate(auc=non_inferior(floor=0.6)), segments=LOOK)
    verdict = judge(rules, BINARY, replace(featured(), champion=None), champion=None)
    weak = next(finding for finding in verdict.findings if finding.subject.startswith("weak"))
    assert "on all rows" in weak.says
    assert weak.outcome is Outcome.FAIL
    assert verdict.outcome is Outcome.PASS


def test_rankings_and_rows_without_features_have_none() -> None:
    """There is nothing to look at."""
    assert weakest(LOOK, scored(500, np.random.default_rng(0)), "binary", 0.5) == ()
    rows = searched(100, np.random.default_rng(0))
    named = replace(rows, features={"a": Categories(("x",), np.zeros(1200, dtype=np.int64))})
    assert weakest(LOOK, named, "ranking", 0.5) == ()
    assert RANKING.task == "ranking"


def test_columns_become_features(tmp_path: Path) -> None:
    """Few values as they are, numbers in four, ids and what the gate uses not at all."""
    rows = pl.DataFrame(
        {
            "row_id": range(40),
            "visited": [0, 1] * 20,
            "prediction": [0.5] * 40,
            "age": [float(one) for one in range(39)] + [None],
            "plan": ["a", "b"] * 20,
            "note": [f"text {one}" for one in range(40)],
        }
    )
    for name in ("rows.parquet", "rows.csv"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        rows.write_parquet(folder / name) if name.endswith("parquet") else rows.write_csv(folder / name)
        found = read_evidence(folder / name, BINARY, segments=Segments()).features
        assert set(found) == {"age", "plan"}
        assert set(found["age"].names) == {"below 10", "10 to 19", "19 to 29", "29 or more", None}
        assert set(read_evidence(folder / name, BINARY, segments=Segments(among=("plan",))).features) == {"plan"}
        with pytest.raises(DataError, match="no column 'wealth'"):
            read_evidence(folder / name, BINARY, segments=Segments(among=("wealth",)))


def test_features_are_no_part_of_what_pins_the_evidence() -> None:
    """They decide nothing."""
    assert featured().digest == replace(featured(), features={}).digest
