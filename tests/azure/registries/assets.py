"""The assets of a registry: containers and versions, on the registry's own host and in ARM.

Clients of the SDK use the host that discovery names (`mferp/managementfrontend`, 2021-10-01-dataplanepreview); the
same routes are in ARM for newer clients. Creating a version is a long operation.
"""

from __future__ import annotations

from typing import Any, Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM, REGION
from tests.azure.paging import paged
from tests.azure.registries.imports import bring
from tests.azure.registries.state import (
    KINDS,
    Container,
    Registries,
    Registry,
    Version,
    container_body,
    registry_of,
    version_body,
)
from tests.azure.registries.uploads import for_reading, for_upload
from tests.azure.routing import REGISTRY, Body, Call, Refused, Reply, Routes

FRONT: Final = "/mferp/managementfrontend"

region, arm = Routes(REGION), Routes(ARM)
ROUTES: Final = [region, arm]


def _kind(call: Call) -> str:
    """The kind of asset, in a path whose case does not count."""
    found = next(segment for segment in call.path.lower().split("/registries/", 1)[1].split("/")[1:])
    return next(kind for kind in KINDS if kind == found)


def list_containers(cloud: Cloud, call: Call) -> Reply:
    """All containers of a kind."""
    registry, kind = registry_of(cloud, call), _kind(call)
    shown = [container_body(registry, kind, one) for one in registry.assets[kind].values()]
    return paged(call, [body for body in shown if _visible(call, body)])


def get_container(cloud: Cloud, call: Call) -> Reply:
    """One container."""
    registry, kind = registry_of(cloud, call), _kind(call)
    return Reply(200, container_body(registry, kind, registry.container(kind, call.params["name"])))


def put_container(cloud: Cloud, call: Call) -> Reply:
    """Make it, or change its description, tags or archive mark; a long operation, as recorded."""
    registry, kind, name = registry_of(cloud, call), _kind(call), call.params["name"]

    async def work() -> None:
        made = registry.assets[kind].setdefault(name, Container(name, cloud.clock.stamp()))
        made.properties |= call.json().get("properties") or {}

    return _accepted(cloud, registry, work, lambda: container_body(registry, kind, registry.container(kind, name)))


def list_versions(cloud: Cloud, call: Call) -> Reply:
    """The versions of one name, latest first where `$orderBy` says so; none where there is no such container."""
    registry, kind = registry_of(cloud, call), _kind(call)
    container = registry.assets[kind].get(call.params["name"])
    versions = list(container.versions.values()) if container else []
    if "desc" in call.query.get("$orderBy", "").lower():
        versions.reverse()
    shown = [version_body(registry, kind, container, one) for one in versions if container]
    return paged(call, [body for body in shown if _visible(call, body)])


def get_version(cloud: Cloud, call: Call) -> Reply:
    """One version."""
    registry, kind = registry_of(cloud, call), _kind(call)
    container = registry.container(kind, call.params["name"])
    return Reply(200, version_body(registry, kind, container, _version(registry, kind, call)))


def put_version(cloud: Cloud, call: Call) -> Reply:
    """Make it, or change what may change of it."""
    registry, kind = registry_of(cloud, call), _kind(call)
    name, version = call.params["name"], call.params["version"]
    properties: Any = call.json().get("properties")
    if not isinstance(properties, dict):
        raise Refused(400, "InvalidRequestContent", "The request content has no properties.")

    async def work() -> None:
        registry.put(kind, name, version, dict(properties))

    def made() -> Body:
        return version_body(registry, kind, registry.container(kind, name), registry.version(kind, name, version))

    return _accepted(cloud, registry, work, made)


def delete_version(cloud: Cloud, call: Call) -> Reply:
    """Delete it: its number is never given again."""
    registry, kind = registry_of(cloud, call), _kind(call)
    container = registry.assets[kind].get(call.params["name"])
    if container is None or container.versions.pop(call.params["version"], None) is None:
        return Reply(204)
    container.deleted.add(call.params["version"])
    return Reply(200)


