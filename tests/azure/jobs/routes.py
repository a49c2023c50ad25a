"""All routes of the jobs."""

from __future__ import annotations

from tests.azure.jobs import arm, components, control, dataplane, discovery, history, schedules, tracking
from tests.azure.routing import Routes

ROUTES: list[Routes] = [
    arm.routes,
    components.routes,
    control.routes,
    dataplane.routes,
    discovery.routes,
    history.routes,
    schedules.routes,
    tracking.routes,
]
