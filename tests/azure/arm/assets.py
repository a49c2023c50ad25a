"""Versioned assets: containers and their versions, for codes, components, data, environments and models alike.

A version is there for ever: what it points to and its properties cannot be changed; tags, description, stage and
`isArchived` can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.azure.arm.refusals import UserError
from tests.azure.cloud import Cloud, Workspace
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Reply, Routes

MUTABLE: Final = ("description", "tags", "isArchived", "stage", "autoDeleteSetting")


@dataclass(frozen=True)
class Kind:
    """One kind of asset. `shown` are the properties that every version has, with their defaults."""

    plural: str
    shown: Mapping[str, Any]
    fixed: tuple[str, ...]
    refusal: str = "Asset paths cannot be updated."
    container: Mapping[str, Any] = field(default_factory=dict)
    integers: bool = False
    """Whether versions must be positive integers, as those of models."""
    location: str | None = None
    """The property that holds an azureml:// address; it is kept with its workspace in it, as the service does."""


@dataclass
class Version:
    """One version of an asset. `properties` is what ARM shows under that name."""

    id: str
    kind: str
    name: str
    version: str
    properties: Body
    created: str
    modified: str
    number: int


@dataclass
class Container:
    """What all versions of a name share."""

    id: str
    name: str
    properties: Body
    created: str
    modified: str
    versions: dict[str, Version] = field(default_factory=dict)

    @property
    def latest(self) -> Version | None:
        """The one that was created last."""
        return max(self.versions.values(), key=lambda version: version.number, default=None)

    @property
    def next_version(self) -> str:
        numbers = [int(version) for version in self.versions if version.isdigit()]
        return str(max(numbers, default=0) + 1)


