"""Ask the pipeline for more evaluation rows, of the same model, where the first were too few."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from ctrain.digest import tree_digest
from ctrain.events import Closed, Extending, Trained
from ctrain.flow.journal import Journal
from ctrain.flow.train import detach, spec_of, wait
from ctrain.gate import Extend
from ctrain.release import Ending, Release
from ctrain.training import TrainingRun, job_name
from ctrain.verdict import Outcome


def extends(release: Release) -> Extend | None:
    """How, where the release has a first verdict that more rows could decide."""
    gate = release.plan.gate
    undecided = release.verdict is not None and release.verdict.outcome is Outcome.INCONCLUSIVE
    asked = gate.on_inconclusive.of(release.plan.trigger) == "extend"
    return gate.extend if asked and undecided and release.looks == 1 and not release.ended else None


def extend(release: Release, more: Extend, journal: Journal) -> Release:
    """The release with a run of the same pipeline that evaluated on more rows; ended, where there is none.

    Steps that do not depend on the input are reused, as in any run. The model must be the one that was judged, by
    digest: a second look at another model would be another release.
    """
    plan, first = release.plan, release.training
    parameters = {**plan.parameters, more.input: more.value}
    job = _job(replace(plan.identity, parameters=parameters).fingerprint, journal)
    journal.record(release.id, Extending(job))
    spec = spec_of(release, journal)
    run = journal.at.trainer.submit(replace(spec, job=job, inputs={**spec.inputs, **parameters}))
    run = wait(detach(run, release.id, journal), release.id, journal)
    if journal.rise():
        # Nobody was kept out while we waited: somebody else may have gone on with the release.
        release = journal.read_again(release.id)
        if release.looks > 1 or release.ended:
            return release
    if not run.status.succeeded:
        return _undecided(release, f"the job {run.job} ended as {run.status}", journal)
    if first is None or _model(run, release, journal) != _model(first, release, journal):
        return _undecided(release, f"{more.input} changes the model, not only its evaluation", journal)
    return journal.record(release.id, Trained(run))


def _job(fingerprint: str, journal: Journal) -> str:
    """The first attempt that did not fail."""
    for attempt in count(1):
        run = journal.at.trainer.look(job_name(fingerprint, attempt))
        if run is None or run.status.succeeded or not run.status.ended:
            return job_name(fingerprint, attempt)
    raise AssertionError("count() never ends")


def _model(run: TrainingRun, release: Release, journal: Journal) -> str:
    return tree_digest(journal.at.trainer.fetch(run.job, release.plan.model_output))


def _undecided(release: Release, why: str, journal: Journal) -> Release:
    return journal.record(release.id, Closed(Ending.UNDECIDED, f"the evaluation could not be extended: {why}"))
