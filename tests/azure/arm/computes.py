"""Computes: clusters that jobs name. They have nodes on paper only; what runs, runs in the engine."""

from __future__ import annotations

import re
from typing import Final

from tests.azure.arm.refusals import UserError
from tests.azure.cloud import Cloud, Workspace, system_data
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Reply, Routes

routes = Routes(ARM)

DEFAULT: Final = "cpu-cluster"


class Computes:
    """A workspace's clusters, by name; `cpu-cluster` is there from the start."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stamp = cloud.clock.stamp
        self.clusters: dict[str, Body] = {}
        self.put(DEFAULT, {"computeType": "AmlCompute", "properties": {"vmSize": "STANDARD_DS3_V2"}})

    def put(self, name: str, properties: Body) -> bool:
        """Make or replace a cluster; true where it is new."""
        if not re.fullmatch(r"[a-zA-Z](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?", name):
            message = f"Compute name {name} is invalid: 2 to 32 letters, digits and dashes, a letter first."
            raise UserError(self._workspace, 400, "BadArgument", message)
        now, key = self._stamp(), name.lower()
        known = self.clusters.get(key)
        wanted: Body = properties.get("properties") or {}
        inner: Body = {
            "osType": "Linux",
            "vmSize": "STANDARD_DS3_V2",
            "vmPriority": "Dedicated",
            "virtualMachineImage": None,
            "isolatedNetwork": False,
            "userAccountCredentials": None,
            "subnet": None,
            "remoteLoginPortPublicAccess": "NotSpecified",
            "allocationState": "Steady",
            "allocationStateTransitionTime": now,
            "errors": None,
            "currentNodeCount": 0,
            "targetNodeCount": 0,
            "nodeStateCounts": dict.fromkeys(_STATES, 0),
            "enableNodePublicIp": True,
            "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT120S"},
        }
        self.clusters[key] = {
            "name": name,
            "computeType": properties.get("computeType", "AmlCompute"),
            "computeLocation": self._workspace.location,
            "description": properties.get("description"),
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "createdOn": known["createdOn"] if known else now,
            "modifiedOn": now,
            "resourceId": None,
            "isAttachedCompute": False,
            "disableLocalAuth": True,
            "properties": {**inner, **{k: v for k, v in wanted.items() if v is not None}},
        }
        return known is None

    def find(self, name: str) -> Body | None:
        """The cluster's properties, or None."""
        return self.clusters.get(name.lower())

    def shown(self, name: str) -> Body:
        """The resource. Refuses with 404."""
        cluster = self.find(name)
        if cluster is None:
            message = f"The specified compute resource {name} was not found in workspace {self._workspace.name}."
            raise UserError(self._workspace, 404, "ComputeNotFound", message)
        return {
            "id": f"{self._workspace.arm_id}/computes/{cluster['name']}",
            "name": cluster["name"],
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": self._workspace.location,
            "tags": {},
            "properties": {key: value for key, value in cluster.items() if key != "name"},
            "systemData": system_data(cluster["createdOn"]),
        }


_STATES: Final = (
    "idleNodeCount",
    "runningNodeCount",
    "preparingNodeCount",
    "unusableNodeCount",
    "leavingNodeCount",
    "preemptedNodeCount",
)


@routes.get(WORKSPACE + "/computes")
def list_computes(cloud: Cloud, call: Call) -> Reply:
    """All clusters, or those of a type."""
    computes = cloud.workspace(call).part(Computes)
    wanted = call.query.get("computeType")
    found = [name for name, c in computes.clusters.items() if wanted in (None, c["computeType"])]
    return paged(call, [computes.shown(name) for name in found], skip="$skip")


@routes.get(WORKSPACE + "/computes/{name}")
def get(cloud: Cloud, call: Call) -> Reply:
    """One cluster."""
    return Reply(200, cloud.workspace(call).part(Computes).shown(call.params["name"]))


@routes.put(WORKSPACE + "/computes/{name}")
def put(cloud: Cloud, call: Call) -> Reply:
    """Make or replace a cluster; it is there at once."""
    computes = cloud.workspace(call).part(Computes)
    new = computes.put(call.params["name"], call.json().get("properties", {}))
    return Reply(201 if new else 200, computes.shown(call.params["name"]))


@routes.delete(WORKSPACE + "/computes/{name}")
def delete(cloud: Cloud, call: Call) -> Reply:
    """Take a cluster away, at once."""
    gone = cloud.workspace(call).part(Computes).clusters.pop(call.params["name"].lower(), None)
    return Reply(200 if gone else 204)
