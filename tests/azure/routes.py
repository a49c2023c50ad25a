"""The list of all modules that answer calls. A module gives its `routes`; append yours to MODULES."""

from __future__ import annotations

from tests.azure import blobs, control, sign_in
from tests.azure.arm import (
    codes,
    computes,
    data,
    datastores,
    environments,
    models,
    permissions,
    quotas,
    workspaces,
)
from tests.azure.jobs.routes import ROUTES as JOBS
from tests.azure.registries.routes import ROUTES as REGISTRIES
from tests.azure.routing import Directory, Routes
from tests.azure.serving.routes import ROUTES as SERVING

MODULES: list[Routes] = [
    control.routes,
    *sign_in.ROUTES,
    blobs.routes,
    workspaces.routes,
    datastores.routes,
    computes.routes,
    permissions.routes,
    quotas.routes,
    quotas.control,
    codes.routes,
    environments.routes,
    data.routes,
    models.routes,
    *JOBS,  # before serving: its operations' ids are more special
    *SERVING,
    *REGISTRIES,
]


def directory() -> Directory:
    """What the front asks."""
    return Directory(MODULES)
