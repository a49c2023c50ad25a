"""The rules of a project, over the evidence, to a verdict.

Nothing passes by default. Settings that contradict themselves, rows that cannot be judged, a metric that does not exist
on them, a champion without predictions: each is an `error` finding; too few rows is `inconclusive`; and where no
blocking rule is left to judge, that is an `error` of its own.

All blocking rules must pass, so that the chance to pass a model that breaks one of them is at most that rule's own
(Berger's intersection-union test, 1982). That any of many rules refuses a good model by chance is guarded against: see
`multiplicity`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ctrain.document import nearest
from ctrain.errors import DataError
from ctrain.gate import rules
from ctrain.gate.baselines import against
from ctrain.gate.catalogue import METRICS
from ctrain.gate.checks import check
from ctrain.gate.evidence import Evidence
from ctrain.gate.intervals import Statistics, compare, estimate, near_zero
from ctrain.gate.multiplicity import Refuses, benjamini_hochberg, holm
from ctrain.gate.obstacles import Obstacle, few_units, obstacle
from ctrain.gate.own import Asked, Given, Measure, own_difference, own_estimate
from ctrain.gate.phrases import Basis
from ctrain.gate.rules import Claim, Comparison, Limit
from ctrain.gate.segments import weakest
from ctrain.gate.settings import Allowance, Baseline, EvaluationSettings, GateSettings, Kind, Rule, Slices, allowance
from ctrain.gate.slicing import Part, parts
from ctrain.verdict import Finding, Outcome, Verdict

_NOTHING = 1e-9

Believed = Callable[[Sequence[Refuses], float], frozenset[int]]


def judge(
    settings: GateSettings,
    evaluation: EvaluationSettings,
    evidence: Evidence,
    *,
    champion: str | None,
    logged: Mapping[str, float] | None = None,
    comparable: bool = True,
    measure: Measure | None = None,
) -> Verdict:
    """One finding for each rule's part, and for each slice.

    `champion` names the champion, None where there is none yet: then only limits and baselines are judged. `logged`
    holds what the training logged, for rules with `source: logged`. `comparable=False` (a sample was trained on, the
    champion saw everything) makes comparisons advisory. `measure` computes the project's own metrics.
    """
    problems = check(settings, evaluation)
    if problems:
        return Verdict(tuple(Finding(".".join(map(str, p.keys)), Outcome.ERROR, str(p)) for p in problems))
    if not _sound(evidence):
        return Verdict(
            (Finding("evaluation", Outcome.ERROR, "the rows are none, or hold numbers that are not finite"),)
        )
    case = _Case(settings, evaluation, evidence, champion, logged or {}, comparable, measure)
    findings = _resolved(list(case.rules()), case.tail, holm) + _resolved(
        list(case.slices()), case.tail, benjamini_hochberg, advise=case.advises
    )
    findings += _resolved(list(case.segments()), case.tail, benjamini_hochberg)
    if not any(finding.blocking for finding in findings):
        findings = (*findings, Finding("gate", Outcome.ERROR, case.why_nothing_blocks()))
    return Verdict(findings, tuple(case.notes()))


def _sound(evidence: Evidence) -> bool:
    models = (evidence.challenger, evidence.champion, evidence.shares, evidence.champion_shares)
    numbers = [evidence.label, *(part for part in models if part is not None)]
    return evidence.rows > 0 and all(bool(np.isfinite(column).all()) for column in numbers)


def _resolved(
    asked: Sequence[Claim | Finding], tail: float, believed: Believed, *, advise: bool = False
) -> tuple[Finding, ...]:
    """Claims become findings, once it is known which refusals stand among all that block."""
    family = {place: one for place, one in enumerate(asked) if not isinstance(one, Finding) and one.blocking}
    chosen = believed([claim.refused for claim in family.values()], tail)
    stands = {place for number, place in enumerate(family) if number in chosen}
    findings = []
    for place, one in enumerate(asked):
        finding = one if isinstance(one, Finding) else one.finding(stands=place in stands or not one.blocking)
        idle = advise and finding.outcome is Outcome.INCONCLUSIVE and not isinstance(one, Finding)
        findings.append(replace(finding, blocking=False) if idle else finding)
    return tuple(findings)


@dataclass(frozen=True)
class _Case:
    settings: GateSettings
    evaluation: EvaluationSettings
    evidence: Evidence
    champion: str | None
    logged: Mapping[str, float]
    comparable: bool
    measure: Measure | None

    @property
    def tail(self) -> float:
        return (1 - self.settings.confidence) / 2

    @property
    def advises(self) -> bool:
        """Whether slices that could not be decided only advise."""
        return self.settings.slices is not None and self.settings.slices.on_inconclusive == "advise"

    @cached_property
    def compared(self) -> Mapping[str, Rule]:
        """The rules that need the champion."""
        return {name: rule for name, rule in self.settings.metrics.items() if rule.compares}

    def rules(self) -> Iterator[Claim | Finding]:
        for name, rule in self.settings.metrics.items():
            if rule.floor is not None or rule.ceiling is not None:
                yield self.logged_limit(name, rule) if rule.source == "logged" else self.limit(name, rule)
            for baseline in rule.beats:
                yield self.against_baseline(name, rule, baseline)
            if rule.compares and self.champion is not None:
                yield self.against_champion(name, rule)

    def slices(self) -> Iterator[Claim | Finding]:
        if self.settings.slices is None:
            return
        asked = self.comparable and any(rule.blocking for rule in self.compared.values())
        for part in parts(self.settings.slices, self.evidence, self.evaluation.task, blocking=asked):
            if isinstance(part, Finding):
                yield part
            elif self.champion is not None and self.evidence.champion is not None:
                yield from (self.slice(name, rule, part, self.settings.slices) for name, rule in self.compared.items())

    def segments(self) -> Iterator[Claim | Finding]:
        """The weakest segments by the first rule that compares (or, without a champion, has a metric). Advisory."""
        wanted, compared = self.settings.segments, self.champion is not None and self.evidence.champion is not None
        names = [
            name for name, rule in self.settings.metrics.items() if rule.source == "rows" and rule.function is None
        ]
        first = next((name for name in names if name in self.compared), None) if compared else next(iter(names), None)
        if wanted is None or first is None:
            return
        rule = self.settings.metrics[first]
        rows = self.evidence if compared else replace(self.evidence, champion=None, champion_shares=None)
        for segment in weakest(wanted, rows, self.evaluation.task, self.evaluation.threshold):
            subject = f"weak segment, {segment.where}"
            found = self.found(first, segment.evidence)
            if found:
                yield Finding(subject, Outcome.INCONCLUSIVE, found.says, blocking=False)
            elif compared:
                margin = allowance(self.settings.slices.margin if self.settings.slices else rule.margin)
                yield self.compare(subject, first, segment.evidence, "non_inferior", margin, blocking=False)
            else:
                seen = estimate(first, segment.evidence, self.statistics(subject))
                whole = estimate(first, rows, self.statistics(subject)).value
                yield rules.beside_the_whole(subject, first, seen, whole, self.basis(segment.evidence))

    def notes(self) -> Iterator[str]:
        if not self.compared:
            return
        if self.champion is None:
            slices = ", nor slices judged" if self.settings.slices else ""
            yield (
                f"no champion yet: {', '.join(self.compared)} could not be compared{slices}; "
                "only floors, ceilings and baselines count"
            )
        elif not self.comparable:
            yield (
                f"compared with {self.champion} for information only: it was trained on all the data, "
                "the challenger on a sample"
            )
        else:
            yield f"compared with {self.champion}, on the same rows"
        if self.evidence.same_answers:
            yield (
                "both models answered the same on every row: either nothing has changed, "
                "or the evaluation step scored one of them twice"
            )

    def why_nothing_blocks(self) -> str:
        add = "add a floor or a ceiling to a blocking metric, such as `floor: 0.7` for auc"
        if self.champion is None:
            return f"there is no champion to compare with, and no blocking limit to keep: {add}"
        if not self.comparable:
            return f"a challenger trained on a sample is not held against the champion, and no limit blocks: {add}"
        return f"no rule of the gate is blocking: {add}, or let one of the rules block"

    def logged_limit(self, name: str, rule: Rule) -> Finding:
        if name in self.logged:
            return rules.logged_limit(name, rule, self.logged[name])
        meant = nearest(name, self.logged)
        known = f"did you mean {meant}?" if meant else f"it logged {', '.join(sorted(self.logged)) or 'nothing'}"
        return Finding(name, Outcome.ERROR, f"the training logged no metric {name!r}: {known}", rule.blocking)

    def limit(self, name: str, rule: Rule) -> Claim | Finding:
        own = replace(self.evidence, champion=None)
        subject = f"{name} {'floor' if rule.floor is not None else 'ceiling'}"
        blocked = self.obstacle(subject, name, own, blocking=rule.blocking)
        if blocked:
            return blocked
        by = self.statistics(name)
        if rule.function is None:
            return Limit(name, rule, estimate(name, own, by), self.basis(own))
        given = self.own(subject, rule, own, by)
        return (
            given if isinstance(given, Finding) else Limit(name, rule, own_estimate(given[0], own, by), self.basis(own))
        )

    def against_baseline(self, name: str, rule: Rule, baseline: Baseline) -> Claim | Finding:
        subject = f"{name} against always the {baseline}"
        blocked = self.obstacle(subject, name, replace(self.evidence, champion=None), blocking=rule.blocking)
        if blocked:
            return blocked
        part = against(baseline, self.evidence)
        return self.compare(
            subject, name, part, "superior", Allowance(0.0), blocking=rule.blocking, opponent=f"always the {baseline}"
        )

    def against_champion(self, name: str, rule: Rule) -> Claim | Finding:
        subject = f"{name} against the champion"
        blocking = rule.blocking and self.comparable
        if self.evidence.champion is None:
            says = (
                f"the evaluation rows hold no predictions of {self.champion}: let the evaluation step score the same "
                f"rows with the champion's model, into a column {self.evaluation.champion!r}"
            )
            return Finding(subject, Outcome.ERROR, says, blocking)
        blocked = self.obstacle(subject, name, self.evidence, blocking=blocking)
        return blocked or self.compare(
            subject, name, self.evidence, rule.rule, allowance(rule.margin), blocking=blocking
        )

    def slice(self, name: str, rule: Rule, part: Part, wanted: Slices) -> Claim | Finding:
        """A slice whose rows cannot carry the metric (all of one label, say) tells nothing; one that is expected to
        must."""
        subject = f"{name} against the champion, {part.where}"
        blocking = rule.blocking and self.comparable
        found = self.found(name, part.evidence)
        if found:
            return Finding(subject, Outcome.INCONCLUSIVE, found.says, blocking and part.expected)
        return self.compare(subject, name, part.evidence, "non_inferior", allowance(wanted.margin), blocking=blocking)

    def compare(
        self,
        subject: str,
        name: str,
        part: Evidence,
        kind: Kind,
        margin: Allowance,
        *,
        blocking: bool,
        opponent: str = "champion",
    ) -> Claim | Finding:
        by = self.statistics(subject)
        rule = self.settings.metrics[name]
        if rule.function is not None:
            return self.compare_own(subject, name, part, kind, margin, blocking=blocking, opponent=opponent)
        if margin.relative and near_zero(name, part, by):
            says = (
                f"the {opponent}'s {name} cannot be told from zero on {rules.rows(part.rows)}, so that no difference "
                "is a share of it: write the margin in the metric's own unit"
            )
            return Finding(subject, Outcome.ERROR, says, blocking, {"rows": float(part.rows)})
        seen = compare(name, part, by, relative=margin.relative)
        direction = METRICS[name].direction
        return Comparison(subject, name, kind, direction, margin.size, seen, self.basis(part), blocking, opponent)

    def compare_own(
        self,
        subject: str,
        name: str,
        part: Evidence,
        kind: Kind,
        margin: Allowance,
        *,
        blocking: bool,
        opponent: str,
    ) -> Claim | Finding:
        by, rule = self.statistics(subject), self.settings.metrics[name]
        given = self.own(subject, rule, part, by)
        if isinstance(given, Finding):
            return replace(given, blocking=blocking)
        ours, theirs = given
        if theirs is None or (margin.relative and abs(theirs.value) < _NOTHING):
            says = f"the {opponent}'s {name} is zero, or was not given: no difference is a share of it"
            return Finding(subject, Outcome.ERROR, says, blocking)
        seen = own_difference(ours, theirs, part, by, relative=margin.relative)
        return Comparison(subject, name, kind, rule.direction, margin.size, seen, self.basis(part), blocking, opponent)

    def own(self, subject: str, rule: Rule, part: Evidence, by: Statistics) -> tuple[Given, Given | None] | Finding:
        """What the project's own metric gives on these rows, or why it does not."""
        if self.measure is None or rule.function is None:
            return Finding(subject, Outcome.ERROR, "nobody is here to compute the project's own metrics", rule.blocking)
        try:
            return self.measure(Asked(rule.function, part, by.resamples, by.seed, rule.timeout))
        except DataError as problem:
            return Finding(subject, Outcome.ERROR, str(problem), rule.blocking, {"rows": float(part.rows)})

    def obstacle(self, subject: str, name: str, part: Evidence, *, blocking: bool) -> Finding | None:
        measured = {"rows": float(part.rows)}
        if part.rows < self.settings.min_rows:
            says = f"{rules.rows(part.rows)}, and {self.settings.min_rows:,} are asked for (gate.min_rows)"
            return Finding(subject, Outcome.INCONCLUSIVE, says, blocking, measured)
        found = self.found(name, part)
        return Finding(subject, found.outcome, found.says, blocking, measured) if found else None

    def found(self, name: str, part: Evidence) -> Obstacle | None:
        """What keeps the metric from being measured on these rows."""
        if self.settings.metrics[name].function is not None:
            return few_units(name, part)
        return obstacle(METRICS[name], part, self.evaluation.threshold)

    def basis(self, part: Evidence) -> Basis:
        return Basis(part.rows, part.units if part.group else None, self.settings.confidence)

    def statistics(self, purpose: str) -> Statistics:
        """The bootstrap's seed is made of the evidence, the settings and what is judged: a rerun draws the same."""
        settings = self.settings
        content = f"{self.evidence.digest}|{purpose}|{settings.seed}|{settings.resamples}"
        seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:16])
        return Statistics(settings.confidence, self.evaluation.threshold, settings.resamples, seed)
