"""A gate put to the test: does it refuse what is known to be bad, and how often what is as good as the champion?

The candidates are made of a real evaluation's rows and answers, so that the gate is asked about this project's data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ctrain.gate.baselines import against
from ctrain.gate.evidence import Bools, Categories, Evidence, Floats
from ctrain.gate.judgement import judge
from ctrain.gate.own import Measure
from ctrain.gate.settings import EvaluationSettings, GateSettings
from ctrain.verdict import Outcome, Verdict

TIMES = 200
"""How many equally good models are judged."""


@dataclass(frozen=True)
class Rehearsal:
    """`bad` has the verdict of each candidate that is known to be bad, by what is wrong with it.

    `equal` counts the verdicts of equally good models, and `reasons` the findings for which they did not pass;
    `compared` says whether there were two models to make them of.
    """

    rows: int
    bad: Mapping[str, Verdict]
    equal: Mapping[Outcome, int]
    reasons: Mapping[str, int]
    compared: bool

    @property
    def outcome(self) -> Outcome:
        """A pass if all bad candidates are refused; a fail if one of them passes."""
        outcomes = {verdict.outcome for verdict in self.bad.values()}
        if Outcome.PASS in outcomes:
            return Outcome.FAIL
        return Outcome.INCONCLUSIVE if Outcome.INCONCLUSIVE in outcomes else Outcome.PASS


def rehearse(
    settings: GateSettings,
    evaluation: EvaluationSettings,
    evidence: Evidence,
    *,
    logged: Mapping[str, float] | None = None,
    measure: Measure | None = None,
    times: int = TIMES,
    seed: int = 0,
) -> Rehearsal:
    """The project's own gate, as it judges a training on all the data. The same seed gives the same candidates.

    Known to be bad: answers that were shuffled among the rows, that are always the same, or turned around, each beside
    the real answers as the champion's. Equally good: rows (or groups) drawn anew from the evaluation, and of each, by
    a coin, which model gave which answers, so that neither is better. With one model only, it is judged on rows drawn
    anew, by the limits.
    """
    generator = np.random.default_rng(seed)
    real = evidence if evidence.champion is not None else _as_champion(evidence)
    bad = {
        name: judge(settings, evaluation, one, champion="the real model", logged=logged, measure=measure)
        for name, one in _known_bad(_as_champion(evidence), evaluation, generator)
    }
    compared = evidence.champion is not None
    equal: Counter[Outcome] = Counter()
    reasons: Counter[str] = Counter()
    for _ in range(times):
        drawn = drawn_anew(real if compared else evidence, generator, swap=compared)
        champion = "its twin" if compared else None
        verdict = judge(settings, evaluation, drawn, champion=champion, logged=logged, measure=measure)
        equal[verdict.outcome] += 1
        reasons.update(f.subject for f in verdict.findings if f.blocking and f.outcome is not Outcome.PASS)
    return Rehearsal(evidence.rows, bad, equal, dict(reasons.most_common(5)), compared)


def _as_champion(evidence: Evidence) -> Evidence:
    """The challenger's answers as both models'."""
    return replace(evidence, champion=evidence.challenger, champion_shares=evidence.shares)


def _known_bad(
    evidence: Evidence, evaluation: EvaluationSettings, generator: np.random.Generator
) -> Iterator[tuple[str, Evidence]]:
    shuffled = generator.permutation(evidence.rows)
    yield (
        "answers shuffled among the rows",
        _answering(evidence, evidence.challenger[shuffled], _at(evidence.shares, shuffled)),
    )
    constant = against("majority", evidence)
    if constant.champion is not None:
        yield "always the same answer", _answering(evidence, constant.champion, constant.champion_shares)
    turned, shares = evidence.challenger, evidence.shares
    match evaluation.task:
        case "multiclass":
            turned = (turned + 1) % len(evidence.classes)
            shares = None if shares is None else np.roll(shares, 1, axis=1)
        case "binary":
            turned = float(turned.max() + turned.min()) - turned
        case _:
            turned = 2 * float(turned.mean()) - turned
    yield "answers turned around", _answering(evidence, turned, shares)


def _at(shares: Floats | None, places: np.typing.NDArray[np.int64]) -> Floats | None:
    return None if shares is None else shares[places]


def _answering(evidence: Evidence, answers: Floats, shares: Floats | None) -> Evidence:
    return replace(evidence, challenger=answers, shares=shares)


def drawn_anew(evidence: Evidence, generator: np.random.Generator, *, swap: bool) -> Evidence:
    """As many rows, or groups, drawn with replacement; with `swap`, a coin for each says which model is which."""
    if evidence.group is None:
        places = generator.integers(0, evidence.rows, evidence.rows)
        unit, units = np.arange(evidence.rows), evidence.rows
    else:
        order = np.argsort(evidence.group.codes, kind="stable")
        units = len(evidence.group.names)
        many = np.bincount(evidence.group.codes, minlength=units)
        chosen = generator.integers(0, units, units)
        unit = np.repeat(np.arange(units), many[chosen])
        begins = np.cumsum(many) - many
        within = np.arange(len(unit)) - np.repeat(np.cumsum(many[chosen]) - many[chosen], many[chosen])
        places = order[begins[chosen][unit] + within]
    drawn = evidence.where(places)
    group = Categories(tuple(str(one) for one in range(units)), unit) if evidence.group else None
    drawn = replace(drawn, row_id=np.arange(len(places)), group=group)
    return _swapped(drawn, generator.random(units)[unit] < 0.5) if swap else drawn


def _swapped(evidence: Evidence, swap: Bools) -> Evidence:
    ours, theirs = evidence.challenger, evidence.champion
    if theirs is None:
        raise ValueError("there is one model only")
    made = replace(evidence, challenger=np.where(swap, theirs, ours), champion=np.where(swap, ours, theirs))
    if evidence.shares is None or evidence.champion_shares is None:
        return made
    which = swap[:, None]
    return replace(
        made,
        shares=np.where(which, evidence.champion_shares, evidence.shares),
        champion_shares=np.where(which, evidence.shares, evidence.champion_shares),
    )
