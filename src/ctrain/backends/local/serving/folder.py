"""An endpoint's folder: its files, and locks that tell who is alive.

A process is alive when it holds the lock on its file, which the kernel gives back at its death, however it died.
A recorded process id alone proves nothing: ids are used again.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving.wish import Wish, check_name, read_wish, replace_file, write_wish
from ctrain.errors import PlatformUnavailable

LOG_LIMIT = 4 << 20
LOG_KEPT = 1 << 20


@dataclass(frozen=True)
class Contact:
    """How to reach a running endpoint process: valid for that process only, in a file of its owner's."""

    pid: int
    port: int
    key: str


@dataclass(frozen=True)
class Folder:
    """`root` is the endpoint's own folder; its last part is the endpoint's name."""

    root: Path

    @classmethod
    def of(cls, home: Home, endpoint: str) -> Folder:
        """Raises UsageError for a name that cannot be an endpoint's."""
        check_name(endpoint, "an endpoint")
        return cls(home.endpoints / endpoint)

    @property
    def wish_file(self) -> Path:
        return self.root / "wish.json"

    @property
    def key_file(self) -> Path:
        return self.root / "key"

    @property
    def log(self) -> Path:
        return self.root / "endpoint.log"

    def deployment(self, name: str) -> Path:
        return self.root / "deployments" / name

    def deployment_log(self, name: str) -> Path:
        return self.deployment(name) / "log"

    @property
    def leftovers_lock(self) -> Path:
        """Held, shared, by every process of every deployment."""
        return self.root / "deployments.lock"

    def prepare(self) -> None:
        """Make the folder with a wish for an empty endpoint and its key; what is there already stays."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.key_file.exists():
            replace_file(self.key_file, secrets.token_urlsafe(32))
        if not self.wish_file.exists():
            write_wish(self.wish_file, Wish(self.root.name))

    def wish(self) -> Wish | None:
        return read_wish(self.wish_file)

    def key(self) -> str:
        """Raises PlatformUnavailable where it is gone."""
        try:
            return self.key_file.read_text()
        except OSError as failure:
            raise PlatformUnavailable(
                f"the key of the endpoint {self.root.name} cannot be read",
                why=f"{self.key_file}: {failure.strerror or failure}",
                hint="restore it; or `ctrain local down` and `ctrain local up`, which makes another one",
            ) from None

    def contact(self) -> Contact | None:
        """What the running process wrote, or None while it is starting."""
        try:
            return Contact(**json.loads((self.root / "control.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def publish(self, contact: Contact | None) -> None:
        """Called by the holder of the process lock only."""
        file = self.root / "control.json"
        if contact is None:
            file.unlink(missing_ok=True)
        else:
            replace_file(file, json.dumps(asdict(contact)))

    def running(self) -> bool:
        """Whether an endpoint process is alive."""
        return not self.free("endpoint.lock")

    def free(self, lock: str) -> bool:
        """Whether nobody holds that lock for itself."""
        try:
            with (self.root / lock).open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    def deserted(self) -> bool:
        """Whether no process of any deployment is left."""
        try:
            with self.leftovers_lock.open("ab") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return True

    @contextmanager
    def starting(self) -> Iterator[None]:
        """One starter at a time; others wait for it."""
        with (self.root / "start.lock").open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def hold(self) -> int | None:
        """Take the process lock for as long as this process lives; None where another one has it.

        Returns the descriptor, which is not inherited by child processes.
        """
        descriptor = os.open(self.root / "endpoint.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def still_held(self, descriptor: int) -> bool:
        """Whether the lock that `hold` gave is that of this folder; not once the folder was removed, or made anew."""
        try:
            return os.path.samestat(os.fstat(descriptor), (self.root / "endpoint.lock").stat())
        except FileNotFoundError:
            return False


def folders(home: Home) -> list[Folder]:
    """The folders of all endpoints that were created in this home, by name."""
    return [Folder(file.parent) for file in sorted(home.endpoints.glob("*/wish.json"))]


def trim(log: Path) -> None:
    """Keep a log within bounds: past `LOG_LIMIT` bytes, its last `LOG_KEPT` move to `log.old` and it starts anew.

    The writers append, so they go on at the new end.
    """
    try:
        size = log.stat().st_size
        if size <= LOG_LIMIT:
            return
        with log.open("rb") as stream:
            stream.seek(size - LOG_KEPT)
            log.with_name("log.old").write_bytes(stream.read(LOG_KEPT))
        os.truncate(log, 0)
    except OSError:
        return


def tail(log: Path, limit: int = 64 << 10) -> str:
    """The last `limit` bytes of a log, as text, from the start of a line; empty where there is none."""
    kept = b""
    for file in (log, log.with_name("log.old")):
        try:
            with file.open("rb") as stream:
                stream.seek(max(0, file.stat().st_size - (limit - len(kept))))
                kept = stream.read(limit - len(kept)) + kept
        except OSError:
            continue
        if len(kept) >= limit:
            kept = kept.partition(b"\n")[2]
            break
    return kept.decode("utf-8", "replace")
