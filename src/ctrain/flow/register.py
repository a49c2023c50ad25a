"""Give the model that passed the gate a version, with its lineage."""

from __future__ import annotations

from ctrain.digest import tree_digest
from ctrain.errors import UsageError
from ctrain.events import Registered, Registering
from ctrain.flow.journal import Journal
from ctrain.release import Release
from ctrain.version import Lineage


def register(release: Release, journal: Journal) -> Release:
    """The release with its model version. Registering the same files again finds the version that has them."""
    if release.version is not None:
        return release
    run, verdict, plan = release.training, release.verdict, release.plan
    if run is None or verdict is None or not verdict.passed:
        raise UsageError(
            f"the release {release.id} has nothing to register",
            why=f"a model is registered once the gate has passed it, and this one {_so_far(release)}",
            hint="run `ctrain run`, or `ctrain train` and `ctrain gate`, first",
        )
    files = journal.at.trainer.fetch(run.job, plan.model_output)
    digest = tree_digest(files)
    journal.record(release.id, Registering(plan.model, digest))
    lineage = Lineage(
        commit=plan.source.commit,
        branch=plan.source.branch,
        dirty=plan.source.dirty,
        data=f"{plan.data.name}:{plan.data.version}",
        data_digest=plan.identity.data,
        parameters=plan.parameters,
        job=run.job,
        run_id=run.run_id,
        release=release.id,
        verdict=verdict.outcome,
    )
    return journal.record(release.id, Registered(journal.at.registry.register(plan.model, files, digest, lineage)))


def _so_far(release: Release) -> str:
    if release.verdict is not None:
        return f"was judged {release.verdict.outcome}"
    return "was not judged" if release.training else "was not trained"
