"""The list of all modules that answer calls. A module gives its `routes`; append yours to MODULES."""

from __future__ import annotations

from tests.azure import blobs, control, sign_in
from tests.azure.arm import workspaces
from tests.azure.routing import Directory, Routes
from tests.azure.serving.routes import ROUTES as SERVING

MODULES: list[Routes] = [
    control.routes,
    *sign_in.ROUTES,
    blobs.routes,
    workspaces.routes,
    *SERVING,
]


def directory() -> Directory:
    """What the front asks."""
    return Directory(MODULES)
