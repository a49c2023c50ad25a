"""The blob containers behind a workspace's datastores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.addresses import StorePath
from ctrain.backends.azureml.bodies import find, needed, section, text
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import WORKSPACES, AzureWorkspace

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

READ_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"

_CONTAINER: Final = {"AzureBlob": "containerName", "AzureDataLakeGen2": "filesystem"}
"""Kinds of datastores whose files the blob service shows, and which property names the container."""


@dataclass(frozen=True)
class Blob:
    """A blob's name, its size in bytes, and what changes when its content does: MD5 where storage has it, else ETag."""

    name: str
    size: int
    mark: str


class Stores:
    """Opens each datastore once."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace
        self._opened: dict[str, ContainerClient | None] = {}

    def container(self, place: StorePath) -> ContainerClient | None:
        """The container of its datastore; None where that is another workspace's, is not there, or keeps no blobs."""
        a = self._workspace.address
        ours = f"{a.subscription_id}/{a.resource_group}/{a.workspace}"
        if place.workspace and place.workspace.lower() != ours.lower():
            return None
        if place.store not in self._opened:
            self._opened[place.store] = self._open(place.store)
        return self._opened[place.store]

    def _open(self, store: str) -> ContainerClient | None:
        arm = self._workspace.arm
        body = arm.get(f"datastores/{store}", WORKSPACES)
        if body is None:  # one 404 in a bad moment is not believed: what a training made would count as lost
            every = arm.list("datastores", WORKSPACES)
            body = next((one for one in every if (text(one, "name") or "").lower() == store.lower()), None)
        if body is None:
            return None
        found = section(body, "properties")
        where = _CONTAINER.get(needed(found, "datastoreType"))
        if where is None:
            return None
        account, container = needed(found, "accountName"), needed(found, where)
        secret: str | None = None
        if text(found, "credentials", "credentialsType") in {"AccountKey", "Sas"}:
            body = arm.post(f"datastores/{store}/listSecrets", WORKSPACES, {"expirableSecret": False}, idempotent=True)
            secret = needed(body, "key") if find(body, "key") else needed(body, "sasToken")
        return self._workspace.session.container(account, container, secret)


def blobs_at(container: ContainerClient, place: StorePath) -> Iterator[Blob]:
    """The one blob of that name, or all below it as a folder; nothing where there is neither.

    Empty blobs that only stand for a folder are left out.
    """
    path = place.path.rstrip("/")
    with translated(f"list {place.uri}", needs=READ_BLOBS):
        for found in container.list_blobs(name_starts_with=path):
            below = found.name.startswith(f"{path}/") or not path
            if not (below or found.name == place.path) or found.name.endswith("/"):
                continue
            if found.size == 0 and (found.metadata or {}).get("hdi_isfolder"):
                continue
            md5 = found.content_settings.content_md5
            yield Blob(found.name, int(found.size or 0), bytes(md5).hex() if md5 else str(found.etag))
