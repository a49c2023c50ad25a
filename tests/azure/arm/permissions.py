"""What whoever asks may do at a scope: Microsoft.Authorization/permissions."""

from __future__ import annotations

from tests.azure.access import Grant
from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import GROUP, WORKSPACE, Call, Reply, Routes

routes = Routes(ARM)

_PERMISSIONS = "/providers/Microsoft.Authorization/permissions"


@routes.get(WORKSPACE + _PERMISSIONS)
def at_workspace(cloud: Cloud, call: Call) -> Reply:
    """At the workspace."""
    cloud.workspace(call)
    return _granted(cloud, call)


@routes.get(WORKSPACE + "/onlineEndpoints/{endpoint}" + _PERMISSIONS)
def at_endpoint(cloud: Cloud, call: Call) -> Reply:
    """At an endpoint."""
    cloud.workspace(call)
    return _granted(cloud, call)


@routes.get(GROUP + _PERMISSIONS)
def at_group(cloud: Cloud, call: Call) -> Reply:
    """At the resource group."""
    return _granted(cloud, call)


def _granted(cloud: Cloud, call: Call) -> Reply:
    client = call.principal.client_id if call.principal else ""
    grant = cloud.grants.get(client, Grant())
    blobs = ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"]
    shown = {
        "actions": list(grant.actions),
        "notActions": list(grant.not_actions),
        "dataActions": [] if client in cloud.without_blobs else blobs,
        "notDataActions": [],
    }
    return paged(call, [shown])
