"""Let a release go to a stage that waits for a person; who, when and why is in the ledger."""

from __future__ import annotations

from ctrain.errors import UsageError
from ctrain.events import Approved
from ctrain.flow.journal import Journal
from ctrain.release import Release


def approve(release: Release, stage: str, journal: Journal, *, who: str, reason: str) -> Release:
    """The release with the approval. It holds for this model, evidence and champion, and for no other.

    Raises UsageError where there is nothing to approve: no model yet, an ended release, a stage that needs no approval.
    """
    waiting = [step.stage.name for step in release.plan.deploys if step.waits]
    if release.ended or release.version is None:
        how = f"it has ended: {release.ending}" if release.ending else "it has no model that passed the gate yet"
        hint = "see `ctrain show`; a release is approved once its model has a version"
        raise UsageError(f"the release {release.id} cannot be approved", why=how, hint=hint)
    if stage not in waiting:
        raise UsageError(
            f"{stage} waits for no approval of {release.id}",
            why=f"the stages that do: {', '.join(waiting) or 'none'}",
            hint="name one of them, or set `approval: required` for the stage",
        )
    if release.approved(stage):
        return release
    return journal.record(release.id, Approved(stage, who, reason, release.proof))
