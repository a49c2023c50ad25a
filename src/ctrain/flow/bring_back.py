"""Bring back what served a stage before a rollout that could not be taken back, because it was gone or had failed."""

from __future__ import annotations

from ctrain.errors import NotRestored
from ctrain.flow.act import promoted, refuse_changed_code, wanted
from ctrain.flow.journal import Journal
from ctrain.flow.judge import blocking_reason
from ctrain.flow.place import place
from ctrain.flow.smoke_test import smoke_test
from ctrain.flow.steer import restore
from ctrain.flow.under_way import torn_by
from ctrain.plan import Deploy
from ctrain.release import Release


def bring_back(release: Release, step: Deploy, journal: Journal) -> Release:
    """The release, whose deployment serves the stage again: placed anew, smoked by name, and given its traffic back.

    Does nothing unless the last rollout at the stage was not restored, and began from this release's deployment.
    Raises NotRestored where it does not come up or fails its smoke tests, and UsageError where its scoring code is
    not that of the working tree.
    """
    stage, record = step.stage, release.stages[step.stage.name]
    journal.lock(stage.lock)
    try:
        torn = torn_by(stage, journal.at)
        if torn is None or record.deployment not in (torn.stages[stage.name].before or {}):
            return release
        spec = wanted(release, step).target
        endpoint = journal.at.serving(stage).look(stage.endpoint)
        there = endpoint.deployments.get(spec.name) if endpoint else None
        if there is None or not there.healthy:
            refuse_changed_code(step)
            journal.at.serving(stage).create(stage.endpoint)
            why = place(release, stage, promoted(spec, release, stage, journal), journal)
            if why is None:
                verdict = smoke_test(release.id, stage, spec.name, journal, live=False)
                if not verdict.passed:
                    why = f"its smoke tests ended in {verdict.outcome}: {blocking_reason(verdict)}"
            if why is not None:
                raise NotRestored(
                    f"{spec.name} could not be brought back to {stage.name}",
                    why=why,
                    hint="find out why, and run it again",
                    commands=(f"ctrain logs --stage {stage.name}", f"ctrain deploy --to {stage.name} {release.id}"),
                )
        restore(torn, journal)
        return journal.read_again(release.id)
    finally:
        journal.unlock(stage.lock)
