"""The rules of a project, over the evidence, to a verdict.

Nothing passes by default. Settings that contradict themselves, rows that cannot be judged, a metric that does not exist
on them, a champion without predictions: each is an `error` finding; too few rows is `inconclusive`; and where no
blocking rule is left to judge, that is an `error` of its own.

All blocking rules must pass, so that the chance to pass a model that breaks one of them is at most that rule's own
(Berger's intersection-union test, 1982): no correction for their number is needed on this side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ctrain.document import nearest
from ctrain.gate import rules
from ctrain.gate.catalogue import METRICS
from ctrain.gate.checks import check
from ctrain.gate.evidence import Categories, Evidence
from ctrain.gate.intervals import Statistics, compare, estimate
from ctrain.gate.obstacles import obstacle
from ctrain.gate.settings import EvaluationSettings, GateSettings, Rule, Slices
from ctrain.verdict import Finding, Outcome, Verdict

_MOST_SLICES = 100


def judge(
    settings: GateSettings,
    evaluation: EvaluationSettings,
    evidence: Evidence,
    *,
    champion: str | None,
    logged: Mapping[str, float] | None = None,
    comparable: bool = True,
) -> Verdict:
    """One finding for each rule's part, and for each slice.

    `champion` names the champion, None where there is none yet: then only limits are judged. `logged` holds what the
    training logged, for rules with `source: logged`. `comparable=False` (a sample was trained on, the champion saw
    everything) makes comparisons advisory.
    """
    problems = check(settings, evaluation)
    if problems:
        return Verdict(tuple(Finding(".".join(map(str, p.keys)), Outcome.ERROR, str(p)) for p in problems))
    if not _sound(evidence):
        return Verdict(
            (Finding("evaluation", Outcome.ERROR, "the rows are none, or hold numbers that are not finite"),)
        )
    case = _Case(settings, evaluation, evidence, champion, logged or {}, comparable)
    findings = tuple(case.findings())
    if not any(finding.blocking for finding in findings):
        findings = (*findings, Finding("gate", Outcome.ERROR, case.why_nothing_blocks()))
    return Verdict(findings, tuple(case.notes()))


def _sound(evidence: Evidence) -> bool:
    numbers = [evidence.label, evidence.challenger, *([evidence.champion] if evidence.champion is not None else [])]
    return evidence.rows > 0 and all(bool(np.isfinite(column).all()) for column in numbers)


@dataclass(frozen=True)
class _Case:
    settings: GateSettings
    evaluation: EvaluationSettings
    evidence: Evidence
    champion: str | None
    logged: Mapping[str, float]
    comparable: bool

    def findings(self) -> Iterator[Finding]:
        for name, rule in self.settings.metrics.items():
            if rule.floor is not None or rule.ceiling is not None:
                yield self.logged_limit(name, rule) if rule.source == "logged" else self.limit(name, rule)
            if rule.rule == "non_inferior" and self.champion is not None:
                yield self.against_champion(name, rule)
        if self.settings.slices:
            yield from self.slices(self.settings.slices)

    def notes(self) -> Iterator[str]:
        compared = ", ".join(name for name, rule in self.settings.metrics.items() if rule.rule == "non_inferior")
        if not compared:
            return
        if self.champion is None:
            slices = ", nor slices judged" if self.settings.slices else ""
            yield f"no champion yet: {compared} could not be compared{slices}; only floors and ceilings count"
        elif not self.comparable:
            yield (
                f"compared with {self.champion} for information only: it was trained on all the data, "
                "the challenger on a sample"
            )
        else:
            yield f"compared with {self.champion}, on the same rows"

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

    def limit(self, name: str, rule: Rule) -> Finding:
        own = replace(self.evidence, champion=None)
        blocked = self.obstacle(
            f"{name} {'floor' if rule.floor is not None else 'ceiling'}", name, own, blocking=rule.blocking
        )
        return blocked or rules.limit(name, rule, estimate(name, own, self.statistics(name)), self.basis(own))

    def against_champion(self, name: str, rule: Rule) -> Finding:
        subject = f"{name} against the champion"
        blocking = rule.blocking and self.comparable
        if self.evidence.champion is None:
            says = (
                f"the evaluation rows hold no predictions of {self.champion}: let the evaluation step score the same "
                f"rows with the champion's model, into a column {self.evaluation.champion!r}"
            )
            return Finding(subject, Outcome.ERROR, says, blocking)
        blocked = self.obstacle(subject, name, self.evidence, blocking=blocking)
        return blocked or self.compared(subject, name, rule.margin or 0.0, self.evidence, blocking=blocking)

    def slices(self, wanted: Slices) -> Iterator[Finding]:
        for column in wanted.by:
            categories = self.evidence.slices.get(column)
            if categories is None:
                says = f"the evaluation rows have no column {column!r}: write it in the evaluation step"
                yield Finding(f"slices by {column}", Outcome.ERROR, says)
            elif len(categories.names) > _MOST_SLICES:
                says = (
                    f"{column} has {len(categories.names):,} values, {_MOST_SLICES} is the limit: slice by bins of it"
                )
                yield Finding(f"slices by {column}", Outcome.ERROR, says)
            elif self.champion is not None and self.evidence.champion is not None:
                yield from self.slices_by(column, categories, wanted)

    def slices_by(self, column: str, categories: Categories, wanted: Slices) -> Iterator[Finding]:
        for code, value in enumerate(categories.names):
            where = f"{column} = {'(missing)' if value is None else value}"
            mask = categories.codes == code
            rows = int(mask.sum())
            if rows < wanted.min_rows:
                says = f"{rules.rows(rows)}, and {wanted.min_rows:,} are asked for (gate.slices.min_rows)"
                yield Finding(where, Outcome.INCONCLUSIVE, says, blocking=False, measured={"rows": float(rows)})
                continue
            part = self.evidence.where(mask)
            for name, rule in self.settings.metrics.items():
                if rule.rule == "non_inferior":
                    yield self.slice(f"{name} against the champion, {where}", name, rule, part, wanted.margin)

    def slice(self, subject: str, name: str, rule: Rule, part: Evidence, margin: float) -> Finding:
        """A slice whose rows cannot carry the metric (all of one label, say) tells nothing, and decides nothing."""
        found = obstacle(METRICS[name], part, self.evaluation.threshold)
        if found:
            return Finding(subject, Outcome.INCONCLUSIVE, found.says, blocking=False)
        return self.compared(subject, name, margin, part, blocking=rule.blocking and self.comparable)

    def compared(self, subject: str, name: str, margin: float, part: Evidence, *, blocking: bool) -> Finding:
        seen = compare(name, part, self.statistics(subject))
        direction = METRICS[name].direction
        basis = self.basis(part)
        return rules.non_inferior(subject, name, direction, margin=margin, seen=seen, basis=basis, blocking=blocking)

    def obstacle(self, subject: str, name: str, part: Evidence, *, blocking: bool) -> Finding | None:
        measured = {"rows": float(part.rows)}
        if part.rows < self.settings.min_rows:
            says = f"{rules.rows(part.rows)}, and {self.settings.min_rows:,} are asked for (gate.min_rows)"
            return Finding(subject, Outcome.INCONCLUSIVE, says, blocking, measured)
        found = obstacle(METRICS[name], part, self.evaluation.threshold)
        return Finding(subject, found.outcome, found.says, blocking, measured) if found else None

    def basis(self, part: Evidence) -> rules.Basis:
        return rules.Basis(part.rows, part.units if part.group else None, self.settings.confidence)

    def statistics(self, purpose: str) -> Statistics:
        """The bootstrap's seed is made of the evidence, the settings and what is judged: a rerun draws the same."""
        settings = self.settings
        content = f"{self.evidence.digest}|{purpose}|{settings.seed}|{settings.resamples}"
        seed = int.from_bytes(hashlib.sha256(content.encode()).digest()[:16])
        return Statistics(settings.confidence, self.evaluation.threshold, settings.resamples, seed)
