"""What makes two plans ask for the same work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.plan import Plan
from ctrain.training import Identity
from tests.builders import DEV, PROD, TEST, a_plan, a_version


def with_scoring_code(code: str) -> Plan:
    plan = a_plan()
    return replace(plan, steps=tuple(replace(step, code=code) if step in plan.deploys else step for step in plan.steps))


@pytest.mark.parametrize(
    "other",
    [
        a_plan(commit="0ther"),
        a_plan(parameters={"trees": 3}),
        a_plan(stages=(DEV, TEST)),
        a_plan(stages=(DEV, PROD)),
        replace(a_plan(), policy="other rules"),
        replace(a_plan(), model_output="other"),
        replace(a_plan(), identity=Identity("c0de", "e", "other data")),
        with_scoring_code("other code"),
    ],
)
def test_a_plan_that_asks_for_something_else_is_other_work(other: Plan) -> None:
    """Commit, training, rules, stages and scoring code count: an uncommitted change of one is not overlooked."""
    assert not a_plan().same_work(other)


def test_a_new_champion_makes_no_other_work() -> None:
    """It changes as a plan succeeds, and running a plan again must find its release."""
    assert a_plan().same_work(a_plan(champion=a_version()))
