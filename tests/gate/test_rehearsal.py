"""The gate put to the test: known-bad candidates are refused, equally good ones are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctrain.gate import EvaluationSettings, Evidence, Rule
from ctrain.gate.rehearsal import drawn_anew, rehearse
from ctrain.verdict import Outcome
from tests.gate.cases import (
    BINARY,
    MULTICLASS,
    RANKING,
    REGRESSION,
    classified,
    gate,
    measured,
    non_inferior,
    scored,
    searched,
)

GENERATOR = np.random.default_rng


def test_a_sound_gate_refuses_what_is_bad_and_seldom_what_is_good() -> None:
    """Each known-bad candidate fails; a twin is hardly ever refused."""
    found = rehearse(gate(auc=non_inferior(margin=0.05)), BINARY, scored(1500, GENERATOR(0), ours=0.5), times=40)
    assert found.outcome is Outcome.PASS
    assert set(found.bad) == {
        "answers shuffled among the rows",
        "always the same answer",
        "answers turned around",
    }
    assert sum(found.equal.values()) == 40
    assert found.equal[Outcome.PASS] >= 34


def test_a_gate_that_lets_everything_through_is_found_out() -> None:
    """A ceiling so high that a guess takes it, and nothing else."""
    lax = gate(brier=Rule(direction="down", rule="absolute", ceiling=0.9))
    assert rehearse(lax, BINARY, scored(800, GENERATOR(0)), times=2).outcome is Outcome.FAIL


def test_too_few_rows_to_tell_are_said() -> None:
    """Bad candidates are not shown to be bad; that is no pass of the gate."""
    found = rehearse(gate(auc=non_inferior()), BINARY, scored(60, GENERATOR(0)), times=2)
    assert found.outcome is Outcome.INCONCLUSIVE


def test_twins_are_refused_as_often_as_the_gate_promises() -> None:
    """Superior to itself by luck: a rule without a margin passes a twin in 2.5% of cases, of two sides 5%."""
    asks = gate(accuracy=Rule(direction="up", rule="superior"))
    found = rehearse(asks, BINARY, scored(500, GENERATOR(3), ours=0.6), times=300)
    assert found.equal.get(Outcome.PASS, 0) / 300 < 0.06
    assert found.reasons["accuracy against the champion"] > 280


@pytest.mark.parametrize(
    ("evidence", "evaluation", "metric", "margin"),
    [
        (classified(900, GENERATOR(0)), MULTICLASS, "f1_macro", 0.1),
        (classified(900, GENERATOR(0)), MULTICLASS, "log_loss", 0.1),
        (measured(500, GENERATOR(0)), REGRESSION, "mae", 0.3),
        (searched(150, GENERATOR(0)), RANKING, "ndcg", 0.05),
    ],
    ids=["classes", "probabilities", "regression", "ranking"],
)
def test_every_kind_of_task_can_be_rehearsed(
    evidence: Evidence, evaluation: EvaluationSettings, metric: str, margin: float
) -> None:
    """What is bad is refused in each."""
    rule = non_inferior("down" if metric in ("mae", "log_loss") else "up", margin=margin)
    found = rehearse(replace(gate(), metrics={metric: rule}), evaluation, evidence, times=5)
    assert found.outcome is Outcome.PASS, {name: one.findings[0].says for name, one in found.bad.items()}


def test_one_model_alone_is_judged_by_its_limits() -> None:
    """Before there is a champion: rows drawn anew, the floor decides."""
    alone = replace(scored(800, GENERATOR(0)), champion=None)
    found = rehearse(gate(auc=non_inferior(floor=0.6)), BINARY, alone, times=10)
    assert not found.compared
    assert found.equal[Outcome.PASS] == 10
    assert found.outcome is Outcome.PASS


def test_groups_are_drawn_as_wholes() -> None:
    """All rows of a drawn group come, with their labels; a group drawn twice is two groups."""
    evidence = scored(300, GENERATOR(0), groups=30)
    assert evidence.group is not None
    drawn = drawn_anew(evidence, GENERATOR(1), swap=True)
    assert drawn.group is not None
    sizes = np.bincount(evidence.group.codes)
    labels = np.bincount(evidence.group.codes, weights=evidence.label)
    known = set(zip(sizes.tolist(), labels.tolist(), strict=True))
    made = zip(
        np.bincount(drawn.group.codes).tolist(),
        np.bincount(drawn.group.codes, weights=drawn.label).tolist(),
        strict=True,
    )
    assert set(made) <= known
    assert drawn.units == 30
    assert len(np.unique(drawn.row_id)) == drawn.rows


def test_the_same_seed_rehearses_the_same() -> None:
    """CI hears the same each time."""
    rows = scored(400, GENERATOR(0))
    first, second = (rehearse(gate(auc=non_inferior()), BINARY, rows, times=5, seed=4) for _ in range(2))
    assert (first.bad, first.equal) == (second.bad, second.equal)
