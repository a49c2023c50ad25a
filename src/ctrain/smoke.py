"""What to ask a fresh deployment, and judging its answers.

The questions come from the gate: a golden request holds rows that the gate scored, and the deployment must give
back the same scores, so that a difference between training and serving shows before any user meets it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ctrain.serving import Answer
from ctrain.training import Scalar
from ctrain.verdict import Finding, Outcome

Cell = Scalar | None


@dataclass(frozen=True)
class Load:
    """Requests for so many seconds by so many clients at once; their 95th percentile must stay under `p95_ms`."""

    seconds: float
    concurrency: int
    p95_ms: float

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose


@dataclass(frozen=True)
class SmokeSettings:
    """`golden` rows are asked one by one and all at once; scores agree within `tolerance`, absolute and relative.

    `golden: 0` leaves them out, for models whose rows cannot be rebuilt from the evaluation rows. `p95_ms` limits
    the 95th percentile of the single-row requests.
    """

    golden: int = 20
    tolerance: float = 1e-6
    p95_ms: float | None = None
    load: Load | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose


@dataclass(frozen=True)
class Golden:
    """Rows that the gate scored: `rows[i]` holds the cells of `columns`, `scores[i]` the prediction."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    scores: tuple[float, ...]

    def body(self, first: int = 0, last: int | None = None) -> bytes:
        """The payload that Azure's no-code deployments of MLflow models take, for a slice of the rows.

        Source: "Deploy MLflow models to online endpoints", Microsoft Learn, section on payload formats.
        """
        rows = self.rows[first:last]
        table = {"columns": self.columns, "index": list(range(len(rows))), "data": rows}
        return json.dumps({"input_data": table}).encode()


@dataclass(frozen=True)
class Case:
    """One request and what must come back: these scores, or (where None) a refusal with a 4xx status."""

    name: str
    body: bytes
    scores: tuple[float, ...] | None
    kind: Literal["golden", "row", "malformed"] = "golden"


def cases(golden: Golden | None) -> tuple[Case, ...]:
    """All questions for a deployment: golden rows singly and together, then requests that make no sense."""
    asked: list[Case] = []
    if golden is not None and golden.rows:
        asked.append(Case(f"{len(golden.rows)} golden rows at once", golden.body(), golden.scores))
        asked.extend(
            Case(f"golden row {place + 1}", golden.body(place, place + 1), (score,), "row")
            for place, score in enumerate(golden.scores)
        )
    asked.append(Case("a body that is not JSON", b"{not json", None, "malformed"))
    asked.append(Case("a JSON body without data", b'{"unexpected": 1}', None, "malformed"))
    if golden is not None and golden.rows and len(golden.columns) > 1:
        short = Golden(golden.columns[1:], tuple(row[1:] for row in golden.rows[:1]), golden.scores[:1])
        asked.append(Case(f"a row without {golden.columns[0]!r}", short.body(), None, "malformed"))
    return tuple(asked)


def judge(case: Case, answer: Answer, deployment: str, tolerance: float) -> Finding:
    """Whether this answer, from that deployment, is right."""
    if answer.deployment is not None and answer.deployment != deployment:
        return Finding(case.name, Outcome.FAIL, f"{answer.deployment} answered instead of {deployment}")
    if case.scores is None:
        return _refused(case.name, answer)
    if answer.status != 200:
        return Finding(case.name, Outcome.FAIL, f"answered {answer.status}: {_excerpt(answer.body)}")
    try:
        scores = read_scores(answer.body)
    except ValueError as problem:
        return Finding(case.name, Outcome.FAIL, str(problem))
    return _compare(case.name, case.scores, scores, tolerance)