def start_pending_upload(cloud: Cloud, call: Call) -> Reply:
    """Where to put a version's files."""
    registry, kind = registry_of(cloud, call), _kind(call)
    reference = for_upload(cloud, registry, kind, call.params["name"], call.params["version"])
    upload = {"pendingUploadId": call.json().get("pendingUploadId"), "pendingUploadType": "TemporaryBlobReference"}
    return Reply(200, {"blobReferenceForConsumption": reference, **upload})


def _asset(call: Call) -> tuple[str, str, str]:
    """Kind, name and version of the asset id in the body."""
    asset_id = str(call.json().get("assetId", ""))
    parts = asset_id.rstrip("/").split("/")
    if len(parts) < 4 or parts[-4] not in KINDS:
        raise Refused(400, "UserError", f"{asset_id!r} is no asset id.")
    return parts[-4], parts[-3], parts[-1]


def temporary_reference(cloud: Cloud, call: Call) -> Reply:
    """Where to put a new version's files, as the SDK asks; refused where the version is there already."""
    registry = registry_of(cloud, call)
    kind, name, version = _asset(call)
    container = registry.assets[kind].get(name)
    if container is not None and version in container.versions:
        raise Refused(409, "UserError", f"The asset {name}:{version} already exists in the registry {registry.name}.")
    reference = for_upload(cloud, registry, kind, name, version)
    beside = {
        "imageReferenceForConsumption": None,
        "temporaryDataReferenceId": None,
        "temporaryDataReferenceType": None,
    }
    return Reply(200, {"blobReferenceForConsumption": reference, **beside})


def data_reference(cloud: Cloud, call: Call) -> Reply:
    """Where a version's files can be read."""
    registry = registry_of(cloud, call)
    kind, name, version = _asset(call)
    uri = str(call.json().get("blobUri") or "")
    own = registry.version(kind, name, version).properties
    if uri not in (own.get("modelUri"), own.get("dataUri"), own.get("codeUri")):
        raise Refused(400, "UserError", f"{uri} is not where {name}:{version} has its files.")
    return Reply(200, {"blobReferenceForConsumption": for_reading(cloud, registry, uri)})


def import_asset(cloud: Cloud, call: Call) -> Reply:
    """Share an asset of a workspace: its files are copied."""
    registry, sent = registry_of(cloud, call), call.json().get("properties") or {}

    async def work() -> None:
        await bring(cloud, registry, sent)

    return _accepted(cloud, registry, work, lambda: None)


def _version(registry: Registry, kind: str, call: Call) -> Version:
    return registry.version(kind, call.params["name"], call.params["version"])


def _visible(call: Call, body: Body) -> bool:
    archived = bool(body["properties"].get("isArchived"))
    match call.query.get("listViewType", "ActiveOnly"):
        case "All":
            return True
        case "ArchivedOnly":
            return archived
        case _:
            return not archived


def _accepted(cloud: Cloud, registry: Registry, work: Any, body: Any) -> Reply:
    operation = cloud.part(Registries).start(cloud.duration("registry.asset"), work, body)
    where = f"https://{registry.location}.api.azureml.ms/registrymanagement/v1.0/operations/{operation}"
    headers = {"Location": where, "x-ms-async-operation-timeout": "PT1H", "Content-Type": "application/json"}
    return Reply(202, b"null", headers)


def _register() -> None:
    """The same handlers on both hosts."""
    for routes, prefix in ((region, FRONT + REGISTRY), (arm, REGISTRY)):
        for kind in KINDS:
            base = f"{prefix}/{kind}"
            routes.get(base)(list_containers)
            routes.get(base + "/{name}")(get_container)
            routes.put(base + "/{name}")(put_container)
            routes.get(base + "/{name}/versions")(list_versions)
            routes.get(base + "/{name}/versions/{version}")(get_version)
            routes.put(base + "/{name}/versions/{version}")(put_version)
            routes.delete(base + "/{name}/versions/{version}")(delete_version)
            routes.post(base + "/{name}/versions/{version}/startPendingUpload")(start_pending_upload)
        routes.put(prefix + "/tempdatarefs/{name}/versions/{version}")(temporary_reference)
        routes.post(prefix + "/datarefs/{name}/versions/{version}")(data_reference)
        routes.post(prefix + "/datareferences/{name}/versions/{version}")(data_reference)
        routes.post(prefix + "/import")(import_asset)


_register()
