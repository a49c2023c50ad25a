"""The ledger in the workspace's blob container: where the platform is, so that any machine can go on from it.

A release's events are the lines of one append blob, made with its first event; its evidence are blobs of their own.
Appending under a lease that was lost writes nothing, for three reasons together. The lease is known to be ours until it
runs out, and is renewed with the service before anything is appended after that. A line is appended at the position up
to which we know the blob: where another holder has written since, the service refuses, and we ask for the lease again.
And a line carries its lock's token: one by a holder who had been superseded when it came is not read.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.blobs import READS, ROOT, WRITES, is_absent, listed, name_of, read, replace, segment
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.leases import Locks, Place
from ctrain.backends.azureml.read_ahead import ReadAhead
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.events import Event, from_json, to_json
from ctrain.ports import Lease

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

RACES: Final = 20
"""How often an append starts again because somebody else appended to the same release in between."""

_SUFFIX: Final = ".jsonl"


@dataclass(frozen=True)
class _Known:
    """A release's events as they were read last: the blob's state, its size in bytes, and what it says."""

    etag: str
    size: int
    events: tuple[Event, ...]


class AzureLedger:
    """The Ledger of the Azure ML backend: of one project, in its workspace. Safe in threads.

    `run_url` is the CI run that holds our locks, told to whoever waits for them.
    """

    def __init__(self, workspace: Place, project: str, run_url: str = "") -> None:
        self._workspace = workspace
        self._root = f"{ROOT}/{segment(project)}"
        self._locks = Locks(workspace, project, run_url)
        self._known: dict[str, _Known] = {}
        self._sizes: dict[str, int] = {}
        self._listed: set[str] = set()
        self._opened = ""
        self._ahead = ReadAhead(self._fresh)
        self._mine = threading.Lock()

    def releases(self) -> Sequence[str]:
        """In one call for each five thousand. The order is the service's clock's, and within a second the writer's."""
        prefix = f"{self._root}/releases/"
        found = sorted(
            listed(self._workspace.blobs, prefix), key=lambda blob: (blob.made, blob.metadata.get("opened", ""))
        )
        names = [name_of(blob.name.removeprefix(prefix).removesuffix(_SUFFIX)) for blob in found if blob.size]
        self._listed.update(names)
        self._ahead.expect(names[::-1])
        return names

    def events(self, release: str) -> Sequence[Event]:
        """In one call, which brings nothing where nothing has changed since this process read it.

        Who reads the releases one after another, newest first, has the next ones read ahead; what is given out then is
        from after the listing.
        """
        return self._ahead.take(release)

    def _fresh(self, release: str) -> tuple[Event, ...]:
        known = self._known.get(release)
        fresh = self._read(release, known)
        with self._mine:
            if fresh is None:
                self._known.pop(release, None)
                if release in self._listed:
                    raise PlatformUnavailable(
                        f"the release {release} could not be read",
                        why="storage lists its record, and says that it is not there",
                        hint="run the same command again",
                    )
                return ()
            if fresh.size >= self._sizes.get(release, 0):
                self._known[release], self._sizes[release] = fresh, fresh.size
        return fresh.events

    def _read(self, release: str, known: _Known | None) -> _Known | None:
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        blob, changed = self._blob(release), MatchConditions.IfModified
        with translated(f"read the release {release}", needs=READS):
            try:
                found = blob.download_blob(etag=known.etag, match_condition=changed) if known else blob.download_blob()
                content = found.readall()
            except ResourceNotFoundError as failure:
                if not is_absent(failure):
                    raise
                return None
            except HttpResponseError as failure:
                if failure.status_code == 304:
                    return known
                raise
        return _Known(str(found.properties.etag), len(content), _events(content, release))

    def evidence(self, release: str, name: str) -> bytes | None:
        kept = read(self._workspace.blobs, self._evidence(release, name))
        return kept.content if kept else None

    def keep(self, release: str, name: str, content: bytes) -> None:
        replace(self._workspace.blobs, self._evidence(release, name), content)

    def append(self, event: Event, lease: Lease | None = None) -> None:
        """In one call, where this process has read or written the release before; else in two."""
        mark = uuid.uuid4().hex
        line = _line(event, lease, mark)
        blob = self._blob(event.release)
        self._ahead.drop(event.release)
        if lease is not None:
            self._locks.verify(lease)
        size = self._sizes.get(event.release)
        for _ in range(RACES):
            if size is None:
                size = self._size(blob, event.release)
            if self._appended(blob, line, size, event.release):
                self._sizes[event.release] = size + len(line)
                return
            after = self._after(blob, size, event.release)
            if mark.encode() in after:  # it was appended, and the answer was lost on its way to us
                self._sizes.pop(event.release, None)
                return
            if lease is not None:
                self._locks.renew(lease)
            size = None
        raise Conflict(
            f"could not record what happened in {event.release}",
            why="others go on writing to the same release",
            hint="look at `ctrain history`, and run the same command again when they are done",
        )

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        return self._locks.acquire(name, holder, seconds)

    def renew(self, lease: Lease, seconds: float) -> Lease:  # noqa: ARG002  Azure renews for as long as it was taken for
        return self._locks.renew(lease)

    def release(self, lease: Lease) -> None:
        self._locks.release(lease)

    def close(self) -> None:
        """Give back the locks that are still held."""
        self._locks.close()

    def _blob(self, release: str) -> BlobClient:
        return self._workspace.blobs.get_blob_client(f"{self._root}/releases/{segment(release)}{_SUFFIX}")

    def _evidence(self, release: str, name: str) -> str:
        return f"{self._root}/evidence/{segment(release)}/{segment(name)}"

    def _size(self, blob: BlobClient, release: str) -> int:
        """How long the release's blob is, in bytes; it is made where there is none."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        with translated(f"open the release {release}", needs=WRITES):
            try:
                blob.create_append_blob(metadata={"opened": self._now()}, match_condition=MatchConditions.IfMissing)
            except (ResourceExistsError, ResourceModifiedError):
                return int(blob.get_blob_properties().size)
        return 0

    def _now(self) -> str:
        """The time, never the same twice in this process: releases of one second keep their order."""
        with self._mine:
            now = self._workspace.clock.now()
            while (told := now.isoformat(timespec="microseconds")) <= self._opened:
                now += timedelta(microseconds=1)
            self._opened = told
            return told

    def _appended(self, blob: BlobClient, line: bytes, size: int, release: str) -> bool:
        """Whether the line is in, right behind those that we know of."""
        from azure.core.exceptions import HttpResponseError

        with translated(f"record what happened in {release}", needs=WRITES):
            try:
                blob.append_block(line, len(line), appendpos_condition=size, validate_content="md5")
            except HttpResponseError as failure:
                if failure.status_code not in {404, 412}:
                    raise
                return False
        return True

    def _after(self, blob: BlobClient, size: int, release: str) -> bytes:
        """What stands behind the position that we knew of."""
        from azure.core.exceptions import HttpResponseError

        with translated(f"read the release {release}", needs=READS):
            try:
                return blob.download_blob(offset=size).readall()
            except HttpResponseError as failure:
                if failure.status_code not in {404, 416}:
                    raise
                return b""


def _line(event: Event, lease: Lease | None, mark: str) -> bytes:
    told = json.loads(to_json(event)) | {"mark": mark}
    if lease is not None:
        told |= {"lock": lease.name, "token": lease.token}
    return json.dumps(told).encode() + b"\n"


def _told(line: str, number: int, release: str) -> dict[str, str | int]:
    """The line's JSON. Storage appends a line whole or not at all, so one that is none was damaged from outside."""
    try:
        told: object = json.loads(line)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise PlatformUnavailable(
            f"the ledger's record of {release} is damaged",
            why=f"line {number} of the blob releases/{release}{_SUFFIX} is not what was written",
            hint="restore an earlier version of that blob in the default datastore; who deletes it forgets the release",
        )
    return told


def _events(content: bytes, release: str) -> tuple[Event, ...]:
    """The events of the lines, without those whose writer's lock had been somebody else's before they came."""
    tokens: dict[str, int] = {}
    found: list[Event] = []
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        told = _told(line, number, release)
        try:
            lock, token = str(told.get("lock", "")), int(told.get("token", 0))
            if token < tokens.get(lock, 0):
                continue
            tokens[lock] = token
            found.append(from_json(line))
        except (ValueError, KeyError, TypeError, AttributeError) as failure:
            raise PlatformUnavailable(
                f"the ledger has a record of {release} that cannot be read",
                why=f"no event of this version of ctrain looks like it: {line[:120]}",
                hint="use the version that wrote it, or a newer one",
            ) from failure
    return tuple(found)
