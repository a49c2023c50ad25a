"""How endpoints and deployments look in ARM's JSON, at every api-version alike.

Shapes: the recordings in Azure/azure-sdk-assets, python/sdk/ml/azure-ai-ml/tests/recordings/online_services.
"""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import system_data
from tests.azure.routing import Body
from tests.azure.serving.state import OWN, Deployment, Endpoint
from tests.azure.tenancy import TENANT

TYPE: Final = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"


def endpoint_body(endpoint: Endpoint, traffic: dict[str, int], mirror: dict[str, int]) -> Body:
    """The resource, with this traffic."""
    sent = endpoint.body["properties"]
    url = endpoint.scoring_url if endpoint.came_up else None
    properties = {
        "authMode": endpoint.auth_mode,
        "description": sent.get("description"),
        "properties": _extra(sent, endpoint),
        "traffic": traffic,
        "mirrorTraffic": mirror,
        "publicNetworkAccess": sent.get("publicNetworkAccess") or "Enabled",
        "provisioningState": endpoint.state,
        "scoringUri": url,
        "swaggerUri": url and url.removesuffix("/score") + "/swagger.json",
        "compute": None,
    }
    return _resource(endpoint, endpoint.arm_id, TYPE, endpoint.name, properties) | {
        "identity": _identity(endpoint),
        "kind": endpoint.body.get("kind") or "Managed",
    }


def deployment_body(endpoint: Endpoint, deployment: Deployment) -> Body:
    """The resource, with the service's own defaults where the request was silent."""
    sent = deployment.settings
    properties = {
        "endpointComputeType": "Managed",
        "appInsightsEnabled": False,
        "egressPublicNetworkAccess": "Enabled",
        "scaleSettings": {"scaleType": "Default"},
        "environmentVariables": {},
        "modelMountPath": None,
        "dataCollector": None,
        **{name: value for name, value in sent.items() if value is not None},
        "requestSettings": {**REQUESTS, **_given(sent.get("requestSettings"))},
        "livenessProbe": {**PROBE, **_given(sent.get("livenessProbe"))},
        "readinessProbe": {**PROBE, **_given(sent.get("readinessProbe"))},
        "properties": _extra(sent, deployment),
        "provisioningState": deployment.state,
    }
    arm_id = f"{endpoint.arm_id}/deployments/{deployment.name}"
    sku = {
        "name": "Default",
        "tier": "Standard",
        **_given(deployment.body.get("sku")),
        "capacity": deployment.instances,
    }
    return _resource(deployment, arm_id, f"{TYPE}/deployments", deployment.name, properties) | {
        "sku": sku,
        "kind": deployment.body.get("kind") or "Managed",
        "location": deployment.body.get("location") or endpoint.workspace.location,
    }


# Defaults: as recorded, and in "CLI (v2) managed online deployment YAML schema" on Microsoft Learn.
REQUESTS: Final[Body] = {
    "requestTimeout": "PT5S",
    "maxConcurrentRequestsPerInstance": 1,
    "maxQueueWait": "PT0S",
}
PROBE: Final[Body] = {
    "initialDelay": "PT10S",
    "period": "PT10S",
    "timeout": "PT2S",
    "failureThreshold": 30,
    "successThreshold": 1,
}


def _resource(one: Endpoint | Deployment, arm_id: str, kind: str, name: str, properties: Body) -> Body:
    system = system_data(one.created) | {"lastModifiedAt": one.modified}
    return {
        "id": arm_id,
        "name": name,
        "type": kind,
        "location": one.body.get("location"),
        "tags": one.body.get("tags") or {},
        "properties": properties,
        "systemData": system,
    }


def _extra(sent: Body, one: Endpoint | Deployment) -> Body:
    extra = {name: value for name, value in (sent.get("properties") or {}).items() if name not in OWN}
    if isinstance(one, Endpoint):
        extra["azureml.onlineendpointid"] = one.arm_id.lower()
    if one.operation is not None:
        extra["AzureAsyncOperationUri"] = one.operation.url
    return extra


def _identity(endpoint: Endpoint) -> Body:
    sent = dict(endpoint.body.get("identity") or {"type": "SystemAssigned"})
    kind = str(sent.get("type", "SystemAssigned"))
    if "SystemAssigned" in kind:
        sent |= {"principalId": endpoint.principal_id, "tenantId": TENANT}
    users = sent.get("userAssignedIdentities") or {}
    if users:
        ids = {"principalId": endpoint.principal_id, "clientId": endpoint.principal_id}
        sent["userAssignedIdentities"] = dict.fromkeys(users, ids)
    return sent


def _given(settings: Body | None) -> Body:
    return {name: value for name, value in (settings or {}).items() if value is not None}
