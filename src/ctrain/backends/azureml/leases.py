"""Locks as finite blob leases: held while this process lives, free by themselves within a minute when it has died.

A lock is a blob, whose lease the storage service gives to one holder at a time, for 15 to 60 seconds ("Lease Blob" in
Microsoft's REST reference). A thread renews it while the main thread lives, however long an upload takes; it holds
nothing up when the process ends. Nobody's lease is ever broken. What is in the blob is written under the lease: who
holds it, since when, and a token that grows with each holder.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from ctrain.backends.azureml.blobs import ROOT, WRITES, make, read, segment
from ctrain.backends.azureml.failures import translated
from ctrain.errors import Conflict, CtrainError, Locked, PlatformUnavailable
from ctrain.ports import Clock, Lease

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

SHORTEST: Final = 15
LONGEST: Final = 60
"""Seconds that a finite lease may last: Azure's rule."""

BEATS: Final = 3
"""How often a lease is renewed within the time it lasts: two renewals may fail before it is lost."""

SIGNINGS: Final = 3
"""How often a lock is taken whose lease runs out before it is signed."""

AGAIN: Final = 5.0
"""Real seconds until a renewal that failed for another reason than a lost lease is tried again."""

ENDPOINT: Final = "endpoint/"
"""Locks of that name belong to the workspace, all others to the project: two projects may serve one endpoint."""


class Place(Protocol):
    """The workspace that the locks are kept in."""

    @property
    def blobs(self) -> ContainerClient: ...

    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True)
