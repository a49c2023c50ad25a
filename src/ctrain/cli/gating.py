"""What `ctrain gate` can tell beside a verdict: its pictures, another gate's verdict, and a test of the gate itself."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path

from ctrain.backends import own_metric
from ctrain.cli.session import Session, session
from ctrain.cli.terminal import give, mark, say
from ctrain.errors import ExitCode, UsageError
from ctrain.events import replay
from ctrain.flow.judge import exit_code_of
from ctrain.flow.rejudge import rejudge, rows_of
from ctrain.flow.roll_back import newest_first
from ctrain.gate import EvaluationSettings, GateSettings, drawing
from ctrain.gate.picture import picture_of
from ctrain.gate.rehearsal import TIMES, Rehearsal, rehearse
from ctrain.project import load_policy
from ctrain.release import Release
from ctrain.verdict import Finding, Outcome, Verdict

WIDTH = 64
_LOOKED_AT = 20
"""Newest releases among which a self-test looks for evaluation rows."""


def explained(verdict: Verdict, of: str) -> str:
    """Every finding's sentence, and below it the interval against what it had to keep."""
    lines = [f"{mark(verdict.outcome)[0]} {of}: {verdict.outcome}"]
    for finding in verdict.findings:
        aside = "" if finding.blocking else " (advisory)"
        lines += ["", f"  {mark(finding.outcome)[0]} {finding.subject}{aside}", f"    {finding.says}", *_drawn(finding)]
    return "\n".join([*lines, *(f"  · {note}" for note in verdict.notes)])


def _drawn(finding: Finding) -> list[str]:
    picture = picture_of(finding)
    if picture is None:
        return []
    return [f"      {drawing.bar(picture, WIDTH)}", f"      {drawing.labels(picture, WIDTH)}"]


def try_policy(name: str | None, policy: Path, *, explain: bool, file: Path | None, backend: str | None) -> int:
    """What another gate would say of a release's rows. Nothing is recorded."""
    with session(file, backend, show=False) as s:
        release = s.release(name)
        settings, evaluation = load_policy(policy, release.plan.evaluation)
        measure = partial(own_metric.measure, s.project.root)
        verdict = rejudge(release, settings, evaluation, s.at, measure)
    of = f"{release.id} by {policy}"
    give(explained(verdict, of) if explain else _briefly(verdict, of))
    then = release.verdict.outcome if release.verdict else "not judged yet"
    say(f"nothing is recorded; by its own gate the release is: {then}")
    return exit_code_of(verdict)


def _briefly(verdict: Verdict, of: str) -> str:
    findings = [
        f"  {mark(one.outcome)[0]} {one.subject}: {one.says}{'' if one.blocking else ' (advisory)'}"
        for one in verdict.findings
    ]
    return "\n".join([f"{mark(verdict.outcome)[0]} {of}: {verdict.outcome}", *findings])


def self_test(name: str | None, policy: Path | None, *, file: Path | None, backend: str | None) -> int:
    """The gate, on candidates that are known to be bad, and on many that are as good as the champion."""
    with session(file, backend, show=False) as s:
        release = s.release(name) if name else _with_rows(s)
        settings: GateSettings = s.project.gate
        evaluation: EvaluationSettings = s.project.evaluation
        if policy is not None:
            settings, evaluation = load_policy(policy, evaluation)
        rows = rows_of(release, settings, evaluation, s.at)
        logged = release.training.metrics if release.training else {}
        measure = partial(own_metric.measure, s.project.root)
        found = rehearse(settings, evaluation, rows, logged=logged, measure=measure)
    give(_told(found, release))
    match found.outcome:
        case Outcome.PASS:
            return ExitCode.DONE
        case Outcome.FAIL:
            return ExitCode.REJECTED
        case _:
            return ExitCode.UNDECIDED


def _with_rows(s: Session) -> Release:
    """The champion's release, else the newest that was judged on rows."""
    champion = s.at.registry.champion(s.project.model.name)
    own = replay(s.at.ledger.events(champion.lineage.release)) if champion else None
    for release in ([own] if own else []) + list(islice(newest_first(s.at.ledger), _LOOKED_AT)):
        if release.rows and release.plan.sample is None:
            return release
    raise UsageError(
        "the gate cannot be tested yet",
        why="no release on all the data has evaluation rows to make candidates of",
        hint="run `ctrain train` and `ctrain gate` first, or name a release",
    )


def _told(found: Rehearsal, release: Release) -> str:
    lines = [f"self-test of the gate, on the {found.rows:,} evaluation rows of {release.id}", "", "known to be bad:"]
    for name, verdict in found.bad.items():
        refused = verdict.outcome in (Outcome.FAIL, Outcome.ERROR)
        why = next((f for f in verdict.findings if f.blocking and f.outcome is verdict.outcome), None)
        lines.append(f"  {'✓' if refused else '✗'} {name}: {verdict.outcome}")
        lines += [f"      {why.subject}: {why.says}"] if why and not verdict.passed else []
    if found.outcome is Outcome.FAIL:
        lines.append("  the gate lets a bad model through: add a rule that tells it, such as `auc` with a floor")
    elif found.outcome is Outcome.INCONCLUSIVE:
        lines.append("  the gate cannot tell a bad model on so few rows")
    times = sum(found.equal.values())
    how = "as good as its champion" if found.compared else "the same model (no champion yet, so by its limits only)"
    lines += ["", f"{how}, {TIMES} times, on rows drawn anew:"]
    words = {
        Outcome.PASS: "passes",
        Outcome.FAIL: "is refused",
        Outcome.INCONCLUSIVE: "is undecided",
        Outcome.ERROR: "is an error",
    }
    for outcome, word in words.items():
        count = found.equal.get(outcome, 0)
        if count or outcome in (Outcome.PASS, Outcome.FAIL):
            low, high = _wilson(count, times)
            lines.append(f"  {word:<13} {count / times:>6.1%}   ({low:.1%} to {high:.1%})")
    lines += [f"      {subject}: {count} times not passed" for subject, count in found.reasons.items()]
    return "\n".join(lines)


def _wilson(count: int, times: int) -> tuple[float, float]:
    square = 1.96**2
    share = count / times
    middle = (share + square / (2 * times)) / (1 + square / times)
    half = (square * (share * (1 - share) + square / (4 * times)) / times) ** 0.5 / (1 + square / times)
    return max(middle - half, 0.0), min(middle + half, 1.0)
