"""What a fresh deployment is asked, and how its answers are judged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.serving import Answer
from ctrain.smoke import Case, Golden, cases, judge, judge_latency, read_scores, read_signature
from ctrain.verdict import Outcome

GOLDEN = Golden(("age", "plan"), ((30, "a"), (None, "b")), (0.25, 0.5))
CASE = Case("golden", b"{}", (0.25,))
BAD = Case("bad", b"{", None, "malformed")


def an_answer(body: object, *, status: int = 200, by: str | None = "green", model_status: int | None = None) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, content, 0.01, by, model_status)


def test_golden_rows_are_asked_together_and_one_by_one() -> None:
    """All at once finds what only a batch breaks, singly what only a row does."""
    asked = [case.scores for case in cases(GOLDEN) if case.kind != "malformed"]

    assert asked == [(0.25, 0.5), (0.25,), (0.5,)]


def test_a_golden_request_is_azures_payload_for_mlflow_models() -> None:
    """Columns, index and data, a missing cell as null."""
    table = json.loads(GOLDEN.body())["input_data"]

    assert table == {"columns": ["age", "plan"], "index": [0, 1], "data": [[30, "a"], [None, "b"]]}


def test_without_golden_rows_malformed_requests_are_asked_still() -> None:
    """They need no rows."""
    assert {case.kind for case in cases(None)} == {"malformed"}


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (an_answer([0.25]), Outcome.PASS, "came back"),
        (an_answer([0.25 + 1e-9]), Outcome.PASS, "came back"),
        (an_answer([0.26]), Outcome.FAIL, "differ"),
        (an_answer([0.25, 0.25]), Outcome.FAIL, "2 scores came back"),
        (an_answer([]), Outcome.FAIL, "0 scores came back"),
        (an_answer([0.25], by="blue"), Outcome.FAIL, "blue answered instead of green"),
        (an_answer(b"<html>"), Outcome.FAIL, "not JSON"),
        (an_answer(b""), Outcome.FAIL, "empty body"),
        (an_answer(b"[NaN]"), Outcome.FAIL, "not finite"),
        (an_answer(["high"]), Outcome.FAIL, "no single score"),
        (an_answer({"message": "boom"}, status=500), Outcome.FAIL, "answered 500"),
        (an_answer("quota", status=429), Outcome.FAIL, "answered 429"),
    ],
)
def test_a_golden_answer_is_right_or_wrong(answer: Answer, outcome: Outcome, words: str) -> None:
    """Only the gate's own scores, from the deployment that was asked, pass."""
    finding = judge(CASE, answer, "green", 1e-6)

    assert (finding.outcome, words in finding.says) == (outcome, True), finding.says


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (an_answer("no", status=400), Outcome.PASS),
        (an_answer("no", status=422), Outcome.PASS),
        (an_answer("no", status=424, model_status=400), Outcome.PASS),
        (an_answer("no", status=424, model_status=500), Outcome.FAIL),
        (an_answer("no", status=424), Outcome.FAIL),
        (an_answer([0.5]), Outcome.FAIL),
        (an_answer("no", status=500), Outcome.FAIL),
        (an_answer("no", status=401), Outcome.FAIL),
        (an_answer("no", status=429), Outcome.FAIL),
    ],
)
def test_a_malformed_request_must_be_refused_by_the_model(answer: Answer, outcome: Outcome) -> None:
    """With a 4xx of its own: a 5xx is a crash, and 401 or 429 say nothing of the model."""
    assert judge(BAD, answer, "green", 1e-6).outcome is outcome


@pytest.mark.parametrize(
    ("body", "scores"),
    [
        (b"[1, 0]", (1.0, 0.0)),
        (b"[[0.2], [0.7]]", (0.2, 0.7)),
        (b"[[0.8, 0.2], [0.3, 0.7]]", (0.2, 0.7)),
        (b'{"predictions": [0.2]}', (0.2,)),
        (b'[{"score": 0.2}]', (0.2,)),
        (b"[true]", (1.0,)),
    ],
)
def test_scores_are_read_from_the_usual_shapes(body: bytes, scores: tuple[float, ...]) -> None:
    """Numbers, probabilities of two classes, and single-field mappings."""
    assert read_scores(body) == scores


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_answer_makes_judging_fail(body: bytes) -> None:
    """Whatever a server sends is judged; nothing it sends is an exception."""
    assert judge(CASE, an_answer(body), "green", 1e-6).outcome in (Outcome.PASS, Outcome.FAIL)


@given(st.lists(st.floats(0.001, 10), min_size=1), st.floats(0.001, 10))
def test_latency_passes_when_95_percent_are_within_the_limit(seconds: list[float], limit: float) -> None:
    """The nearest rank: at most one in twenty may be slower."""
    finding = judge_latency("latency", seconds, 0, limit * 1000)
    slower = sum(second * 1000 > limit * 1000 for second in seconds)

    assert (finding.outcome is Outcome.PASS) == (slower <= len(seconds) * 0.05)


def test_latency_with_a_failed_request_fails() -> None:
    """Fast errors are not fast answers."""
    assert judge_latency("latency", [0.001] * 100, 1, 1000).outcome is Outcome.FAIL


def test_latency_without_requests_is_no_pass() -> None:
    """Nothing measured is nothing proven."""
    assert judge_latency("latency", [], 0, 1000).outcome is Outcome.ERROR


def test_a_signature_names_the_columns() -> None:
    """As MLflow writes it: a JSON list in a string; a tensor has none."""
    columns = json.dumps([{"type": "double", "name": "age"}, {"type": "string", "name": "plan"}])
    tensor = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 3]}}])

    assert read_signature({"signature": {"inputs": columns}}).columns == ("age", "plan")
    assert read_signature({"signature": {"inputs": tensor}}).columns == ()
    assert read_signature({}).columns == ()


@pytest.mark.parametrize("inputs", ["not json", "3", '{"name": "age"}', "[3]", "null"])
def test_a_signature_that_makes_no_sense_is_refused_in_words(inputs: str) -> None:
    """The file is the user's: whoever wrote it did not let MLflow do it."""
    with pytest.raises(ValueError, match="its signature's inputs are not"):
        read_signature({"signature": {"inputs": inputs}})
