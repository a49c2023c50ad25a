"""All routes of registries, for the list of modules."""

from __future__ import annotations

from typing import Final

from tests.azure.registries import arm, assets, control, discovery
from tests.azure.routing import Routes

ROUTES: Final[list[Routes]] = [control.routes, arm.routes, discovery.routes, *assets.ROUTES]
