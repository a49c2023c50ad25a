"""Workspaces as ARM shows them. Made by control only; no create, update or delete over the wire."""

from __future__ import annotations

from tests.azure.cloud import Cloud, Workspace, system_data
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import GROUP, PROVIDER, SUBSCRIPTION, WORKSPACE, Body, Call, Reply, Routes
from tests.azure.tenancy import TENANT

routes = Routes(ARM)


@routes.get(WORKSPACE)
def get(cloud: Cloud, call: Call) -> Reply:
    """One workspace."""
    return Reply(200, shown(cloud.workspace(call), call.host))


@routes.get(GROUP + PROVIDER + "/workspaces")
def in_group(cloud: Cloud, call: Call) -> Reply:
    """A resource group's workspaces."""
    group = call.params["group"].lower()
    return _listed(cloud, call, [w for w in _of(cloud, call) if w.address.resource_group.lower() == group])


@routes.get(SUBSCRIPTION + PROVIDER + "/workspaces")
def in_subscription(cloud: Cloud, call: Call) -> Reply:
    """A subscription's workspaces."""
    return _listed(cloud, call, _of(cloud, call))


def _of(cloud: Cloud, call: Call) -> list[Workspace]:
    wanted = call.params["subscription"].lower()
    return [w for w in cloud.workspaces.values() if w.address.subscription_id.lower() == wanted]


def _listed(cloud: Cloud, call: Call, workspaces: list[Workspace]) -> Reply:
    return paged(call, [shown(workspace, call.host) for workspace in workspaces])


def shown(workspace: Workspace, host: str = "management.azure.com") -> Body:
    """The resource, as GET and the lists give it."""
    government = host.endswith("usgovcloudapi.net")
    plane = f"{workspace.location}.api.{'ml.azure.us' if government else 'azureml.ms'}"
    group = workspace.arm_id.split("/providers/")[0]
    notebooks = f"{workspace.workspace_id}.{workspace.location}.notebooks.azure.net"
    properties: Body = {
        "friendlyName": workspace.name,
        "description": "",
        "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{workspace.storage_account}",
        "keyVault": f"{group}/providers/Microsoft.Keyvault/vaults/{workspace.name}",
        "applicationInsights": f"{group}/providers/Microsoft.insights/components/{workspace.name}",
        "hbiWorkspace": False,
        "tenantId": TENANT,
        "imageBuildCompute": None,
        "provisioningState": "Succeeded",
        "containerRegistry": None,
        "creationTime": workspace.created,
        "notebookInfo": {
            "resourceId": workspace.workspace_id.replace("-", ""),
            "fqdn": f"ml-{workspace.name}-{workspace.location}-{notebooks}",
            "isPrivateLinkEnabled": False,
            "notebookPreparationError": None,
        },
        "storageHnsEnabled": False,
        "workspaceId": workspace.workspace_id,
        "linkedModelInventoryArmId": None,
        "privateLinkCount": 0,
        "publicNetworkAccess": "Enabled",
        "discoveryUrl": f"https://{plane}/discovery",
        "mlFlowTrackingUri": f"azureml://{plane}/mlflow/v1.0{workspace.arm_id}",
        "sdkTelemetryAppInsightsKey": None,
        "enableDataIsolation": False,
        "v1LegacyMode": False,
        "systemDatastoresAuthMode": "accesskey",
    }
    return {
        "id": workspace.arm_id,
        "name": workspace.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": workspace.location,
        "tags": dict(workspace.tags),
        "etag": None,
        "properties": properties,
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "systemData": system_data(workspace.created),
        "identity": {"type": "SystemAssigned", "principalId": workspace.workspace_id, "tenantId": TENANT},
    }