class Holder:
    """What a lock's blob says. `run_url` is the CI run that holds it, where there is one."""

    token: int = 0
    name: str = ""
    since: str = ""
    run_url: str = ""

    @classmethod
    def read(cls, content: bytes) -> Holder:
        """Nobody, where it was never held, or cannot be read."""
        try:
            told = json.loads(content)
            return cls(int(told["token"]), str(told["holder"]), str(told["since"]), str(told["run_url"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def written(self) -> bytes:
        told = {"token": self.token, "holder": self.name, "since": self.since, "run_url": self.run_url}
        return json.dumps(told).encode()


@dataclass
class Held:
    """A lease of ours, which the service gives to nobody else until `until`, and until `ends` on the wall clock.

    Both count, as a monotonic clock may stand still while a laptop sleeps. `beat` is when to renew it, in real time.
    """

    lease: Lease
    blob: BlobClient
    key: str
    seconds: int
    until: float
    ends: datetime
    beat: float
    lost: str = ""

    def ran_out(self, clock: Clock) -> bool:
        return clock.monotonic() >= self.until or clock.now() >= self.ends


class Locks:
    """The locks of one project in one workspace, as far as this process holds them.

    `beat` is how many real seconds pass between renewals; by default a third of what the lease lasts.
    """

    def __init__(self, workspace: Place, project: str, run_url: str = "", beat: float | None = None) -> None:
        self._workspace = workspace
        self._project = project
        self._run_url = run_url
        self._beat = beat
        self._held: dict[tuple[str, int], Held] = {}
        self._mine = threading.Lock()
        self._changed = threading.Condition(self._mine)
        self._heart: threading.Thread | None = None

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        """Take the lock; it lasts 15 to 60 seconds at a time. Raises Conflict, naming who holds it."""
        clock, lasts = self._workspace.clock, int(min(LONGEST, max(SHORTEST, seconds)))
        blob = self._workspace.blobs.get_blob_client(self._path(name))
        token: int | None = None
        for _ in range(SIGNINGS):
            key, asked, now = str(uuid.uuid4()), clock.monotonic(), clock.now()
            self._take(blob, name, lasts, key)
            token = self._sign(blob, key, Holder(0, holder, now.isoformat(), self._run_url))
            if token is not None:
                break
        else:
            raise PlatformUnavailable(
                f"could not take the lock {name!r}",
                why=f"each time it had run out, after {lasts} seconds, before we could write who has it",
                hint="Azure's storage is too slow now: try again in some minutes",
            )
        lease = Lease(name, holder, token, now, now + timedelta(seconds=lasts), self._run_url)
        with self._mine:
            held = Held(lease, blob, key, lasts, asked + lasts, lease.expires, time.monotonic() + self._pause(lasts))
            self._held[(name, token)] = held
            self._changed.notify()
            self._start()
        return lease

    def renew(self, lease: Lease) -> Lease:
        """The lease from now on; one that ran out, where nobody took it. Raises Conflict where it was lost."""
        held = self._of(lease)
        self._renew(held)
        return replace(lease, expires=held.ends)

    def verify(self, lease: Lease) -> None:
        """Raises Conflict where the lease was lost. Asks the service only where it may have run out."""
        held = self._of(lease)
        if held.ran_out(self._workspace.clock):
            self._renew(held)

    def release(self, lease: Lease) -> None:
        """Give it back. A lost one is left alone; where the service is away it runs out by itself."""
        with self._mine:
            held = self._held.pop((lease.name, lease.token), None)
            self._changed.notify()
        if held is None or held.lost:
            return
        from azure.core.exceptions import HttpResponseError

        with suppress(PlatformUnavailable), translated(f"give back the lock {lease.name!r}", needs=WRITES):
            try:
                _client(held.blob, held.key).release()
            except HttpResponseError as failure:
                if not _says_lost(failure):
                    raise

    def close(self) -> None:
        """Give back whatever this process still holds."""
        for held in list(self._held.values()):
            self.release(held.lease)

    def _path(self, name: str) -> str:
        scope = ROOT if name.startswith(ENDPOINT) else f"{ROOT}/{segment(self._project)}"
        return f"{scope}/locks/{segment(name)}.json"

    def _take(self, blob: BlobClient, name: str, seconds: int, key: str) -> None:
        """Raises Conflict where somebody has it. The first ever to want the lock makes its blob."""
        if self._taken(blob, name, seconds, key):
            return
        make(self._workspace.blobs, blob.blob_name, b"{}")
        if not self._taken(blob, name, seconds, key):
            raise PlatformUnavailable(
                f"could not take the lock {name!r}",
                why=f"{blob.blob_name} was deleted under our hands",
                hint="try again",
            )

    def _taken(self, blob: BlobClient, name: str, seconds: int, key: str) -> bool:
        """Whether we have the lease now; false where there is no such blob. With our key it is taken once."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        with translated(f"take the lock {name!r}", needs=WRITES):
            try:
                blob.acquire_lease(seconds, lease_id=key)
            except ResourceNotFoundError:
                return False
            except ResourceExistsError:
                raise self._refusal(blob, name) from None
        return True

    def _refusal(self, blob: BlobClient, name: str) -> Locked:
        found = read(self._workspace.blobs, blob.blob_name)
        holder, now = Holder.read(found.content if found else b""), self._workspace.clock.now()
        since, latest = _read(holder.since) or now, now + timedelta(seconds=LONGEST)
        return Lease(name, holder.name or "somebody", holder.token, since, latest, holder.run_url).refusal()

    def _sign(self, blob: BlobClient, key: str, holder: Holder) -> int | None:
        """Write who has it into the blob, under the lease, with a token above the last one's; that token. None where
        the lease ran out meanwhile: storage may make us wait for longer than it lasts."""
        from azure.core.exceptions import AzureError, HttpResponseError

        with translated("write who holds a lock", needs=WRITES):
            try:
                token = Holder.read(blob.download_blob(lease=key).readall()).token + 1
                blob.upload_blob(replace(holder, token=token).written(), overwrite=True, lease=_client(blob, key))
            except BaseException as failure:  # an interrupt as well: what is not signed must not stay taken
                with suppress(AzureError):
                    _client(blob, key).release()
                if isinstance(failure, HttpResponseError) and failure.status_code == 412:
                    return None
                raise
        return token

    def _of(self, lease: Lease) -> Held:
        with self._mine:
            held = self._held.get((lease.name, lease.token))
        if held is None or held.lost:
            raise _lost(lease, held.lost if held else "it was given back")
        return held

    def _renew(self, held: Held, retries: int = 3) -> None:
        from azure.core.exceptions import HttpResponseError

        asked, now = self._workspace.clock.monotonic(), self._workspace.clock.now()
        with translated(f"renew the lock {held.lease.name!r}", needs=WRITES):
            try:
                _client(held.blob, held.key).renew(retry_total=retries)
            except HttpResponseError as failure:
                if not _says_lost(failure):
                    raise
                found = read(self._workspace.blobs, held.blob.blob_name)
                held.lost = _told_of_loss(held.lease, Holder.read(found.content if found else b""))
                raise _lost(held.lease, held.lost) from None
        held.until, held.ends = asked + held.seconds, now + timedelta(seconds=held.seconds)
        held.beat = time.monotonic() + self._pause(held.seconds)

    def _pause(self, seconds: int) -> float:
        """Real seconds from one renewal to the next."""
        return seconds / BEATS if self._beat is None else self._beat

    def _start(self) -> None:
        """Start the heart, where it does not beat. Called with the lock held."""
        if self._heart is None:
            # A daemon: it must not keep a process alive whose work is over.
            self._heart = threading.Thread(target=self._beats, name="ctrain-lock", daemon=True)
            self._heart.start()

    def _beats(self) -> None:
        while True:
            with self._mine:
                live = [held for held in self._held.values() if not held.lost]
                if not live:
                    self._heart = None
                    return
                wait = min(held.beat for held in live) - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
            if not threading.main_thread().is_alive():
                return
            for held in live:
                if held.beat <= time.monotonic() and (held.lease.name, held.lease.token) in self._held:
                    self._beat_once(held)

    def _beat_once(self, held: Held) -> None:
        try:
            self._renew(held, retries=0)
        except CtrainError:
            # A lost lease is marked, and whoever writes under it is told; any other failure may pass: soon again.
            held.beat = time.monotonic() + min(AGAIN, self._pause(held.seconds))


def _client(blob: BlobClient, key: str) -> BlobLeaseClient:
    from azure.storage.blob import BlobLeaseClient

    return BlobLeaseClient(blob, lease_id=key)


def _says_lost(failure: HttpResponseError) -> bool:
    return failure.status_code in {404, 409, 412}


def _lost(lease: Lease, why: str) -> Conflict:
    return Conflict(
        f"the lock {lease.name!r} was lost",
        why=why,
        hint="nothing was written since; look at `ctrain status`, then run again",
    )


def _told_of_loss(lease: Lease, now: Holder) -> str:
    return f"{_told(now)} has it now" if now.token > lease.token else "it ran out before it was renewed"


def _told(holder: Holder) -> str:
    name = holder.name or "somebody"
    return f"{name} ({holder.run_url})" if holder.run_url else name


def _read(since: str) -> datetime | None:
    try:
        return datetime.fromisoformat(since)
    except ValueError:
        return None
