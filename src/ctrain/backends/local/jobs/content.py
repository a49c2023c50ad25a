"""What files are, by content: digests that are not computed twice, lists that tell whether files are still there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

# A file that changes within a clock tick of being read could keep its time stamps; one younger than this when it was
# read is read again. The same trap in git: https://git-scm.com/docs/racy-git
_SETTLED_NS = 50_000_000


class Digests:
    """sha256 of files and folders. What was read before is remembered by (path, size, times, inode) in `memory`.

    The memory is a convenience: where it cannot be written, everything works and takes longer.
    """

    def __init__(self, memory: Path | None) -> None:
        self.known: sqlite3.Connection | None = None
        if memory is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self.known = sqlite3.connect(memory, timeout=5, isolation_level=None)
                self.known.execute("PRAGMA journal_mode=WAL")
                self.known.execute("PRAGMA synchronous=OFF")
                self.known.execute(
                    "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, stamp TEXT, digest TEXT)"
                )

    def close(self) -> None:
        if self.known:
            self.known.close()

    def of(self, path: Path) -> str:
        """The digest of a file's bytes; of a folder, that of its files' relative paths and digests.

        Links are followed. Raises OSError where something cannot be read.
        """
        if not path.is_dir():
            return self.of_file(path)
        whole = hashlib.sha256()
        for name, file in sorted((str(file.relative_to(path)), file) for file in files_under(path)):
            whole.update(f"{len(name.encode())}:{name}:{self.of_file(file)}\n".encode())
        return whole.hexdigest()

    def of_file(self, path: Path) -> str:
        before = path.stat()
        stamp = f"{before.st_size}:{before.st_mtime_ns}:{before.st_ctime_ns}:{before.st_ino}"
        with contextlib.suppress(sqlite3.Error):
            row = (
                self.known
                and self.known.execute(
                    "SELECT digest FROM digests WHERE path=? AND stamp=?", (str(path), stamp)
                ).fetchone()
            )
            if row:
                return str(row[0])
        started = time.time_ns()
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if self.known and started - max(before.st_mtime_ns, before.st_ctime_ns) > _SETTLED_NS:
            with contextlib.suppress(sqlite3.Error):
                self.known.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", (str(path), stamp, digest))
        return digest


def files_under(folder: Path) -> Iterator[Path]:
    """All files below, links followed, in no order. Raises OSError where a folder cannot be read."""

    def refuse(failure: OSError) -> None:
        raise failure

    for place, _, names in os.walk(folder, followlinks=True, onerror=refuse):
        for name in names:
            yield Path(place, name)


Listing = list[tuple[str, int]]
"""Relative paths and sizes; one entry with an empty path where the thing is itself a file."""


def listing(path: Path) -> Listing | None:
    """What is there now, or None where nothing is."""
    try:
        if path.is_dir():
            return sorted((str(file.relative_to(path)), file.stat().st_size) for file in files_under(path))
        return [("", path.stat().st_size)]
    except FileNotFoundError:
        return None


def still_there(path: Path, files: Listing) -> bool:
    """Whether all of these files are there with these sizes."""
    try:
        return path.exists() and all((path / name if name else path).stat().st_size == size for name, size in files)
    except OSError:
        return False
