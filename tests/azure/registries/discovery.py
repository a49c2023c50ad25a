"""Which region's host serves a registry, and where its long operations are asked for."""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import REGION
from tests.azure.registries.state import Registries
from tests.azure.routing import Call, Reply, Routes
from tests.azure.tenancy import TENANT

routes = Routes(REGION)

OPERATIONS: Final = "/registrymanagement/v1.0/operations/{operation}"


@routes.get("/registrymanagement/v1.0/registries/{registry}/discovery")
def discover(cloud: Cloud, call: Call) -> Reply:
    """Any region tells where a registry is."""
    registry = cloud.part(Registries).named(call.params["registry"])
    home = f"https://{registry.location}.api.azureml.ms"
    return Reply(
        200,
        {
            "registryId": registry.registry_id,
            "registryName": registry.name,
            "tenantId": TENANT,
            "primaryRegion": registry.location,
            "regions": [registry.location],
            "subscriptionId": registry.subscription,
            "resourceGroup": registry.group,
            "workspaceName": None,
            "primaryRegionResourceProviderUri": f"{home}/",
            "registryFqdns": {registry.location: {"uri": home}},
            "intellectualPropertyPublisher": None,
        },
    )


@routes.get(OPERATIONS)
async def operation(cloud: Cloud, call: Call) -> Reply:
    """202 until it has ended; then what it led to, or its refusal."""
    ongoing = await cloud.part(Registries).nearly(call.params["operation"])
    if not ongoing.done.is_set():
        return Reply(202, None, {"Location": call.url})
    if ongoing.problem is not None:
        raise ongoing.problem
    return Reply(200, ongoing.body())
