"""What tests set up of registries."""

from __future__ import annotations

from tests.azure.cloud import Cloud
from tests.azure.hosts import CONTROL
from tests.azure.registries.arm import shown
from tests.azure.registries.state import Registries
from tests.azure.routing import Call, Reply, Routes

routes = Routes(CONTROL)


@routes.post("/registries")
def add(cloud: Cloud, call: Call) -> Reply:
    """{"name", "subscription_id", "resource_group", "location"?}: a registry that is there from now on."""
    wanted = call.json()
    made = cloud.part(Registries).add(
        wanted["name"], wanted["subscription_id"], wanted["resource_group"], wanted.get("location", "westeurope")
    )
    return Reply(201, shown(made))
