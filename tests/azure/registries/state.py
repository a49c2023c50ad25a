"""Registries and their assets as they are kept, and the long operations of both."""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tests.azure.arm.codes import CODES
from tests.azure.arm.data import DATA
from tests.azure.arm.environments import ENVIRONMENTS
from tests.azure.arm.models import MODELS
from tests.azure.cloud import Cloud, system_data
from tests.azure.routing import Body, Call, Refused

KINDS: Final = ("models", "environments", "data", "components", "codes")
_SHOWN: Final = {kind.plural: kind.shown for kind in (CODES, DATA, ENVIRONMENTS, MODELS)}
PATIENCE: Final = 10.0
"""Real seconds for which an answer waits for an operation that is about to end: clients ask again after 30."""

SOON: Final = 0.5
"""Virtual seconds."""


@dataclass
class Version:
    """One version of an asset: immutable but for its description, tags and archive mark."""

    name: str
    properties: Body
    created: str
    modified: str


@dataclass
class Container:
    """All versions of an asset, oldest first. `deleted` are versions that cannot be made again."""

    name: str
    created: str
    properties: Body = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    @property
    def next_version(self) -> str:
        numbers = [int(name) for name in (*self.versions, *self.deleted) if name.isdecimal()]
        return str(max(numbers, default=0) + 1)


@dataclass(eq=False)
class Registry:
    """One registry with its own storage account. `registry_id` is its GUID."""

    cloud: Cloud
    name: str
    subscription: str
    group: str
    location: str
    account: str
    created: str
    body: Body = field(default_factory=dict)
    registry_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    assets: dict[str, dict[str, Container]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    @property
    def arm_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/registries/{self.name}"
        )

    def container(self, kind: str, name: str) -> Container:
        """Refuses a name that is not there."""
        found = self.assets[kind].get(name)
        if found is None:
            raise not_found(kind, f"{_singular(kind)} container with name: {name} not found.")
        return found

    def version(self, kind: str, name: str, version: str) -> Version:
        """Refuses a version that is not there."""
        found = self.container(kind, name).versions.get(version)
        if found is None:
            raise not_found(kind, f"{_singular(kind)} container with name: {name} and version: {version} not found.")
        return found

    def put(self, kind: str, name: str, version: str, properties: Body) -> Version:
        """Make that version, or change what may change of it. Refuses all else."""
        container = self.assets[kind].setdefault(name, Container(name, self.cloud.clock.stamp()))
        if version in container.deleted:
            message = f"{_singular(kind)} {name}:{version} was deleted, it cannot be recreated. Use another version."
            raise Refused(409, "UserError", message)
        now = self.cloud.clock.stamp()
        existing = container.versions.get(version)
        if existing is None:
            container.versions[version] = Version(version, properties, now, now)
            return container.versions[version]
        for path in ("modelUri", "dataUri", "codeUri"):
            before, after = existing.properties.get(path), properties.get(path)
            if after is not None and before is not None and after.rstrip("/") != before.rstrip("/"):
                raise Refused(400, "UserError", "Asset paths cannot be updated.")
        changed: Body = {n: properties[n] for n in ("description", "tags", "isArchived", "stage") if n in properties}
        existing.properties |= changed
        existing.modified = now
        return existing


def not_found(kind: str, message: str) -> Refused:
    """As the service says it of models."""
    detail = {"code": f"{_singular(kind)}NotFound", "message": message}
    return Refused(404, "UserError", "The specified resource was not found.", details=[detail])


def _singular(kind: str) -> str:
    return kind.removesuffix("s").capitalize()


@dataclass
class Ongoing:
    """A long operation. `body` is what it leads to."""

    due: float
    body: Callable[[], Body | None]
    problem: Refused | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Registries:
    """All registries of the cloud, by name in lower case (taken for the whole tenant), and their operations."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.all: dict[str, Registry] = {}
        self.operations: dict[str, Ongoing] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, name: str, subscription: str, group: str, location: str) -> Registry:
        """One that is there at once; an existing one is given back as it is."""
        if name.lower() not in self.all:
            account = self._cloud.storage.new_account()
            now = self._cloud.clock.stamp()
            self.all[name.lower()] = Registry(self._cloud, name, subscription, group, location, account, now)
        return self.all[name.lower()]

    def named(self, name: str) -> Registry:
        """Refuses a name that is not there."""
        found = self.all.get(name.lower())
        if found is None:
            raise Refused(404, "UserError", f"Registry {name} not found.")
        return found

    def start(
        self, seconds: float, work: Callable[[], Awaitable[None]], body: Callable[[], Body | None] = lambda: None
    ) -> str:
        """Begin an operation that takes so long (virtual), then does `work`; its id."""
        operation_id = str(uuid.uuid4())
        ongoing = Ongoing(self._cloud.clock.time() + seconds, body)
        self.operations[operation_id] = ongoing
        task = asyncio.create_task(self._carry_out(ongoing, seconds, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation_id

    async def _carry_out(self, ongoing: Ongoing, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._cloud.clock.sleep(seconds)
            await work()
        except Refused as refusal:
            ongoing.problem = refusal
        except Exception as bug:  # noqa: BLE001  nobody awaits this task: whoever waits for the operation must be told
            traceback.print_exc()
            ongoing.problem = Refused(500, "InternalServerError", f"loopback: {bug!r}")
        ongoing.done.set()

    async def nearly(self, operation_id: str) -> Ongoing:
        """The operation; waits a little for one that is about to end. Refuses an id that was never given out."""
        ongoing = self.operations.get(operation_id)
        if ongoing is None:
            raise Refused(404, "ResourceNotFound", "The operation was not found.")
        if ongoing.due - self._cloud.clock.time() <= SOON:
            with suppress(TimeoutError):
                await asyncio.wait_for(ongoing.done.wait(), PATIENCE)
        return ongoing


def registry_of(cloud: Cloud, call: Call) -> Registry:
    """The registry that the path names."""
    return cloud.part(Registries).named(call.params["registry"])


def container_body(registry: Registry, kind: str, container: Container) -> Body:
    """A container as it looks on the wire."""
    latest = next(reversed(container.versions), None)
    properties = {
        "description": None,
        "tags": {},
        "properties": {},
        **container.properties,
        "isArchived": bool(container.properties.get("isArchived")),
        "latestVersion": latest,
        "nextVersion": container.next_version,
        "provisioningState": "Succeeded",
    }
    return {
        "id": f"azureml://registries/{registry.name}/{kind}/{container.name}",
        "name": container.name,
        "type": f"Microsoft.MachineLearningServices/registries/{kind}",
        "properties": properties,
        "systemData": system_data(container.created),
    }


def version_body(registry: Registry, kind: str, container: Container, version: Version) -> Body:
    """A version as it looks on the wire."""
    properties = {
        "description": None,
        "tags": {},
        "properties": {},
        "isAnonymous": False,
        "isArchived": False,
        **_SHOWN.get(kind, {}),
        **{name: value for name, value in version.properties.items() if value is not None},
        "provisioningState": "Succeeded",
    }
    return {
        "id": f"azureml://registries/{registry.name}/{kind}/{container.name}/versions/{version.name}",
        "name": version.name,
        "type": f"Microsoft.MachineLearningServices/registries/{kind}/versions",
        "properties": properties,
        "systemData": system_data(version.created) | {"lastModifiedAt": version.modified},
    }
