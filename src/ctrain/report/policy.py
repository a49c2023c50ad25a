"""Is the gate what it was when the champion passed it? What was loosened is said aloud, in every report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from math import inf
from typing import Literal

from ctrain.gate import EvaluationSettings, GateSettings, Rule
from ctrain.gate.settings import Extend, Margin, OnInconclusive, Segments, allowance
from ctrain.plan import Plan
from ctrain.release import Release
from ctrain.report.report import Change, PolicyChange

Effect = Literal["relaxed", "tightened", "changed"]


def policy_change(ours: Plan, before: Release | None) -> PolicyChange | None:
    """How the plan's gate differs from that release's; None where it does not, or where there is none to compare."""
    if before is None or before.plan.policy == ours.policy:
        return None
    changes = (*_gates(before.plan.gate, ours.gate), *_evaluations(before.plan.evaluation, ours.evaluation))
    return PolicyChange(before.id, changes) if changes else None


def _gates(old: GateSettings, new: GateSettings) -> Iterator[Change]:
    for name in dict.fromkeys((*old.metrics, *new.metrics)):
        yield from _rules(f"gate.metrics.{name}", old.metrics.get(name), new.metrics.get(name))
    yield from _slices(old, new)
    yield from _ordered("gate.confidence", old.confidence, new.confidence, up="tightened")
    yield from _ordered("gate.min_rows", old.min_rows, new.min_rows, up="tightened")
    yield from _same("gate.resamples", old.resamples, new.resamples)
    yield from _same("gate.seed", old.seed, new.seed)
    yield from _parts("gate.on_inconclusive", old.on_inconclusive, new.on_inconclusive)
    yield from _parts("gate.extend", old.extend, new.extend)
    yield from _parts("gate.segments", old.segments, new.segments)


def _rules(key: str, old: Rule | None, new: Rule | None) -> Iterator[Change]:
    if old is None or new is None:
        given = new or old
        advisory = given is not None and not given.blocking
        effect: Effect = "changed" if advisory else "relaxed" if new is None else "tightened"
        yield Change(key, _shown(old and old.rule), _shown(new and new.rule), effect)
        return
    yield from _same(f"{key}.direction", old.direction, new.direction)
    if old.rule != new.rule:
        yield Change(f"{key}.rule", old.rule, new.rule, _kinds(old, new))
    yield from _margins(f"{key}.margin", old.margin, new.margin, up=_up_of_margin(new))
    yield from _ordered(f"{key}.floor", old.floor, new.floor, up="tightened", none=-inf)
    yield from _ordered(f"{key}.ceiling", old.ceiling, new.ceiling, up="relaxed", none=inf)
    yield from _flag(f"{key}.blocking", old=old.blocking, new=new.blocking)
    if old.beats != new.beats:
        fewer = set(new.beats) < set(old.beats)
        more = set(new.beats) > set(old.beats)
        effect = "relaxed" if fewer else "tightened" if more else "changed"
        yield Change(f"{key}.beats", _shown(old.beats), _shown(new.beats), effect)
    for name in ("judged_by", "source", "function", "columns", "timeout"):
        yield from _same(f"{key}.{name}", getattr(old, name), getattr(new, name))


def _kinds(old: Rule, new: Rule) -> Effect:
    """By how much a rule of that kind asks of the champion's successor."""
    order = ("absolute", "non_inferior", "superior")
    if "equivalent" in (old.rule, new.rule):
        return "relaxed" if new.rule == "absolute" else "tightened" if old.rule == "absolute" else "changed"
    return "relaxed" if order.index(new.rule) < order.index(old.rule) else "tightened"


def _up_of_margin(rule: Rule) -> Effect:
    """To be better by more is harder, to be worse by more is easier."""
    return "tightened" if rule.rule == "superior" else "relaxed"


def _slices(old: GateSettings, new: GateSettings) -> Iterator[Change]:
    was, now = old.slices, new.slices
    if was is None or now is None:
        if was is not now:
            effect: Effect = "relaxed" if now is None else "tightened"
            yield Change("gate.slices", _shown(was and was.by), _shown(now and now.by), effect)
        return
    if was.by != now.by:
        effect = "relaxed" if set(was.by) - set(now.by) else "tightened" if set(now.by) - set(was.by) else "changed"
        yield Change("gate.slices.by", _shown(was.by), _shown(now.by), effect)
    yield from _margins("gate.slices.margin", was.margin, now.margin, up="relaxed")
    yield from _ordered("gate.slices.min_rows", was.min_rows, now.min_rows, up="relaxed")
    for column in dict.fromkeys((*was.expect, *now.expect)):
        before, after = was.expect.get(column, ()), now.expect.get(column, ())
        if before != after:
            effect = "relaxed" if set(before) - set(after) else "tightened"
            yield Change(f"gate.slices.expect.{column}", _shown(before), _shown(after), effect)
    if was.on_inconclusive != now.on_inconclusive:
        effect = "relaxed" if now.on_inconclusive == "advise" else "tightened"
        yield Change("gate.slices.on_inconclusive", was.on_inconclusive, now.on_inconclusive, effect)


def _evaluations(old: EvaluationSettings, new: EvaluationSettings) -> Iterator[Change]:
    yield from _parts("evaluation", old, new)


def _parts(
    key: str,
    old: EvaluationSettings | OnInconclusive | Extend | Segments | None,
    new: EvaluationSettings | OnInconclusive | Extend | Segments | None,
) -> Iterator[Change]:
    """Key by key, of settings whose change makes the gate neither easier nor harder by itself."""
    if old is None or new is None:
        yield from _same(key, old and "set", new and "set")
        return
    for one in fields(old):
        yield from _same(f"{key}.{one.name}", getattr(old, one.name), getattr(new, one.name))


def _margins(key: str, old: Margin | None, new: Margin | None, *, up: Effect) -> Iterator[Change]:
    if old == new:
        return
    before, after = allowance(old), allowance(new)
    if before.relative != after.relative and old is not None and new is not None:
        yield Change(key, _shown(old), _shown(new), "changed")
    elif before.size != after.size:
        yield Change(key, _shown(old), _shown(new), up if after.size > before.size else _other(up))


def _ordered(key: str, old: float | None, new: float | None, *, up: Effect, none: float = 0.0) -> Iterator[Change]:
    if old != new:
        grew = (none if new is None else new) > (none if old is None else old)
        yield Change(key, _shown(old), _shown(new), up if grew else _other(up))


def _flag(key: str, *, old: bool, new: bool) -> Iterator[Change]:
    if old != new:
        yield Change(key, _shown(old), _shown(new), "tightened" if new else "relaxed")


def _same(key: str, old: object, new: object) -> Iterator[Change]:
    if old != new:
        yield Change(key, _shown(old), _shown(new), "changed")


def _other(effect: Effect) -> Effect:
    return "tightened" if effect == "relaxed" else "relaxed"


def _shown(value: object) -> str:
    match value:
        case None | () | "":
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