def one_by_one(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings over single golden rows: in one where all is well, else those that are not."""
    wrong = tuple(finding for finding in findings if finding.outcome is not Outcome.PASS)
    if wrong or not findings:
        return wrong
    return (Finding(f"{len(findings)} golden rows one by one", Outcome.PASS, findings[0].says),)


_NOT_THE_MODELS = (401, 403, 404, 408, 424, 429)
"""Statuses that the front door gives by itself: they say nothing of how the model takes a bad request."""


def _refused(name: str, answer: Answer) -> Finding:
    status = answer.model_status or answer.status
    if 400 <= status < 500 and status not in _NOT_THE_MODELS:
        return Finding(name, Outcome.PASS, f"refused with {status}")
    says = f"the model must refuse it with a 4xx, and answered {status}: {_excerpt(answer.body)}"
    return Finding(name, Outcome.FAIL, says)


def _compare(name: str, expected: Sequence[float], scores: Sequence[float], tolerance: float) -> Finding:
    if len(scores) != len(expected):
        return Finding(name, Outcome.FAIL, f"{len(expected)} rows asked, {len(scores)} scores came back")
    wrong = [
        (want, got)
        for want, got in zip(expected, scores, strict=True)
        if not math.isclose(want, got, rel_tol=tolerance, abs_tol=tolerance)
    ]
    if wrong:
        want, got = wrong[0]
        says = f"{len(wrong)} of {len(expected)} scores differ from the gate's, e.g. {got:.9g} for {want:.9g}"
        return Finding(name, Outcome.FAIL, says)
    return Finding(name, Outcome.PASS, f"the gate's scores came back, within {tolerance:g}")


def judge_latency(name: str, seconds: Sequence[float], failures: int, p95_ms: float) -> Finding:
    """The nearest-rank 95th percentile of these round trips against a limit; a failed request fails it."""
    if not seconds:
        return Finding(name, Outcome.ERROR, "no request was answered, so nothing was measured")
    rank = math.ceil(0.95 * len(seconds)) - 1
    p95 = 1000 * sorted(seconds)[rank]
    measured = {"p95_ms": p95, "limit_ms": p95_ms, "requests": float(len(seconds)), "failures": float(failures)}
    if failures:
        says = f"{failures} of {len(seconds)} requests failed"
        return Finding(name, Outcome.FAIL, says, measured=measured)
    says = f"95% of {len(seconds)} requests within {p95:.0f} ms; the limit is {p95_ms:g} ms"
    return Finding(name, Outcome.PASS if p95 <= p95_ms else Outcome.FAIL, says, measured=measured)


def read_scores(body: bytes) -> tuple[float, ...]:
    """One number a row out of a scoring answer.

    A row may be a number, a list of one, the two probabilities of a binary classifier (the second is taken), or a
    mapping with one number. Raises ValueError, in words, for anything else.
    """
    try:
        rows = json.loads(body)
    except ValueError:
        raise ValueError(f"the answer is not JSON: {_excerpt(body)}") from None
    if isinstance(rows, Mapping) and len(rows) == 1:
        rows = next(iter(rows.values()))
    if not isinstance(rows, list):
        raise ValueError(f"the answer is not a list of scores: {_excerpt(body)}")  # noqa: TRY004  its value is wrong
    return tuple(_score(row) for row in rows)


def _score(row: object) -> float:
    match row:
        case bool() | int() | float():
            score = float(row)
        case [bool() | int() | float() as only]:
            score = float(only)
        case [int() | float(), int() | float() as positive]:
            score = float(positive)
        case {**fields} if len(fields) == 1:
            return _score(next(iter(fields.values())))
        case _:
            raise ValueError(f"no single score can be read from the row {json.dumps(row)[:80]}")
    if not math.isfinite(score):
        raise ValueError(f"the answer holds a score that is not finite: {score}")
    return score


def _excerpt(body: bytes) -> str:
    text = body[:200].decode("utf-8", "replace").strip()
    return text or "an empty body"


@dataclass(frozen=True)
class Signature:
    """The input columns of an MLflow model's signature, in order; none for a tensor or an absent signature."""

    columns: tuple[str, ...] = field(default=())


def read_signature(mlmodel: Mapping[str, object]) -> Signature:
    """The signature in an `MLmodel` file that was read as YAML.

    Source: "MLflow Model Signatures", mlflow.org: `signature.inputs` is a JSON list of column specifications.
    Raises ValueError, in words, for one that is not.
    """
    match mlmodel.get("signature"):
        case {"inputs": str() as inputs}:
            pass
        case _:
            return Signature()
    try:
        columns = json.loads(inputs)
    except ValueError:
        raise ValueError(f"its signature's inputs are not JSON: {inputs[:80]}") from None
    if not isinstance(columns, list) or not all(isinstance(column, Mapping) for column in columns):
        raise ValueError(f"its signature's inputs are not a list of columns: {inputs[:80]}")
    return Signature(tuple(str(column["name"]) for column in columns if "name" in column))
