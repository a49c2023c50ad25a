"""What contradicts itself in one metric's rule, by the place where it stands in ctrain.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from ctrain.document import Keys, nearest
from ctrain.gate.catalogue import BASELINES, METRICS, Metric, suiting
from ctrain.gate.problem import Problem
from ctrain.gate.settings import EvaluationSettings, Margin, Rule, allowance

_FUNCTION = re.compile(r"[^:\s]+\.py:[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 3600.0


def check_rule(name: str, rule: Rule, evaluation: EvaluationSettings) -> Iterator[Problem]:
    """What contradicts itself in one rule."""
    at: Keys = ("gate", "metrics", name)
    if rule.function is not None or rule.source == "logged":
        yield from _own(at, name, rule) if rule.function is not None else ()
        yield from _kind(at, name, rule)
        yield from _baselines(at, name, rule, evaluation) if rule.function is not None else ()
        yield from _limits(at, name, rule, None)
        return
    if rule.columns:
        yield Problem(
            (*at, "columns"), f"the columns of {name} would do nothing", "only a `function` reads them", "remove them"
        )
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
    if evaluation.task not in metric.tasks:
        yield Problem(
            at,
            f"{name} does not suit this task",
            f"it is for {' and '.join(metric.tasks)} models, and `evaluation.task` is {evaluation.task}",
            f"use one of {', '.join(suiting(evaluation.task))}",
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
    yield from _baselines(at, name, rule, evaluation)
    yield from _limits(at, name, rule, metric)


def _kind(at: Keys, name: str, rule: Rule) -> Iterator[Problem]:
    """What `rule` needs and excludes."""
    if rule.source == "logged" and (rule.compares or rule.judged_by == "interval" or rule.beats):
        key = "rule" if rule.compares else "judged_by" if rule.judged_by == "interval" else "beats"
        yield Problem(
            (*at, key),
            f"{name} is logged, so only its value can be judged",
            "a logged number has no rows, so there is neither a paired comparison nor an interval",
            "write `rule: absolute` and `judged_by: estimate`, or let the gate compute it",
        )
    elif rule.rule in ("non_inferior", "equivalent") and rule.margin is None:
        asks = "how much worse than the champion is" if rule.rule == "non_inferior" else "how large a change is"
        yield Problem(
            (*at, "rule"),
            f"{name} has no margin",
            f"{rule.rule} asks {asks} still good enough",
            "add a margin, such as `margin: 0.005`",
        )
    elif rule.rule == "absolute" and rule.margin is not None:
        yield Problem(
            (*at, "margin"),
            f"the margin of {name} would do nothing",
            "rule absolute does not compare with the champion",
            "write `rule: non_inferior`, or remove the margin",
        )
    if rule.rule == "absolute" and rule.floor is None and rule.ceiling is None and not rule.beats:
        limit = "floor" if rule.direction == "up" else "ceiling"
        yield Problem(
            (*at, "rule"),
            f"{name} has no {limit}",
            "rule absolute compares with nothing else",
            f"add a {limit}, or write `rule: non_inferior`",
        )
    if rule.judged_by is not None and rule.floor is None and rule.ceiling is None:
        yield Problem(
            (*at, "judged_by"),
            f"judged_by of {name} would do nothing",
            "it says how a limit is judged, and there is none",
            f"add a {'floor' if rule.direction == 'up' else 'ceiling'}, or remove it",
        )


def _own(at: Keys, name: str, rule: Rule) -> Iterator[Problem]:
    """What a project's own metric needs."""
    if not _FUNCTION.fullmatch(rule.function or ""):
        yield Problem(
            (*at, "function"),
            f"the function of {name} cannot be read",
            f"it is {str(rule.function)[:60]!r}",
            "write file and function, such as `metrics/profit.py:profit`, from this file's folder",
        )
    if name in METRICS:
        yield Problem(
            at, f"{name} is a metric of the gate's own", "another function cannot take its name", "choose another name"
        )
    if rule.source == "logged":
        yield Problem((*at, "source"), f"{name} is logged or computed, not both", "it has a function", "remove one")
    for place, column in enumerate(rule.columns):
        if not column.isidentifier() or column in ("label", "prediction"):
            yield Problem(
                (*at, "columns", place),
                f"{column!r} cannot be an argument of {name}",
                "columns are passed by name, beside label and prediction",
                "name a column that is a Python name",
            )
    if not 0 < rule.timeout <= _LONGEST:
        yield Problem(
            (*at, "timeout"), f"the timeout of {name} is out of bounds", f"it is {rule.timeout}", "up to 3600 seconds"
        )


def _baselines(at: Keys, name: str, rule: Rule, evaluation: EvaluationSettings) -> Iterator[Problem]:
    for place, baseline in enumerate(rule.beats):
        known = [one for one, tasks in BASELINES.items() if evaluation.task in tasks]
        if baseline not in known:
            yield Problem(
                (*at, "beats", place),
                f"{name} cannot be held against always the {baseline}",
                f"it is for {', '.join(BASELINES[baseline])} models, and `evaluation.task` is {evaluation.task}",
                f"use {' or '.join(known)}" if known else "remove it",
            )
        elif baseline in rule.beats[:place]:
            yield Problem((*at, "beats", place), f"{baseline} stands twice", "once is enough", "remove one")


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
        yield from check_margin((*at, "margin"), name, rule.margin, metric)
        if rule.rule == "equivalent" and rule.margin in (0, "0%"):
            yield Problem(
                (*at, "margin"),
                f"the margin of {name} lets nothing through",
                "no interval is as narrow as nothing",
                "allow some change, such as `margin: 0.005`",
            )


def check_margin(at: Keys, name: str, margin: Margin, metric: Metric | None) -> Iterator[Problem]:
    """What is wrong with a margin of this metric."""
    try:
        size = allowance(margin)
    except ValueError:
        yield Problem(
            at,
            f"the margin of {name} cannot be read",
            f"it is {str(margin)[:40]!r}",
            "write a number in the metric's own unit, such as 0.005, or a share of the champion's, such as \"2%\"",
        )
        return
    if not isfinite(size.size) or size.size < 0:
        yield Problem(at, f"the margin of {name} must be zero or more", f"it is {margin}", "0.005 is usual for auc")
    elif size.relative and size.size >= 1:
        yield Problem(
            at,
            f"the margin of {name} lets everything through",
            f"it is {margin} of the champion's",
            "a relative margin is a small share, such as 2%",
        )
    elif metric and not size.relative and size.size >= metric.span:
        yield Problem(
            at,
            f"the margin of {name} lets everything through",
            f"it is {margin:g}, and {name} lies between {metric.low:g} and {metric.high:g}",
            "a margin is a difference in the metric's own unit, such as 0.005",
        )
