"""Bring an endpoint back up that went down: after a crash or a reboot, what was delivered is to be served again."""

from __future__ import annotations

from collections.abc import Collection

from ctrain.errors import PlatformUnavailable
from ctrain.events import Creating
from ctrain.flow.journal import Journal, Waiting
from ctrain.flow.side_by_side import endpoints
from ctrain.release import Release
from ctrain.rollout import Stage, live
from ctrain.serving import DeploymentState, Endpoint

POLL_SECONDS = 0.1
BACK_SECONDS = 300.0
"""How long deployments that have served before may take to be healthy again."""


def revive_all(release: Release, journal: Journal) -> Release:
    """The release, once every endpoint that it was delivered to runs."""
    seen = endpoints([step.stage for step in release.plan.deploys], journal.at)
    for step in release.plan.deploys:
        endpoint = seen[step.stage.name]
        if release.serves(step.stage.name) and endpoint is not None and not endpoint.running:
            journal.lock(step.stage.lock)
            revive(release, step.stage, live(endpoint.traffic), journal)
            journal.unlock(step.stage.lock)
    return release


def revive(release: Release, stage: Stage, needed: Collection[str], journal: Journal) -> Endpoint:
    """The endpoint, running and with those deployments healthy; one that runs is left as it is.

    Raises PlatformUnavailable where they do not become healthy.
    """
    clock, serving = journal.at.clock, journal.at.serving(stage)
    endpoint = serving.look(stage.endpoint)
    if endpoint is not None and endpoint.running:
        return endpoint
    journal.record(release.id, Creating(stage.name, stage.endpoint))
    endpoint = serving.create(stage.endpoint)
    began = clock.monotonic()
    while sick := [name for name in needed if not _healthy(endpoint, name)]:
        waited = clock.monotonic() - began
        if waited > BACK_SECONDS or _failed(endpoint, sick[0]):
            raise PlatformUnavailable(
                f"{stage.name} does not serve",
                why=f"its endpoint was down and was started again, and {sick[0]} has not become healthy",
                hint=f"see `ctrain logs --stage {stage.name}`",
            )
        journal.tell(Waiting(stage.name, sick[0], waited))
        journal.beat()
        clock.sleep(max(POLL_SECONDS, journal.at.pace.after(waited)))
        endpoint = serving.look(stage.endpoint) or endpoint
    return endpoint


def _healthy(endpoint: Endpoint, name: str) -> bool:
    deployment = endpoint.deployments.get(name)
    return deployment is not None and deployment.healthy


def _failed(endpoint: Endpoint, name: str) -> bool:
    deployment = endpoint.deployments.get(name)
    return deployment is None or deployment.state is DeploymentState.FAILED
