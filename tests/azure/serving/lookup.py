"""What a deployment refers to: assets of its workspace or of a registry, and where their files are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from tests.azure.arm.assets import Assets
from tests.azure.cloud import Cloud, Workspace
from tests.azure.jobs.resources import Resources, blob_place
from tests.azure.jobs.stored import Place, get, get_files
from tests.azure.jobs.workshop import Jobs
from tests.azure.registries.state import Registries
from tests.azure.routing import Body, Refused

_REGISTRY: Final = re.compile(
    r"azureml://registries/([^/]+)/(\w+)/([^/]+)/(?:versions|labels)/([^/]+)/?", re.IGNORECASE
)
_LOCATION: Final = re.compile(r"azureml://locations/[^/]+/workspaces/([^/]+)/(\w+)/([^/]+)/versions/([^/]+)/?", re.I)
_DATASTORE: Final = re.compile(r"azureml://(?:.*?/)?datastores/([^/]+)/(?:paths/)?(.*)", re.IGNORECASE)
_JOB: Final = re.compile(r"azureml://jobs/([^/]+)/outputs/([^/]+)(?:/paths/?(.*))?", re.IGNORECASE)

CURATED: Final = "azureml"
"""Microsoft's own registry: its environments are taken to be there."""


class NotThere(Exception):
    """An asset, or its files, cannot be found."""


@dataclass(frozen=True)
class Asset:
    """One version of an asset. `kind` is a model's type; `uri` says where its files are."""

    name: str
    version: str
    kind: str
    uri: str
    properties: Body


def asset_of(cloud: Cloud, workspace: Workspace, plural: str, asset_id: str) -> Asset:
    """By ARM id, by a registry's asset id, or by the long form with the workspace's GUID. Raises NotThere."""
    in_registry = _REGISTRY.fullmatch(asset_id)
    if in_registry:
        return _registered(cloud, in_registry[1], plural, in_registry[3], in_registry[4])
    elsewhere = _LOCATION.fullmatch(asset_id)
    if elsewhere:
        workspace = _by_id(cloud, elsewhere[1])
        asset_id = f"{workspace.arm_id}/{plural}/{elsewhere[3]}/versions/{elsewhere[4]}"
    own = asset_id.lower().startswith(workspace.arm_id.lower() + "/")
    if asset_id.lower().startswith("/subscriptions/") and not own:
        raise NotThere(f"{asset_id} is not in the workspace {workspace.name}")
    found = workspace.part(Assets).find(plural, asset_id)
    if found is None:
        raise NotThere(f"{asset_id} is not in the workspace {workspace.name}")
    return _asset(found.name, found.version, found.properties)


def environment_there(cloud: Cloud, workspace: Workspace, asset_id: str | None) -> bool:
    """Whether there is such an environment; no id needs none."""
    if not asset_id or asset_id.lower().startswith(f"azureml://registries/{CURATED}/environments/"):
        return True
    try:
        asset_of(cloud, workspace, "environments", asset_id)
    except NotThere:
        return False
    return True


def _registered(cloud: Cloud, registry: str, plural: str, name: str, version: str) -> Asset:
    try:
        found = cloud.part(Registries).named(registry).version(plural, name, version)
    except Refused as refusal:
        raise NotThere(refusal.message) from refusal
    return _asset(name, version, found.properties)


def _asset(name: str, version: str, properties: Body) -> Asset:
    uri = str(properties.get("modelUri") or properties.get("codeUri") or properties.get("dataUri") or "")
    return Asset(name, version, str(properties.get("modelType") or ""), uri, properties)


def _by_id(cloud: Cloud, workspace_id: str) -> Workspace:
    try:
        return cloud.workspace_by_id(workspace_id)
    except Refused as refusal:
        raise NotThere(refusal.message) from refusal


class Files:
    """A workspace's files, by URI. Made on the event loop; its methods block, and are for threads."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._cloud = cloud
        self._workspace = workspace
        self._resources = Resources(cloud, workspace)

    def place(self, uri: str) -> Place:
        """Where that is in storage. Raises NotThere for what cannot be told."""
        try:
            if uri.startswith("https://"):
                return blob_place(uri)
            if store := _DATASTORE.fullmatch(uri):
                return self._resources.in_datastore(store[1], unquote(store[2]))
            if job := _JOB.fullmatch(uri):
                return self._output(job[1], job[2], unquote(job[3] or ""))
        except Refused as refusal:
            raise NotThere(refusal.message) from refusal
        raise NotThere(f"nobody knows where {uri} is")

    def _output(self, job: str, output: str, path: str) -> Place:
        found = self._workspace.part(Jobs).job(job).outputs.get(output)
        if found is None:
            return self._resources.in_datastore("workspaceartifactstore", f"ExperimentRun/dcid.{job}/{path}")
        return self._resources.in_datastore(found.datastore, str(PurePosixPath(found.path, path)))

    def download(self, uri: str, target: Path) -> None:
        """The file or folder at `uri`, as `target`. Raises NotThere where there is nothing."""
        place = self.place(uri)
        storage = self._cloud.storage
        if place.path and not place.path.endswith("/") and (whole := get(storage, place)) is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(whole)
            return
        if not get_files(storage, place, target):
            raise NotThere(f"there are no blobs below {place.path} in the container {place.container}")