class Assets:
    """One workspace's assets."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._cloud = cloud
        self._workspace = workspace
        self._containers: dict[tuple[str, str], Container] = {}
        self._count = 0

    def containers(self, plural: str) -> Iterator[Container]:
        """All of a kind, in the order of their making."""
        return (container for (kind, _), container in self._containers.items() if kind == plural)

    def container(self, plural: str, name: str) -> Container | None:
        return self._containers.get((plural, name.lower()))

    def get(self, plural: str, name: str, version: str) -> Version | None:
        """That version, or None."""
        container = self.container(plural, name)
        return container.versions.get(version) if container else None

    def latest(self, plural: str, name: str) -> Version | None:
        """The version that was created last, or None."""
        container = self.container(plural, name)
        return container.latest if container else None

    def find(self, plural: str, reference: str) -> Version | None:
        """By ARM id, `azureml:name:version`, `azureml:name@latest` or `name:version`; None where there is none."""
        arm = re.search(rf"/{plural}/([^/]+)/(versions|labels)/([^/]+)\Z", reference, re.IGNORECASE)
        if arm:
            return self.latest(plural, arm[1]) if arm[2].lower() == "labels" else self.get(plural, arm[1], arm[3])
        name, _, version = reference.removeprefix("azureml:").partition(":")
        if "@" in name:
            return self.latest(plural, name.partition("@")[0])
        return self.get(plural, name, version)

    def put_container(self, kind: Kind, name: str, properties: Body) -> tuple[Container, bool]:
        """Make the container or change what may change; True where it is new."""
        now = self._cloud.clock.stamp()
        known = self.container(kind.plural, name)
        if known is not None:
            known.properties.update(
                {key: value for key, value in properties.items() if key in (*MUTABLE, "properties")}
            )
            known.modified = now
            return known, False
        shown: Body = {"description": None, "tags": {}, "properties": {}, "isArchived": False, **kind.container}
        given = {key: value for key, value in properties.items() if value is not None}
        arm_id = f"{self._workspace.arm_id}/{kind.plural}/{name}"
        container = Container(arm_id, name, {**shown, **given}, now, now)
        self._containers[kind.plural, name.lower()] = container
        return container, True

    def put(self, kind: Kind, name: str, version: str, properties: Body) -> tuple[Version, bool]:
        """Make the version or change what may change; True where it is new. Refuses to change what it points to."""
        if kind.integers and not re.fullmatch(r"[1-9]\d*", version):
            # https://github.com/Azure/azureml-examples/issues/2725
            message = f"The version '{version}' of {name} is not valid: it must be a positive integer."
            raise UserError(self._workspace, 400, "BadArgument", message)
        now = self._cloud.clock.stamp()
        properties = self._as_kept(kind, properties)
        known = self.get(kind.plural, name, version)
        if known is not None:
            self._change(kind, known, properties)
            known.modified = now
            return known, False
        inherited = {key: properties[key] for key in kind.container if key in properties}
        container, _ = self.put_container(kind, name, inherited)
        self._count += 1
        shown: Body = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": False}
        given = {key: value for key, value in properties.items() if value is not None}
        arm_id = f"{container.id}/versions/{version}"
        made = Version(arm_id, kind.plural, name, version, {**shown, **kind.shown, **given}, now, now, self._count)
        container.versions[version] = made
        return made, True

    def _as_kept(self, kind: Kind, properties: Body) -> Body:
        if own := properties.get("properties"):
            properties = {**properties, "properties": {key: str(value) for key, value in own.items()}}
        address = str(properties.get(kind.location or "") or "")
        if kind.location is None or not address.startswith("azureml://datastores/"):
            return properties
        a = self._workspace.address
        whole = (
            f"azureml://subscriptions/{a.subscription_id}/resourcegroups/{a.resource_group}"
            f"/workspaces/{a.workspace}/{address.removeprefix('azureml://')}"
        )
        return {**properties, kind.location: whole}

    def _change(self, kind: Kind, known: Version, properties: Body) -> None:
        for key in (*kind.fixed, "properties"):
            if properties.get(key) not in (None, {}, known.properties.get(key)):
                message = kind.refusal.format(name=known.name, version=known.version)
                raise UserError(self._workspace, 409, "Conflict", message)
        known.properties.update({key: properties[key] for key in MUTABLE if properties.get(key) is not None})


def described(item: Container | Version, kind: Kind) -> Body:
    """The resource, as GET and the lists give it."""
    what = f"Microsoft.MachineLearningServices/workspaces/{kind.plural}"
    properties = dict(item.properties)
    if isinstance(item, Container):
        latest = item.latest
        properties |= {"latestVersion": latest.version if latest else None, "nextVersion": item.next_version}
    name = item.name if isinstance(item, Container) else item.version
    who = {"createdBy": "Loopback", "createdByType": "Application", "createdAt": item.created}
    changed = {"lastModifiedBy": "Loopback", "lastModifiedByType": "Application", "lastModifiedAt": item.modified}
    typed = what if isinstance(item, Container) else f"{what}/versions"
    return {"id": item.id, "name": name, "type": typed, "properties": properties, "systemData": {**who, **changed}}


def routes_for(kind: Kind) -> Routes:
    """Containers and versions of that kind: GET, list, PUT and DELETE."""
    routes = Routes(ARM)
    _containers(routes, kind)
    _versions(routes, kind)
    return routes


def _containers(routes: Routes, kind: Kind) -> None:
    path = f"{WORKSPACE}/{kind.plural}"

    @routes.get(path)
    def list_containers(cloud: Cloud, call: Call) -> Reply:
        found = cloud.workspace(call).part(Assets).containers(kind.plural)
        shown = [described(container, kind) for container in found if not _hidden(container, call)]
        return paged(call, shown, skip="$skip")

    @routes.get(f"{path}/{{name}}")
    def get_container(cloud: Cloud, call: Call) -> Reply:
        return Reply(200, described(_container(cloud, call, kind), kind))

    @routes.put(f"{path}/{{name}}")
    def put_container(cloud: Cloud, call: Call) -> Reply:
        assets = cloud.workspace(call).part(Assets)
        container, new = assets.put_container(kind, call.params["name"], call.json().get("properties", {}))
        return Reply(201 if new else 200, described(container, kind))

    @routes.delete(f"{path}/{{name}}")
    def delete_container(cloud: Cloud, call: Call) -> Reply:
        workspace = cloud.workspace(call)
        message = f"{kind.plural} containers cannot be deleted; archive {call.params['name']} instead."
        raise UserError(workspace, 405, "MethodNotAllowed", message)


def _versions(routes: Routes, kind: Kind) -> None:
    path = f"{WORKSPACE}/{kind.plural}/{{name}}/versions"

    @routes.get(path)
    def list_versions(cloud: Cloud, call: Call) -> Reply:
        assets = cloud.workspace(call).part(Assets)
        container = assets.container(kind.plural, call.params["name"])
        versions = list(container.versions.values() if container else ())
        if "hash" in call.query:  # a snapshot is known by its content, whatever name it was given
            versions = [version for other in assets.containers(kind.plural) for version in other.versions.values()]
        found = [version for version in versions if not _hidden(version, call) and _wanted(version, call)]
        oldest_first = call.query.get("$orderBy", call.query.get("orderBy", "")).lower().endswith("asc")
        found.sort(key=lambda version: version.number, reverse=not oldest_first)
        return paged(call, [described(version, kind) for version in found], skip="$skip")

    @routes.get(f"{path}/{{version}}")
    def get_version(cloud: Cloud, call: Call) -> Reply:
        return Reply(200, described(version_of(cloud, call, kind), kind))

    @routes.put(f"{path}/{{version}}")
    def put_version(cloud: Cloud, call: Call) -> Reply:
        assets = cloud.workspace(call).part(Assets)
        properties = call.json().get("properties", {})
        version, new = assets.put(kind, call.params["name"], call.params["version"], properties)
        return Reply(201 if new else 200, described(version, kind))

    @routes.delete(f"{path}/{{version}}")
    def delete_version(cloud: Cloud, call: Call) -> Reply:
        container = cloud.workspace(call).part(Assets).container(kind.plural, call.params["name"])
        gone = container.versions.pop(call.params["version"], None) if container else None
        return Reply(200 if gone else 204)


def _container(cloud: Cloud, call: Call, kind: Kind) -> Container:
    workspace = cloud.workspace(call)
    container = workspace.part(Assets).container(kind.plural, call.params["name"])
    if container is None:
        message = f"{kind.plural} container {call.params['name']} was not found in workspace {workspace.name}."
        raise UserError(workspace, 404, "NotFound", message)
    return container


def version_of(cloud: Cloud, call: Call, kind: Kind) -> Version:
    """The version that the path names (`{name}`, `{version}`). Refuses with 404."""
    workspace = cloud.workspace(call)
    name, version = call.params["name"], call.params["version"]
    found = workspace.part(Assets).get(kind.plural, name, version)
    if found is None:
        message = f"{kind.plural} {name} with version {version} was not found in workspace {workspace.name}."
        raise UserError(workspace, 404, "NotFound", message)
    return found


def _hidden(item: Container | Version, call: Call) -> bool:
    """Whether the view asked for leaves it out: archived ones, unless they are asked for."""
    archived = bool(item.properties.get("isArchived"))
    match call.query.get("listViewType", call.query.get("list_view_type", "ActiveOnly")).lower():
        case "all":
            return False
        case "archivedonly":
            return not archived
        case _:
            return archived


def _wanted(version: Version, call: Call) -> bool:
    """Whether it passes the filters of the query: hash, tags, stage, version."""
    properties: Body = version.properties
    own: Body = properties.get("properties") or {}
    if (sought := call.query.get("hash")) and own.get("hash_sha256") != sought:
        return False
    if (sought := call.query.get("stage")) and properties.get("stage") != sought:
        return False
    if (sought := call.query.get("version")) and version.version != sought:
        return False
    tags: Body = properties.get("tags") or {}
    wanted = [tag.partition("=") for tag in call.query.get("tags", call.query.get("$tags", "")).split(",") if tag]
    return all(key in tags and (not equals or str(tags[key]) == value) for key, equals, value in wanted)
