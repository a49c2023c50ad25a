"""MLflow models without code: Azure's payloads, and words for those that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backends.local.serving.conftest import Platform

from ctrain.serving import Answer, DeploymentSpec, Request

ENDPOINT = "no-code"
ROW = [0.5, 0.1, -0.2, 0.3]
COLUMNS = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def served(shared: Platform, mlflow_model: Path) -> Iterator[Platform]:
    """The logistic regression, placed without any code."""
    shared.serving.create(ENDPOINT)
    shared.place(ENDPOINT, DeploymentSpec("model", "m", 1, "d", mlflow_model.as_uri()))
    seen = shared.look(ENDPOINT).deployments["model"]
    assert seen.healthy, seen.error
    yield shared


def ask(platform: Platform, body: object) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return platform.serving.score(ENDPOINT, Request(content, "model"))


def table(columns: list[str], *rows: list[object]) -> dict[str, object]:
    return {"input_data": {"columns": columns, "index": list(range(len(rows))), "data": list(rows)}}


def test_a_table_is_scored_row_by_row(served: Platform) -> None:
    """Split orientation, as Azure documents it; the answer is a JSON list in the rows' order."""
    answer = ask(served, table(COLUMNS, list(ROW), [-2.0, 0.1, 0.2, 0.3]))
    assert (answer.status, json.loads(answer.body)) == (200, [True, False])


def test_columns_are_found_by_name(served: Platform) -> None:
    """Their order in the request does not matter."""
    answer = ask(served, table(COLUMNS[::-1], [0.3, 0.2, 0.1, -2.0]))
    assert json.loads(answer.body) == [False]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{not json", "not JSON"),
        (b"", "not JSON"),
        (b"[1, 2]", "input_data"),
        ({"data": [ROW]}, "input_data"),
        ({"input_data": 7}, "must be a table"),
        ({"input_data": {"columns": COLUMNS, "data": [ROW]}}, "index"),
        (table(COLUMNS, [1.0, 2.0]), "shape"),
        ({"input_data": [[1.0], [1.0, 2.0]]}, "shape"),
        (table(COLUMNS[1:], ROW[1:]), "a"),  # type: ignore[arg-type]
        (table(COLUMNS, ["high", 0.1, 0.2, 0.3]), "a"),
        ({"input_data": [{"a": 1.0, "b": 1.0}]}, "signature"),
        ({"input_data": {"a": [1.0], "b": [1.0]}}, "signature"),
        ({**table(COLUMNS, ROW), "params": 7}, "params"),  # type: ignore[arg-type]
    ],
)
def test_a_request_that_is_not_for_the_model_is_refused_in_words(served: Platform, body: object, says: str) -> None:
    """400 by the model's server and a message, never its 500: the request is at fault, not the model."""
    answer = ask(served, body)
    assert answer.model_status == 400, answer
    assert says in json.loads(answer.body)["message"]
