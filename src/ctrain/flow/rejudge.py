"""Judge what a release left behind anew: by another gate, or with candidates that are known to be bad or good.

Nothing is recorded, and no lock is taken: it changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctrain import gate
from ctrain.errors import DataError, UsageError
from ctrain.flow.judge import read_for
from ctrain.gate import EvaluationSettings, Evidence, GateSettings
from ctrain.ports import Backend
from ctrain.release import Release
from ctrain.verdict import Verdict

if TYPE_CHECKING:
    from ctrain.gate.own import Measure


def rejudge(
    release: Release,
    settings: GateSettings,
    evaluation: EvaluationSettings,
    at: Backend,
    measure: Measure | None = None,
) -> Verdict:
    """What that gate would have said of the release's rows; `measure` computes own metrics.

    Raises UsageError and DataError as `rows_of` does.
    """
    evidence = rows_of(release, settings, evaluation, at)
    plan, run = release.plan, release.training
    return gate.judge(
        settings,
        evaluation,
        evidence,
        champion=str(plan.champion) if plan.champion else None,
        logged=run.metrics if run else {},
        comparable=plan.comparable,
        measure=measure,
    )


def rows_of(release: Release, settings: GateSettings, evaluation: EvaluationSettings, at: Backend) -> Evidence:
    """The release's evaluation rows, with the columns that these settings ask for.

    Raises UsageError for a release without rows, and DataError where they are no longer those that were judged.
    """
    run, plan = release.training, release.plan
    if run is None or not run.status.succeeded:
        raise UsageError(
            f"the release {release.id} has no evaluation rows",
            why="its training has not come to a good end",
            hint="name another release of `ctrain history`",
        )
    rows = at.trainer.fetch(run.job, plan.evaluation.output)
    if release.evidence:
        judged = read_for(plan.gate, plan.evaluation, rows)
        if judged.digest != release.evidence:
            raise DataError(
                f"the evaluation rows of {release.id} are not those that were judged",
                why=f"their digest is {judged.digest[:12]}, and it was {release.evidence[:12]}",
                hint="train again: `ctrain run --fresh`",
            )
    return read_for(settings, evaluation, rows)
