"""All routes of online endpoints, for the list of modules."""

from __future__ import annotations

from typing import Final

from tests.azure.routing import Routes
from tests.azure.serving import control, deployments, endpoints, metrics, operations, scoring

ROUTES: Final[list[Routes]] = [
    control.routes,
    endpoints.routes,
    deployments.routes,
    metrics.routes,
    operations.routes,
    scoring.routes,
]
