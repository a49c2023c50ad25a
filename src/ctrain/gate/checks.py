"""What contradicts itself in the settings of gate and evaluation, by the place where it stands in ctrain.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from ctrain.document import Keys, nearest
from ctrain.gate.catalogue import METRICS, Metric
from ctrain.gate.settings import EvaluationSettings, GateSettings, Rule, Slices


@dataclass(frozen=True)
class Problem:
    """`keys` lead from the root of ctrain.yaml to the value at fault, e.g. `("gate", "metrics", "auc", "margin")`."""

    keys: Keys
    what: str
    why: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why} ({self.hint})"


def check(gate: GateSettings, evaluation: EvaluationSettings) -> tuple[Problem, ...]:
    """Every problem, in the order of the file; empty where the settings can be judged by."""
    return (
        *_evaluation(evaluation),
        *_numbers(gate),
        *(problem for name, rule in gate.metrics.items() for problem in _rule(name, rule, evaluation)),
        *(_slices(gate.slices, gate, evaluation) if gate.slices else ()),
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


def _rule(name: str, rule: Rule, evaluation: EvaluationSettings) -> Iterator[Problem]:
    at: Keys = ("gate", "metrics", name)
    if rule.source == "logged":
        yield from _kind(at, name, rule)
        yield from _limits(at, name, rule, None)
        return
    metric = METRICS.get(name)
    if metric is None:
        meant = nearest(name, METRICS)
        yield Problem(
            at,
            f"there is no metric {name!r}",
            f"the gate computes {', '.join(METRICS)}",
            f"did you mean {meant!r}?" if meant else "use one of these, or `source: logged` for one that is logged",
        )
        return
    if metric.task != evaluation.task:
        yield Problem(
            at,
            f"{name} does not suit this task",
            f"it is for {metric.task} models, and `evaluation.task` is {evaluation.task}",
            f"use one of {', '.join(m.name for m in METRICS.values() if m.task == evaluation.task)}",
        )
    if metric.direction != rule.direction:
        better = "higher" if metric.direction == "up" else "lower"
        yield Problem(
            (*at, "direction"),
            f"{name} does not go {rule.direction}",
            f"a {better} {name} is better",
            f"write `direction: {metric.direction}`",
        )
    yield from _kind(at, name, rule)
    yield from _limits(at, name, rule, metric)


def _kind(at: Keys, name: str, rule: Rule) -> Iterator[Problem]:
    """What `rule` needs and excludes."""
    if rule.source == "logged" and (rule.rule != "absolute" or rule.judged_by != "estimate"):
        yield Problem(
            (*at, "rule" if rule.rule != "absolute" else "judged_by"),
            f"{name} is logged, so only its value can be judged",
            "a logged number has no rows, so there is neither a paired comparison nor an interval",
            "write `rule: absolute` and `judged_by: estimate`, or let the gate compute it",
        )
    elif rule.rule == "non_inferior" and rule.margin is None:
        yield Problem(
            (*at, "rule"),
            f"{name} has no margin",
            "non_inferior asks how much worse than the champion is still good enough",
            "add a margin, such as `margin: 0.005`",
        )
    elif rule.rule == "absolute" and rule.margin is not None:
        yield Problem(
            (*at, "margin"),
            f"the margin of {name} would do nothing",
            "rule absolute does not compare with the champion",
            "write `rule: non_inferior`, or remove the margin",
        )
    if rule.rule == "absolute" and rule.floor is None and rule.ceiling is None:
        limit = "floor" if rule.direction == "up" else "ceiling"
        yield Problem(
            (*at, "rule"),
            f"{name} has no {limit}",
            "rule absolute compares with nothing else",
            f"add a {limit}, or write `rule: non_inferior`",
        )


def _limits(at: Keys, name: str, rule: Rule, metric: Metric | None) -> Iterator[Problem]:
    wrong, right = ("ceiling", "floor") if rule.direction == "up" else ("floor", "ceiling")
    if getattr(rule, wrong) is not None:
        yield Problem(
            (*at, wrong),
            f"{name} cannot have a {wrong}",
            f"its direction is {rule.direction}, so a {wrong} would refuse the better models",
            f"write {right}",
        )
    for key in ("floor", "ceiling"):
        value = getattr(rule, key)
        if value is None:
            continue
        if not isfinite(value):
            yield Problem((*at, key), f"the {key} of {name} is no number", f"it is {value}", "write a plain number")
        elif metric and not metric.low <= value <= metric.high:
            yield Problem(
                (*at, key),
                f"{name} can never be {value:g}",
                f"it lies between {metric.low:g} and {metric.high:g}",
                f"correct the {key}",
            )
    if rule.margin is not None:
        yield from _margin((*at, "margin"), name, rule.margin, metric)


def _margin(at: Keys, name: str, margin: float, metric: Metric | None) -> Iterator[Problem]:
    if not isfinite(margin) or margin < 0:
        yield Problem(at, f"the margin of {name} must be zero or more", f"it is {margin}", "0.005 is usual for auc")
    elif metric and margin >= metric.span:
        yield Problem(
            at,
            f"the margin of {name} lets everything through",
            f"it is {margin:g}, and {name} lies between {metric.low:g} and {metric.high:g}",
            "a margin is a difference in the metric's own unit, such as 0.005",
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
    compared = [METRICS[name] for name, rule in gate.metrics.items() if rule.rule == "non_inferior" and name in METRICS]
    if not compared:
        yield Problem(
            at,
            "slices would judge nothing",
            "they repeat the non_inferior rules within each slice, and there is none",
            "add a metric with `rule: non_inferior`, or remove slices",
        )
    narrowest = min(compared, key=lambda metric: metric.span, default=None)
    yield from _margin((*at, "margin"), "slices" if narrowest is None else narrowest.name, slices.margin, narrowest)
