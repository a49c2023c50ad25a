"""Files in storage, by the place they have there. All of it blocks, and is for threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tests.azure.storage import Storage

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


@dataclass(frozen=True)
class Place:
    """Where files are: below `path`, or the one blob of that name."""

    account: str
    container: str
    path: str

    def url(self, sas: str) -> str:
        return f"https://{self.account}.blob.core.windows.net/{self.container}/{self.path}?{sas}"


def _container(storage: Storage, place: Place) -> ContainerClient:
    storage.make_container(place.account, place.container)
    return storage.service(place.account).get_container_client(place.container)


def put(storage: Storage, place: Place, content: bytes) -> None:
    """Make or replace the one blob."""
    _container(storage, place).upload_blob(place.path, content, overwrite=True)


def put_files(storage: Storage, place: Place, made: Path) -> None:
    """A folder's files below the place, or the one file as its blob."""
    if made.is_file():
        put(storage, place, made.read_bytes())
        return
    for file in sorted(made.rglob("*")):
        if file.is_file():
            path = str(PurePosixPath(place.path, file.relative_to(made).as_posix()))
            put(storage, Place(place.account, place.container, path), file.read_bytes())


def get(storage: Storage, place: Place) -> bytes | None:
    """The one blob, or None."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return _container(storage, place).download_blob(place.path).readall()
    except ResourceNotFoundError:
        return None


def get_files(storage: Storage, place: Place, folder: Path) -> bool:
    """All blobs below the place, into the folder; False where there are none."""
    container = _container(storage, place)
    prefix = place.path.strip("/") + "/" if place.path.strip("/") else ""
    names = list(container.list_blob_names(name_starts_with=prefix))
    for name in names:
        file = folder / PurePosixPath(name).relative_to(prefix)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(container.download_blob(name).readall())
    return bool(names)
