"""Registries as ARM resources (2022-10-01-preview)."""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.registries.state import Registries, Registry, registry_of
from tests.azure.routing import GROUP, LOCATION, PROVIDER, REGISTRY, SUBSCRIPTION, Body, Call, Refused, Reply, Routes
from tests.azure.tenancy import TENANT

routes = Routes(ARM)

OPERATION: Final = LOCATION + "/registryOperationsStatus/{operation}"


@routes.get(REGISTRY)
def get(cloud: Cloud, call: Call) -> Reply:
    """One registry."""
    return Reply(200, shown(_at(cloud, call)))


@routes.get(GROUP + PROVIDER + "/registries")
def in_group(cloud: Cloud, call: Call) -> Reply:
    """A resource group's registries."""
    group = call.params["group"].lower()
    return paged(call, [shown(one) for one in _of(cloud, call) if one.group.lower() == group])


@routes.get(SUBSCRIPTION + PROVIDER + "/registries")
def in_subscription(cloud: Cloud, call: Call) -> Reply:
    """A subscription's registries."""
    return paged(call, [shown(one) for one in _of(cloud, call)])


@routes.put(REGISTRY)
def put(cloud: Cloud, call: Call) -> Reply:
    """Create it, or change its tags and description."""
    registries, sent = cloud.part(Registries), call.json()
    name, location = call.params["registry"], sent.get("location")
    if not location:
        raise Refused(400, "LocationRequired", "The location property is required for this definition.")
    existing = registries.all.get(name.lower())
    if existing is not None and existing.arm_id.lower() != _path_id(call):
        raise Refused(409, "UserError", f"The registry name {name} is taken.")

    async def work() -> None:
        made = registries.add(name, call.params["subscription"], call.params["group"], str(location).lower())
        made.body = sent

    operation = registries.start(cloud.duration("registry.create"), work)
    return Reply(202, None, _headers(call, str(location), operation))


@routes.delete(REGISTRY)
def delete(cloud: Cloud, call: Call) -> Reply:
    """Delete it with all its assets."""
    registries = cloud.part(Registries)
    found = registries.all.get(call.params["registry"].lower())
    if found is None or found.arm_id.lower() != _path_id(call):
        return Reply(204)

    async def work() -> None:
        registries.all.pop(found.name.lower(), None)

    operation = registries.start(cloud.duration("registry.delete"), work)
    return Reply(202, None, _headers(call, found.location, operation))


@routes.get(OPERATION)
async def operation(cloud: Cloud, call: Call) -> Reply:
    """What both headers lead to: `type` of the query says whether a status or a result is wanted."""
    ongoing = await cloud.part(Registries).nearly(call.params["operation"])
    if call.query.get("type") == "location":
        return Reply(200 if ongoing.done.is_set() else 202)
    if not ongoing.done.is_set():
        return Reply(200, {"status": "InProgress"})
    if ongoing.problem is not None:
        return Reply(200, {"status": "Failed", **ongoing.problem.reply.body})
    return Reply(200, {"status": "Succeeded", "percentComplete": 100.0})


def shown(registry: Registry) -> Body:
    """The resource, as GET and the lists give it."""
    group = f"/subscriptions/{registry.subscription}/resourceGroups/azureml-rg-{registry.name}_{registry.registry_id}"
    plane = f"{registry.location}.api.azureml.ms"
    storage = {
        "userCreatedStorageAccount": None,
        "systemCreatedStorageAccount": {
            "storageAccountName": registry.account,
            "storageAccountType": "standard_lrs",
            "storageAccountHnsEnabled": False,
            "armResourceId": {"resourceId": f"{group}/providers/Microsoft.Storage/storageAccounts/{registry.account}"},
        },
    }
    properties: Body = {
        "description": (registry.body.get("properties") or {}).get("description"),
        "regionDetails": [{"location": registry.location, "storageAccountDetails": [storage], "acrDetails": []}],
        "intellectualPropertyPublisher": None,
        "publicNetworkAccess": "Enabled",
        "discoveryUrl": f"https://{plane}/registrymanagement/v1.0/registries/{registry.name}/discovery",
        "managedResourceGroup": {"resourceId": group},
        "mlFlowRegistryUri": f"azureml://{plane}/mlflow/v1.0{registry.arm_id}",
    }
    return {
        "id": registry.arm_id,
        "name": registry.name,
        "type": "Microsoft.MachineLearningServices/registries",
        "location": registry.location,
        "tags": registry.body.get("tags") or {},
        "identity": {"type": "SystemAssigned", "principalId": registry.registry_id, "tenantId": TENANT},
        "properties": properties,
        "systemData": None,
    }


def _at(cloud: Cloud, call: Call) -> Registry:
    registry = registry_of(cloud, call)
    if registry.arm_id.lower() != _path_id(call):
        raise Refused(404, "ResourceNotFound", f"The Resource '{call.params['registry']}' was not found.")
    return registry


def _path_id(call: Call) -> str:
    return REGISTRY.format(**call.params).lower()


def _of(cloud: Cloud, call: Call) -> list[Registry]:
    wanted = call.params["subscription"].lower()
    return [one for one in cloud.part(Registries).all.values() if one.subscription.lower() == wanted]


def _headers(call: Call, location: str, operation: str) -> dict[str, str]:
    where = LOCATION.format(subscription=call.params["subscription"], location=location)
    url = f"https://{call.host}{where}/registryOperationsStatus/{operation}?api-version={call.api_version}"
    return {"Azure-AsyncOperation": f"{url}&type=async", "Location": f"{url}&type=location"}
