"""Datastores: the default blob store of a workspace, those that users add, and their secrets."""

from __future__ import annotations

from typing import Any, Final

from tests.azure.arm.refusals import UserError
from tests.azure.cloud import Cloud, Workspace, system_data
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Reply, Routes

routes = Routes(ARM)

DEFAULT: Final = "workspaceblobstore"
ARTIFACTS: Final = "workspaceartifactstore"


class Datastores:
    """A workspace's datastores, by name. `identity_based` ones have no secrets: tokens are asked for instead."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._cloud = cloud
        self._workspace = workspace
        self.default = DEFAULT
        self.stores: dict[str, Body] = {}
        self.secrets: dict[str, Body] = {}
        for name in (DEFAULT, ARTIFACTS):
            self._blob(name, workspace.container)

    def _blob(self, name: str, container: str) -> None:
        a = self._workspace.address
        self.stores[name] = {
            "description": None,
            "tags": {},
            "properties": None,
            "credentials": {"credentialsType": "AccountKey"},
            "datastoreType": "AzureBlob",
            "accountName": self._workspace.storage_account,
            "containerName": container,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
            "subscriptionId": a.subscription_id,
            "resourceGroup": a.resource_group,
        }

    def use_identity(self, name: str = DEFAULT) -> None:
        """No secrets any more: whoever comes must bring a token."""
        self.stores[name]["credentials"] = {"credentialsType": "None"}

    def get(self, name: str) -> Body:
        """The store's properties. Refuses with 404."""
        if name.lower() not in self.stores:
            raise UserError(self._workspace, 404, "NotFound", f"Could not find datastore with name: {name}.")
        return self.stores[name.lower()]

    def shown(self, name: str, host: str = "") -> Body:
        """The resource, as it is seen under that host of ARM's."""
        properties = {**self.get(name), "isDefault": name == self.default}
        if host.endswith("usgovcloudapi.net") and properties.get("endpoint") == "core.windows.net":
            properties["endpoint"] = "core.usgovcloudapi.net"
        return {
            "id": f"{self._workspace.arm_id}/datastores/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/datastores",
            "properties": properties,
            "systemData": system_data(self._workspace.created),
        }

    def secret(self, name: str, *, expirable: bool) -> Body:
        """What opens the store: a signature for a day where an expiring secret is wanted, else the account's key."""
        store = self.get(name)
        kind = store["credentials"]["credentialsType"]
        if kind == "None":
            message = f"Datastore {name} does not have credentials."
            raise UserError(self._workspace, 400, "BadArgument", message)
        if name in self.secrets:
            return self.secrets[name]
        storage, account = self._cloud.storage, store["accountName"]
        if expirable or kind == "Sas":
            # for the whole account: the SDK opens the containers of codes with it
            return {"secretsType": "Sas", "sasToken": storage.account_sas(account)}
        return {"secretsType": "AccountKey", "key": storage.key(account)}

    def put(self, name: str, properties: Body) -> bool:
        """Make or replace; true where it is new. Secrets go in, and never come out but by listSecrets."""
        new = name.lower() not in self.stores
        credentials = dict(properties.get("credentials") or {"credentialsType": "None"})
        secrets: Any = credentials.pop("secrets", None)
        if secrets:
            self.secrets[name.lower()] = secrets
            for value in (secrets.get("key"), secrets.get("sasToken"), secrets.get("clientSecret")):
                if value:
                    self._cloud.secrets.plant(value, "datastore secret")
        self.stores[name.lower()] = {**properties, "credentials": credentials}
        return new


@routes.get(WORKSPACE + "/datastores")
def list_datastores(cloud: Cloud, call: Call) -> Reply:
    """All of them, or the default one."""
    stores = cloud.workspace(call).part(Datastores)
    names = sorted(stores.stores)
    if call.query.get("isDefault", "").lower() == "true":
        names = [stores.default]
    return paged(call, [stores.shown(name, call.host) for name in names], skip="$skip")


@routes.get(WORKSPACE + "/datastores/{name}")
def get(cloud: Cloud, call: Call) -> Reply:
    """One store, its secrets left out."""
    return Reply(200, cloud.workspace(call).part(Datastores).shown(call.params["name"].lower(), call.host))


@routes.put(WORKSPACE + "/datastores/{name}")
def put(cloud: Cloud, call: Call) -> Reply:
    """Make or replace a store."""
    stores = cloud.workspace(call).part(Datastores)
    new = stores.put(call.params["name"], call.json().get("properties", {}))
    return Reply(201 if new else 200, stores.shown(call.params["name"].lower(), call.host))


@routes.delete(WORKSPACE + "/datastores/{name}")
def delete(cloud: Cloud, call: Call) -> Reply:
    """Forget a store; its content stays."""
    stores = cloud.workspace(call).part(Datastores)
    return Reply(200 if stores.stores.pop(call.params["name"].lower(), None) else 204)


@routes.post(WORKSPACE + "/datastores/{name}/listSecrets")
def list_secrets(cloud: Cloud, call: Call) -> Reply:
    """What opens the store."""
    stores = cloud.workspace(call).part(Datastores)
    expirable = bool(call.json().get("expirableSecret"))
    return Reply(200, stores.secret(call.params["name"].lower(), expirable=expirable))


@routes.get(WORKSPACE + "/defaultDatastore")
def default(cloud: Cloud, call: Call) -> Reply:
    """The default store."""
    stores = cloud.workspace(call).part(Datastores)
    return Reply(200, stores.shown(stores.default, call.host))
