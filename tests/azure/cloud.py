"""The state of the loopback Azure: workspaces, and what each module keeps for each of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ctrain.serving import WorkspaceAddress
from tests.azure.clock import Clock
from tests.azure.contract import Contract
from tests.azure.faults import Faults
from tests.azure.journal import Journal
from tests.azure.routing import Body, Call, Refused
from tests.azure.secrets_planted import Secrets
from tests.azure.storage import Storage
from tests.azure.tenancy import Tenancy

if TYPE_CHECKING:
    from tests.azure.access import Grant

Part = TypeVar("Part")

DEFAULT_DURATION = 0.2
"""How long a long operation takes, in virtual seconds, unless control says otherwise."""


@dataclass
class Workspace:
    """One Azure ML workspace. `part(Kind)` is the one instance of a module's state class for it."""

    cloud: Cloud
    address: WorkspaceAddress
    location: str
    workspace_id: str
    storage_account: str
    container: str
    home: Path
    created: str
    tags: Mapping[str, str] = field(default_factory=dict)
    _parts: dict[type[Any], Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.address.workspace

    @property
    def arm_id(self) -> str:
        """The resource id: what ARM paths and the regional planes' paths start with."""
        a = self.address
        return (
            f"/subscriptions/{a.subscription_id}/resourceGroups/{a.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{a.workspace}"
        )

    def part(self, kind: Callable[[Cloud, Workspace], Part]) -> Part:
        """Made by `kind(cloud, workspace)` when first asked for."""
        key: Any = kind
        if key not in self._parts:
            self._parts[key] = kind(self.cloud, self)
        part: Part = self._parts[key]
        return part


class Cloud:
    """Everything behind the proxy. Used on the event loop; threads read what cannot change under them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = Clock()
        self.secrets = Secrets()
        self.tenancy = Tenancy(self.clock, self.secrets)
        self.storage = Storage(self.secrets, self.clock, home / "storage")
        self.journal = Journal()
        self.faults = Faults()
        self.contract = Contract()
        self.durations: dict[str, float] = {}
        self.grants: dict[str, Grant] = {}
        """What a client id may do; one that is not named may do everything."""
        self.without_blobs: set[str] = set()
        """Client ids that have no role on blobs."""
        self.workspaces: dict[tuple[str, str, str], Workspace] = {}
        self._closing: list[Callable[[], None]] = []
        self._resetting: list[Callable[[], None]] = []
        self._parts: dict[Any, Any] = {}

    def part(self, kind: Callable[[Cloud], Part]) -> Part:
        """State that belongs to no workspace (registries, locations): made by `kind(cloud)` when first asked for."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)
        part: Part = self._parts[kind]
        return part

    def duration(self, what: str) -> float:
        """Virtual seconds that `what` takes, e.g. "endpoint.create"; control sets them (`POST /durations`)."""
        return self.durations.get(what, DEFAULT_DURATION)

    def on_close(self, act: Callable[[], None]) -> None:
        """Run it when the loopback stops, latest first: for processes and threads that were started."""
        self._closing.append(act)

    def on_reset(self, act: Callable[[], None]) -> None:
        """Run it after each test: for what tests set and the next one must not find."""
        self._resetting.append(act)

    def reset(self) -> None:
        """As at the start, but for time, workspaces and what is in them."""
        self.faults.clear()
        self.durations.clear()
        self.grants.clear()
        self.without_blobs.clear()
        self.tenancy.reset()
        for act in self._resetting:
            act()

    async def close(self) -> None:
        """End what was started for this cloud."""
        await self.storage.close()
        while self._closing:
            self._closing.pop()()

    def add_workspace(
        self, address: WorkspaceAddress, location: str = "westeurope", storage_account: str | None = None
    ) -> Workspace:
        """A workspace with a default cluster and a default store; an existing one is given back as it is."""
        key = _key(address.subscription_id, address.resource_group, address.workspace)
        if key not in self.workspaces:
            account = storage_account or self.storage.new_account()
            workspace_id = str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(key)))
            container = f"azureml-blobstore-{workspace_id}"
            self.storage.make_container(account, container)
            folder = self.home / "workspaces" / hashlib.sha256("/".join(key).encode()).hexdigest()[:12]
            folder.mkdir(parents=True, exist_ok=True)
            self.workspaces[key] = Workspace(
                self, address, location, workspace_id, account, container, folder, self.clock.stamp()
            )
        return self.workspaces[key]

    def workspace(self, call: Call) -> Workspace:
        """The workspace that the path names (`{subscription}`, `{group}`, `{workspace}`). Refuses as ARM does."""
        group, name = call.params["group"], call.params["workspace"]
        found = self.workspaces.get(_key(call.params["subscription"], group, name))
        if found is None:
            raise self._missing(call.params["subscription"], group, name)
        return found

    def workspace_by_id(self, workspace_id: str) -> Workspace:
        """The workspace with that GUID, as the MLflow host's paths name it."""
        for workspace in self.workspaces.values():
            if workspace.workspace_id == workspace_id.lower():
                return workspace
        raise Refused(404, "UserError", f"Workspace {workspace_id} not found")

    def _missing(self, subscription: str, group: str, name: str) -> Refused:
        """Wording: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found."""
        if not any(key[0] == subscription.lower() for key in self.workspaces):
            message = f"The subscription '{subscription}' could not be found."
            return Refused(404, "SubscriptionNotFound", message)
        if not any(key[:2] == (subscription.lower(), group.lower()) for key in self.workspaces):
            return Refused(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        resource = f"Microsoft.MachineLearningServices/workspaces/{name}"
        message = (
            f"The Resource '{resource}' under resource group '{group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )
        return Refused(404, "ResourceNotFound", message)


def _key(subscription: str, group: str, workspace: str) -> tuple[str, str, str]:
    return subscription.lower(), group.lower(), workspace.lower()


def system_data(stamp: str) -> Body:
    """Who made and changed a resource, and when."""
    who = {"createdBy": "Loopback", "createdByType": "Application", "lastModifiedBy": "Loopback"}
    return {**who, "lastModifiedByType": "Application", "createdAt": stamp, "lastModifiedAt": stamp}
