"""Bring the evaluation rows to the gate, and keep what it says and the golden rows it saw."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from ctrain import gate
from ctrain.document import read_document
from ctrain.errors import DataError, ExitCode, TrainingFailed, UsageError
from ctrain.events import Closed, Judged
from ctrain.flow.extend import extend, extends
from ctrain.flow.journal import Journal
from ctrain.plan import Plan
from ctrain.release import Release, ending_of
from ctrain.smoke import Golden, Signature, read_signature
from ctrain.training import TrainingRun
from ctrain.verdict import Finding, Outcome, Verdict

GOLDEN = "golden.json"
"""The name under which a release's golden rows are kept in the ledger."""


def judge(release: Release, journal: Journal) -> Release:
    """The release with its verdict. Anything but a pass ends it, once there are no more rows to ask for."""
    if release.verdict is None:
        release = _look(release, journal)
    more = extends(release)
    if more is not None:
        release = extend(release, more, journal)
        if not release.ended and release.looks == 1:
            release = _look(release, journal)
    return release if release.ended else _ended(release, journal)


def _ended(release: Release, journal: Journal) -> Release:
    """Ended, if its verdict ends it."""
    if release.verdict is None:
        return release
    neutral = release.plan.gate.on_inconclusive.of(release.plan.trigger) == "neutral"
    ending = ending_of(release.verdict, neutral=neutral)
    if ending is None:
        return release
    return journal.record(release.id, Closed(ending, blocking_reason(release.verdict)))


def _look(release: Release, journal: Journal) -> Release:
    """The release with what the gate says of its rows."""
    run, plan = release.training, release.plan
    if run is None:
        raise UsageError(
            f"the release {release.id} has nothing to judge",
            why="its training has not come to an end",
            hint="run `ctrain train` first: it waits for the end",
        )
    if not run.status.succeeded:
        raise TrainingFailed(
            f"the release {release.id} has nothing to judge",
            why=f"its training ended as {run.status}",
            hint=f"see `ctrain logs {release.id}`, and train again with `ctrain run` or `ctrain train`",
        )
    rows = journal.at.trainer.fetch(run.job, plan.evaluation.output)
    try:
        evidence = read_for(plan.gate, plan.evaluation, rows)
        verdict = gate.judge(
            plan.gate.at_each_look(plan.trigger),
            plan.evaluation,
            evidence,
            champion=str(plan.champion) if plan.champion else None,
            logged=run.metrics,
            comparable=plan.comparable,
            measure=partial(journal.measure, Path(plan.root)) if journal.measure else None,
        )
        judged = Judged(verdict, evidence.rows, evidence.digest)
        if plan.deploys:
            _keep_golden(release.id, plan, run, rows, journal)
    except DataError as problem:
        finding = Finding("evaluation", Outcome.ERROR, str(problem))
        judged = Judged(Verdict((finding,)), rows=0, evidence="")
    return journal.record(release.id, judged)


def read_for(settings: gate.GateSettings, evaluation: gate.EvaluationSettings, rows: Path) -> gate.Evidence:
    """The evaluation rows with all columns that the gate asks for."""
    return gate.read_evidence(
        rows, evaluation, settings.slice_columns, settings.metric_columns, segments=settings.segments
    )


def exit_code_of(verdict: Verdict) -> ExitCode:
    """What a verdict that ends no release ends the process with."""
    ending = ending_of(verdict)
    return ending.exit_code if ending else ExitCode.DONE


def blocking_reason(verdict: Verdict) -> str:
    """The findings that decided, in a sentence: the first three of them."""
    deciding = [f for f in verdict.findings if f.blocking and f.outcome is verdict.outcome]
    told = [f"{finding.subject}: {finding.says}" for finding in deciding[:3]]
    more = len(deciding) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more else [])]) or "nothing was judged"


def _keep_golden(release: str, plan: Plan, run: TrainingRun, rows: Path, journal: Journal) -> None:
    wanted = max((step.stage.smoke.golden for step in plan.deploys), default=0)
    if wanted == 0:
        return
    columns = _signature(journal.at.trainer.fetch(run.job, plan.model_output)).columns
    if not columns:
        raise DataError(
            "golden requests cannot be recorded",
            why="the model has no signature that names its input columns",
            hint="log the model with a signature, or set `smoke: {golden: 0}` for every stage",
        )
    table = _golden_rows(rows, plan, columns, wanted)
    golden = Golden(columns, table.cells, table.predictions)
    journal.at.ledger.keep(release, GOLDEN, json.dumps(asdict(golden)).encode())


def _golden_rows(rows: Path, plan: Plan, columns: tuple[str, ...], count: int) -> gate.Rows:
    try:
        return gate.read_rows(rows, plan.evaluation, columns, count=count)
    except DataError as problem:
        raise DataError(
            f"golden requests cannot be recorded: {problem.what}",
            why=f"{problem.why}, and the model's inputs are {', '.join(columns)}",
            hint="write the model's inputs beside the predictions, or set `smoke: {golden: 0}` for every stage",
        ) from None


def _signature(model: Path) -> Signature:
    described = model / "MLmodel"
    if not described.is_file():
        return Signature()
    value = read_document(described, DataError).value
    try:
        return read_signature(value) if isinstance(value, dict) else Signature()
    except ValueError as problem:
        raise DataError(
            f"{described} cannot be read", why=str(problem), hint="let MLflow write it: log the model with a signature"
        ) from None


def golden_of(release: str, journal: Journal) -> Golden | None:
    """The golden rows that the gate kept for this release."""
    content = journal.at.ledger.evidence(release, GOLDEN)
    if content is None:
        return None
    kept = json.loads(content)
    return Golden(tuple(kept["columns"]), tuple(tuple(row) for row in kept["rows"]), tuple(kept["scores"]))
