"""Undo what a drill that was cut off left on a stage: traffic back to what served, and its deployment taken away."""

from __future__ import annotations

from ctrain import events
from ctrain.errors import NotRestored
from ctrain.flow.journal import Journal
from ctrain.rollout import Stage, live
from ctrain.rollout.drilling import PREFIX, Drilling
from ctrain.serving import Deployment, DeploymentState, Endpoint, Traffic


def undo_drill(stage: Stage, endpoint: Endpoint | None, journal: Journal) -> Endpoint | None:
    """The endpoint without a drill's deployments; as it is, where it has none. Called under the stage's lock.

    Raises NotRestored where one of them has traffic that cannot be given back.
    """
    left = [one for one in endpoint.deployments.values() if _of_drill(one)] if endpoint else []
    for one in left:
        _undo(one, stage, journal)
    return journal.at.serving(stage).look(stage.endpoint) if left else endpoint


def _of_drill(deployment: Deployment) -> bool:
    return deployment.name.startswith(PREFIX) and deployment.state is not DeploymentState.DELETING


def _undo(one: Deployment, stage: Stage, journal: Journal) -> None:
    serving = journal.at.serving(stage)
    endpoint = serving.look(stage.endpoint)
    release = one.tags.get("drill", "")
    if endpoint is not None and endpoint.traffic.get(one.name, 0):
        before = _before(release, one, stage, journal)
        if not before or not all(
            name in endpoint.deployments and endpoint.deployments[name].healthy for name in before
        ):
            raise NotRestored(
                f"the drill of {stage.name} cannot be undone",
                why=f"{one.name} has its traffic, and {', '.join(before) or 'what served before'} is not healthy",
                hint=f"it is the same version, and serves; see `ctrain status` and `ctrain logs --stage {stage.name}`",
            )
        journal.record(release, events.Shifting(stage.name, before))
        serving.route(stage.endpoint, dict.fromkeys(endpoint.traffic, 0) | dict(before))
        journal.record(release, events.Shifted(stage.name, before))
    if release:
        journal.record(release, events.Removing(stage.name, one.name, "the drill is over"))
    serving.remove(stage.endpoint, one.name)


def _before(release: str, one: Deployment, stage: Stage, journal: Journal) -> Traffic:
    """What the drill's record says it goes back to."""
    told = [event.what for event in journal.at.ledger.events(release)] if release else []
    mine = [what for what in told if isinstance(what, Drilling) and what.stage == stage.name]
    return live(next((what.before for what in reversed(mine) if what.deployment == one.name), {}))
