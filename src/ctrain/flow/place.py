"""Place a deployment outside of a rollout, and wait for it."""

from __future__ import annotations

from ctrain.events import Placing
from ctrain.flow.journal import Journal, Waiting
from ctrain.release import Release
from ctrain.rollout import Stage
from ctrain.serving import DeploymentSpec, DeploymentState

POLL_SECONDS = 0.1
READY_SECONDS = 1800.0
"""How long it may take to become ready."""


def place(release: Release, stage: Stage, spec: DeploymentSpec, journal: Journal) -> str | None:
    """Why it did not come up, or None once it is healthy. One that is there stays, unless it failed."""
    serving, clock = journal.at.serving(stage), journal.at.clock
    journal.record(release.id, Placing(stage.name, spec.name))
    serving.place(stage.endpoint, spec)
    began = clock.monotonic()
    while True:
        endpoint = serving.look(stage.endpoint)
        seen = endpoint.deployments.get(spec.name) if endpoint else None
        waited = clock.monotonic() - began
        if seen is not None and seen.healthy:
            return None
        if waited > READY_SECONDS or (seen is not None and seen.state is DeploymentState.FAILED):
            return (seen.error if seen else None) or "it did not become ready in time"
        journal.tell(Waiting(stage.name, spec.name, waited))
        journal.beat()
        clock.sleep(max(POLL_SECONDS, journal.at.pace.after(waited)))
