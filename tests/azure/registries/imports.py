"""Sharing an asset of a workspace into a registry: the service copies its files, so that both are on their own."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final

from tests.azure.cloud import Cloud, Workspace
from tests.azure.jobs.stored import Place, put_files
from tests.azure.registries.state import KINDS, Registry
from tests.azure.registries.uploads import container_of
from tests.azure.routing import Body, Refused

_URIS: Final = ("modelUri", "dataUri", "codeUri")


async def bring(cloud: Cloud, registry: Registry, sent: Body) -> None:
    """Copy the asset that `sourceAssetId` names, to the name and version that are asked for."""
    from tests.azure.serving.lookup import Files, NotThere, asset_of  # it asks registries for assets, too

    source = str(sent.get("sourceAssetId") or "")
    parts = source.split("/")
    if len(parts) < 4 or parts[-4] not in KINDS:
        raise Refused(400, "UserError", f"{source!r} is no id of an asset that can be shared.")
    kind, workspace = parts[-4], _workspace(cloud, source)
    try:
        found = asset_of(cloud, workspace, kind, source)
    except NotThere as problem:
        raise Refused(404, "UserError", str(problem)) from problem
    name = str(sent.get("destinationName") or found.name)
    version = str(sent.get("destinationVersion") or found.version)
    container = registry.assets[kind].get(name)
    if container is not None and version in container.versions:
        raise Refused(409, "UserError", f"The asset {name}:{version} already exists in the registry {registry.name}.")
    properties = dict(found.properties)
    uri = next((key for key in _URIS if properties.get(key)), None)
    if uri is not None:
        place = Place(registry.account, container_of(registry, kind, name, version), "")
        files = Files(cloud, workspace)
        try:
            properties[uri] = await asyncio.to_thread(_copy, cloud, files, str(properties[uri]), place)
        except NotThere as problem:
            raise Refused(400, "UserError", str(problem)) from problem
    registry.put(kind, name, version, properties)


def _workspace(cloud: Cloud, source: str) -> Workspace:
    parts = source.split("/")
    if "workspaces" not in parts:
        raise Refused(400, "UserError", f"{source!r} is no asset of a workspace.")
    return cloud.workspace_by_id(parts[parts.index("workspaces") + 1])


def _copy(cloud: Cloud, files: object, uri: str, place: Place) -> str:
    """Copy the files; where they are now."""
    from tests.azure.serving.lookup import Files

    assert isinstance(files, Files)
    name = PurePosixPath(uri.rstrip("/")).name
    with tempfile.TemporaryDirectory() as folder:
        files.download(uri, Path(folder) / name)
        target = Place(place.account, place.container, name)
        put_files(cloud.storage, target, Path(folder) / name)
    return f"https://{place.account}.blob.core.windows.net/{place.container}/{name}"
