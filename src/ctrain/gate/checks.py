"""What contradicts itself in the settings of gate and evaluation, by the place where it stands in ctrain.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from ctrain.document import Keys
from ctrain.gate.catalogue import METRICS
from ctrain.gate.problem import Problem
from ctrain.gate.rule_checks import check_margin, check_rule
from ctrain.gate.settings import EvaluationSettings, GateSettings, Segments, Slices


def check(gate: GateSettings, evaluation: EvaluationSettings) -> tuple[Problem, ...]:
    """Every problem, in the order of the file; empty where the settings can be judged by."""
    return (
        *_evaluation(evaluation),
        *_numbers(gate),
        *(problem for name, rule in gate.metrics.items() for problem in check_rule(name, rule, evaluation)),
        *(_slices(gate.slices, gate, evaluation) if gate.slices else ()),
        *_extension(gate),
        *(_segments(gate.segments, evaluation) if gate.segments else ()),
    )


def _evaluation(evaluation: EvaluationSettings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key in ("row_id", "label", "prediction", "champion", "group"):
        column = getattr(evaluation, key)
        if column is None or (key == "group" and column == evaluation.row_id):
            continue
        if column in seen:
            yield Problem(
                ("evaluation", key),
                f"{key} and {seen[column]} are the same column",
                f"both name {column!r}",
                "give each its own column",
            )
        seen.setdefault(column, key)
    if evaluation.task == "ranking" and evaluation.group is None:
        yield Problem(
            ("evaluation", "group"),
            "a ranking needs to know its queries",
            "rows are put in order within a query, and `evaluation.group` names none",
            "name the column that holds the query",
        )
    if evaluation.classes and evaluation.task != "multiclass":
        yield Problem(
            ("evaluation", "classes"),
            "classes are for multiclass models",
            f"`evaluation.task` is {evaluation.task}",
            "write `task: multiclass`, or remove them",
        )
    elif len(set(evaluation.classes)) != len(evaluation.classes) or len(evaluation.classes) == 1:
        yield Problem(
            ("evaluation", "classes"),
            "classes must be two or more, each once",
            f"they are {', '.join(evaluation.classes)}",
            "list every class that the labels may have",
        )
    if not isfinite(evaluation.threshold):
        yield Problem(
            ("evaluation", "threshold"), "threshold is no number", f"it is {evaluation.threshold}", "0.5 is usual"
        )


def _numbers(gate: GateSettings) -> Iterator[Problem]:
    if not gate.metrics:
        yield Problem(
            ("gate", "metrics"),
            "the gate has no rules",
            "a gate that checks nothing would let every model through",
            "add a metric, such as `auc: {direction: up, rule: absolute, floor: 0.7}`",
        )
    if not 0.5 < gate.confidence < 1:
        yield Problem(
            ("gate", "confidence"),
            "confidence must lie between 0.5 and 1",
            f"it is {gate.confidence}",
            "0.95 is usual",
        )
    for key, least in (("min_rows", 2), ("resamples", 200), ("seed", 0)):
        value = getattr(gate, key)
        if value < least:
            yield Problem(("gate", key), f"{key} is too small", f"it is {value}", f"{least} is the least")


def _extension(gate: GateSettings) -> Iterator[Problem]:
    triggers = [name for name in vars(gate.on_inconclusive) if gate.on_inconclusive.of(name) == "extend"]
    if triggers and gate.extend is None:
        yield Problem(
            ("gate", "on_inconclusive", triggers[0]),
            "nobody knows how to extend the evaluation",
            "`gate.extend` is missing, which names the pipeline's input that asks for more rows",
            "add it with input and value, or write `block`",
        )
    elif gate.extend is not None and not triggers:
        yield Problem(
            ("gate", "extend"),
            "extend would do nothing",
            "no trigger of `gate.on_inconclusive` says `extend`",
            "write `on_inconclusive: {main: extend}`, or remove it",
        )


def _segments(segments: Segments, evaluation: EvaluationSettings) -> Iterator[Problem]:
    at: Keys = ("gate", "segments")
    for key, least in (("most", 1), ("min_rows", 20)):
        value = getattr(segments, key)
        if value < least:
            yield Problem((*at, key), f"{key} is too small", f"it is {value}", f"{least} is the least")
    for place, column in enumerate(segments.among):
        if column in (evaluation.label, evaluation.prediction, evaluation.champion, evaluation.row_id):
            yield Problem(
                (*at, "among", place),
                f"{column!r} cannot make segments",
                "it is the label, the row id or what a model answered",
                "name columns that are known before the prediction",
            )


def _slices(slices: Slices, gate: GateSettings, evaluation: EvaluationSettings) -> Iterator[Problem]:
    at: Keys = ("gate", "slices")
    if not slices.by:
        yield Problem((*at, "by"), "slices name no column", "there is nothing to slice by", "name one, or drop it")
    taken = {evaluation.label: "label", evaluation.prediction: "prediction", evaluation.champion: "champion"}
    for place, column in enumerate(slices.by):
        if column in taken or column == evaluation.row_id:
            yield Problem(
                (*at, "by", place),
                f"{column!r} cannot be a slice",
                f"it is the {taken.get(column, 'row id')}, which says nothing on who the rows are about",
                "slice by a column that is known before the prediction",
            )
        elif column in slices.by[:place]:
            yield Problem((*at, "by", place), f"the slice {column!r} stands twice", "once is enough", "remove one")
    if slices.min_rows < 2:
        yield Problem((*at, "min_rows"), "min_rows is too small", f"it is {slices.min_rows}", "200 is usual")
    for column in slices.expect:
        if column not in slices.by:
            yield Problem(
                (*at, "expect", column),
                f"{column!r} is expected to have values, and is no slice",
                f"`gate.slices.by` names {', '.join(slices.by) or 'nothing'}",
                "name it there too, or remove it here",
            )
    compared = [METRICS[name] for name, rule in gate.metrics.items() if rule.compares and name in METRICS]
    if not any(rule.compares for rule in gate.metrics.values()):
        yield Problem(
            at,
            "slices would judge nothing",
            "they repeat the comparisons with the champion within each slice, and there is none",
            "add a metric with `rule: non_inferior`, or remove slices",
        )
    narrowest = min(compared, key=lambda metric: metric.span, default=None)
    yield from check_margin(
        (*at, "margin"), "slices" if narrowest is None else narrowest.name, slices.margin, narrowest
    )
