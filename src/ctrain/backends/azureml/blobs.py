"""Small records in the workspace's blob container: read in one call, written once or by comparing and swapping.

Nothing is ever changed blindly: what must be there once is made with `If-None-Match: *`, what changes is replaced with
`If-Match`, and what grows is appended at a position ("Specifying conditional headers for Blob service operations" in
Microsoft's REST reference). So two runs on two machines agree without a lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from ctrain.backends.azureml.failures import translated
from ctrain.errors import Conflict

if TYPE_CHECKING:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob import ContainerClient

READS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
WRITES: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"

ROOT: Final = "ctrain"
"""All that ctrain keeps in a workspace's container is below this."""


@dataclass(frozen=True)
class Kept:
    """A blob that was read. `etag` names this very state of it."""

    content: bytes
    etag: str


@dataclass(frozen=True)
class Listed:
    """A blob as a listing shows it: size in bytes, when it was made by the service's own clock (whole seconds)."""

    name: str
    size: int
    made: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


def segment(name: str) -> str:
    """Any text as one part of a blob's name; `name_of` gives it back."""
    # A part of dots only would be taken for a step up or aside on its way there.
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def name_of(part: str) -> str:
    """What `segment` was given."""
    return unquote(part)


def is_absent(failure: ResourceNotFoundError) -> bool:
    """Whether storage itself says that there is no such blob, or no container yet. Any other 404 is somebody else's, or
    a bad moment, and tells nothing of our records. Source: "Blob service error codes" on Microsoft Learn."""
    return str(getattr(failure, "error_code", "")).rpartition(".")[2].replace("_", "").lower() in {
        "blobnotfound",
        "containernotfound",
    }


def read(container: ContainerClient, name: str) -> Kept | None:
    """The blob, or None where there is none."""
    from azure.core.exceptions import ResourceNotFoundError

    with translated(f"read {name}", needs=READS):
        try:
            found = container.download_blob(name)
            return Kept(found.readall(), str(found.properties.etag))
        except ResourceNotFoundError as failure:
            if not is_absent(failure):
                raise
            return None


def make(container: ContainerClient, name: str, content: bytes, metadata: Mapping[str, str] | None = None) -> bool:
    """Make the blob, whole, with this content; false where there is one of that name already, which stays."""
    from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

    with translated(f"write {name}", needs=WRITES):
        try:
            container.upload_blob(name, content, overwrite=False, metadata=dict(metadata or {}), validate_content="md5")
        except (ResourceExistsError, ResourceModifiedError):  # the latter where somebody has a lease on it
            return False
        return True


def swap(container: ContainerClient, name: str, content: bytes, was: Kept | None) -> None:
    """Put this content in the place of what was read. Raises Conflict where somebody changed it since."""
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

    with translated(f"write {name}", needs=WRITES):
        try:
            if was is None:
                container.upload_blob(name, content, overwrite=False, validate_content="md5")
            else:
                container.upload_blob(
                    name, content, overwrite=True, etag=was.etag, match_condition=MatchConditions.IfNotModified,
                    validate_content="md5",
                )  # fmt: skip
        except (ResourceExistsError, ResourceModifiedError):
            raise Conflict(
                f"could not write {name}",
                why="somebody else has changed it since we read it",
                hint="look at `ctrain status`, and run the same command again",
            ) from None


def replace(container: ContainerClient, name: str, content: bytes) -> None:
    """Put this content there, whatever was there."""
    with translated(f"write {name}", needs=WRITES):
        container.upload_blob(name, content, overwrite=True, validate_content="md5")


def listed(container: ContainerClient, prefix: str) -> Iterator[Listed]:
    """All blobs below a prefix, by name; one call for each five thousand."""
    from azure.core.exceptions import ResourceNotFoundError

    with translated(f"list {prefix}", needs=READS):
        try:
            found = list(container.list_blobs(name_starts_with=prefix, include=["metadata"]))
        except ResourceNotFoundError as failure:
            if not is_absent(failure):
                raise
            found = []  # the container itself is made when something is first kept in it
    for blob in found:
        metadata = {str(key).lower(): str(value) for key, value in (blob.metadata or {}).items()}
        # An account with a hierarchical namespace lists its folders too.
        if metadata.get("hdi_isfolder") != "true":
            yield Listed(str(blob.name), int(blob.size or 0), blob.creation_time, metadata)
