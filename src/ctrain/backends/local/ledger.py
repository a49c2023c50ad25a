"""The ledger on one machine: events, evidence and leases in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.events import Event, from_json, to_json
from ctrain.ports import Clock, Lease

_VERSION = 2
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS event (
    place INTEGER PRIMARY KEY, release TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_by_release ON event (release, place);
CREATE TABLE IF NOT EXISTS evidence (
    release TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (release, name));
CREATE TABLE IF NOT EXISTS lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL,
    acquired TEXT NOT NULL, expires TEXT NOT NULL, process TEXT NOT NULL, place TEXT NOT NULL DEFAULT '');
PRAGMA user_version = {_VERSION};
"""


class LocalLedger:
    """A Ledger in `ledger.db`. The lease of a process of this machine that has died counts as given back.

    `run_url` is the CI run that holds our locks, told to whoever waits for them.
    """

    def __init__(self, home: Home, clock: Clock, run_url: str = "") -> None:
        self.home = home
        self.clock = clock
        self.run_url = run_url

    def releases(self) -> Sequence[str]:
        with self._reading() as db:
            return [row[0] for row in db.execute("SELECT release FROM event GROUP BY release ORDER BY min(place)")]

    def events(self, release: str) -> Sequence[Event]:
        with self._reading() as db:
            rows = db.execute("SELECT body FROM event WHERE release = ? ORDER BY place", (release,)).fetchall()
        return [self._read(body, release) for (body,) in rows]

    def _read(self, body: str, release: str) -> Event:
        try:
            return from_json(body)
        except (ValueError, KeyError) as failure:
            raise PlatformUnavailable(
                f"the ledger has a record of {release} that cannot be read",
                why=f"no event of this version of ctrain looks like it: {body[:120]}",
                hint="use the version that wrote it, or a newer one",
            ) from failure

    def evidence(self, release: str, name: str) -> bytes | None:
        with self._reading() as db:
            row = db.execute("SELECT content FROM evidence WHERE release = ? AND name = ?", (release, name)).fetchone()
        return bytes(row[0]) if row else None

    def append(self, event: Event, lease: Lease | None = None) -> None:
        with self._writing() as db:
            if lease is not None:
                self._still_held(db, lease)
            db.execute("INSERT INTO event (release, body) VALUES (?, ?)", (event.release, to_json(event)))

    def keep(self, release: str, name: str, content: bytes) -> None:
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)", (release, name, content))

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        now = self.clock.now()
        with self._writing() as db:
            row = db.execute(
                "SELECT holder, token, acquired, expires, place, process FROM lease WHERE name = ?", (name,)
            ).fetchone()
            if row is not None and datetime.fromisoformat(row[3]) > now and _alive(row[5]):
                since, until = datetime.fromisoformat(row[2]), datetime.fromisoformat(row[3])
                raise Lease(name, row[0], row[1], since, until, row[4]).refusal()
            token, expires = (row[1] if row else 0) + 1, now + timedelta(seconds=seconds)
            lease = Lease(name, holder, token, now, expires, self.run_url)
            db.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, holder, token, now.isoformat(), expires.isoformat(), _process(os.getpid()), self.run_url),
            )
        return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        expires = self.clock.now() + timedelta(seconds=seconds)
        with self._writing() as db:
            self._still_held(db, lease)
            db.execute("UPDATE lease SET expires = ? WHERE name = ?", (expires.isoformat(), lease.name))
        return replace(lease, expires=expires)

    def release(self, lease: Lease) -> None:
        # The row stays, so that tokens go on growing.
        gone = datetime(1970, 1, 1, tzinfo=UTC).isoformat()
        with self._writing() as db:
            db.execute("UPDATE lease SET expires = ? WHERE name = ? AND token = ?", (gone, lease.name, lease.token))

    def _still_held(self, db: sqlite3.Connection, lease: Lease) -> None:
        row = db.execute("SELECT token, expires, holder FROM lease WHERE name = ?", (lease.name,)).fetchone()
        if row is None or row[0] != lease.token or datetime.fromisoformat(row[1]) <= self.clock.now():
            raise Conflict(
                f"the lock {lease.name!r} was lost",
                why=f"{row[2]} has it now" if row and row[0] != lease.token else "it ran out before it was renewed",
                hint="nothing was written since; look at `ctrain status`, then run again",
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected(self.home.ledger if self.home.ledger.exists() else None) as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self.home.prepare()
        with self._connected(self.home.ledger) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _connected(self, file: Path | None) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode; reading what does not exist yet reads an empty ledger."""
        try:
            db = sqlite3.connect(file or ":memory:", timeout=10, isolation_level=None)
            try:
                tables = db.execute("PRAGMA user_version").fetchone()[0]
                if tables == 0:
                    db.executescript(("PRAGMA journal_mode = WAL;" if file else "") + _SCHEMA)
                elif tables == 1:
                    _upgrade(db)
                elif tables > _VERSION:
                    raise PlatformUnavailable(
                        f"the ledger {self.home.ledger} is of a newer ctrain",
                        why=f"its tables are of version {tables}, and this ctrain knows {_VERSION}",
                        hint="use the version of ctrain that wrote it, or a newer one",
                    )
                yield db
            finally:
                db.close()
        except sqlite3.Error as failure:
            raise PlatformUnavailable(
                f"the ledger {self.home.ledger} cannot be used",
                why=str(failure),
                hint="make sure that the disk has room and that the file is yours to write",
            ) from failure


def _upgrade(db: sqlite3.Connection) -> None:
    """From the first version of the tables; another process may do the same at this moment."""
    db.execute("BEGIN IMMEDIATE")
    if db.execute("PRAGMA user_version").fetchone()[0] == 1:
        db.execute("ALTER TABLE lease ADD COLUMN place TEXT NOT NULL DEFAULT ''")
        db.execute("PRAGMA user_version = 2")
    db.execute("COMMIT")


def _process(pid: int) -> str:
    """A process of this machine, told apart from a later one with the same number."""
    return f"{pid} {_started(pid)}"


def _alive(process: str) -> bool:
    pid = int(process.split(" ", 1)[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _process(pid) == process


def _started(pid: int) -> str:
    """When the process started, in ticks since boot, with the boot's id; empty where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return f"{stat.rpartition(')')[2].split()[19]} {boot}"
