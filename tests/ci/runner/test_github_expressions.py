"""The expression language, by GitHub's own examples and by what its runner does."""

from __future__ import annotations

import json

import pytest

from tests.ci.runner.expressions import BadExpression, Scope, evaluate, fill, holds, status_functions

SCOPE = Scope(
    {
        "github": {"ref": "refs/heads/main", "event": {"issue": {"labels": [{"name": "bug"}, {"name": "ready"}]}}},
        "inputs": {"deploy": True, "stages": '["dev", "prod"]', "empty": ""},
        "needs": {"train": {"result": "success", "outputs": {"release-id": "main-1"}}},
        "env": {"Name": "value"},
    },
    status_functions(["success"], cancelled=False),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 == '1'", True),
        ("'' == 0", True),
        ("null == false", True),
        ("'ABC' == 'abc'", True),
        ("'abc' == 0", False),
        ("'0x10' == 16", True),
        ("github.event == github.event", True),
        ("'a' < 'B'", True),
        ("!'' && 'x' || 'y'", "x"),
        ("inputs.empty || 'default'", "default"),
        ("false && 1 || 2", 2),
        ("github.nothing.at.all", None),
        ("GITHUB.REF", "refs/heads/main"),
        ("env.Name", "value"),
        ("env.name", None),
        ("needs.train.outputs.release-id", "main-1"),
        ("needs['train'].result", "success"),
        ("fromJSON(inputs.stages)[1]", "prod"),
        ("contains(github.event.issue.labels.*.name, 'BUG')", True),
        ("contains('Hello', 'ELL')", True),
        ("startsWith(github.ref, 'refs/Heads/')", True),
        ("endsWith('ctrain.yaml', '.yml')", False),
        ("format('{0}-{1} {{x}}', 'a', 2)", "a-2 {x}"),
        ("join(fromJSON(inputs.stages), '+')", "dev+prod"),
        ("toJSON(fromJSON('{\"a\":1}'))", json.dumps({"a": 1}, indent=2)),
        ("'it''s'", "it's"),
        ("1 < 2 == true", True),
        ("success() && !cancelled()", True),
        ("fromJSON(needs.train.outputs.absent || '[]')", []),
    ],
)
def test_an_expression_has_the_value_that_github_gives_it(text: str, value: object) -> None:
    """Types, coercion, precedence, functions, and names without case."""
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    "text", ["nonsense.x", "nofunction()", "1 +", "'open", "a b", "format('{1}', 2)", "${{ 1", "fromJSON('no')", "(1"]
)
def test_what_github_refuses_is_refused(text: str) -> None:
    """An unknown context or function, and bad grammar."""
    with pytest.raises(BadExpression):
        fill(text, SCOPE) if text.startswith("$") else evaluate(text, SCOPE)


@pytest.mark.parametrize(
    ("condition", "results", "cancelled", "runs"),
    [
        ("success()", ["success"], False, True),
        ("github.ref == 'refs/heads/main'", ["failure"], False, False),
        ("${{ github.ref == 'refs/heads/main' }}", ["success"], False, True),
        ("failure() || cancelled()", ["failure"], False, True),
        ("failure()", ["skipped"], False, False),
        ("always()", ["failure"], True, True),
        ("!cancelled()", ["failure"], False, True),
        ("!cancelled()", ["success"], True, False),
        ("success()", ["skipped"], False, False),
        ("contains('failure()', 'x')", ["failure"], False, False),
        (True, ["failure"], False, False),
    ],
)
def test_a_condition_without_a_status_function_asks_for_success(
    condition: object, results: list[str], cancelled: bool, runs: bool
) -> None:
    """And a skipped ancestor is no success."""
    assert holds(condition, Scope(SCOPE.contexts, status_functions(results, cancelled=cancelled))) is runs


def test_a_condition_that_is_a_text_is_refused() -> None:
    """`if: ${{ a }} == b` is always true on GitHub: nobody means that."""
    with pytest.raises(BadExpression, match="always true"):
        holds("${{ github.ref }} == 'refs/heads/other'", SCOPE)


def test_a_value_stays_what_it_is_only_where_it_stands_alone() -> None:
    """In a text, it becomes text, and nothing in it is read again."""
    assert fill("${{ inputs.deploy }}", SCOPE) is True
    assert fill("x ${{ inputs.deploy }} ${{ '}}' }}", SCOPE) == "x true }}"
    assert fill("${{ '${{ github.ref }' }}", SCOPE) == "${{ github.ref }"
