"""Digests of what was digested before, so that a file of gigabytes is read once and not at every plan.

An entry holds while the file's size, inode and times of change stay the same. A file that changed in the two seconds
before it was read is not entered: a second change within one tick of the file system's clock would not show
(git's "racy" problem: https://git-scm.com/docs/racy-git). Losing the cache costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.digest import Entry, combined_digest, file_digest, tree_files
from ctrain.errors import DataError

SETTLED_NS = 2_000_000_000
"""The coarsest clock of a file system in use: FAT's."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Content:
    """`digest` as `tree_digest` gives it, `size` in bytes, and how many files there are."""

    digest: str
    size: int
    files: int


@dataclass(frozen=True)
class _Known:
    files: dict[str, tuple[Stamp, str]]
    rows: tuple[str, int | None] | None = None


@dataclass(frozen=True)
class DigestCache:
    """Kept under `home.data`, one file for each path asked for."""

    home: Home

    def content(self, path: Path) -> Content:
        """What a file or folder holds now. Raises DataError where it cannot be read, or changes under our eyes."""
        known = self._recall(path)
        settled: dict[str, tuple[Stamp, str]] = {}
        entries: list[Entry] = []
        for name, file in [("", path)] if path.is_file() else tree_files(path, DataError):
            began = time.time_ns()
            stamp = _stamp(file)
            recalled = known.files.get(name)
            digest = recalled[1] if recalled and recalled[0] == stamp else _digest(file, stamp)
            if max(stamp[1], stamp[2]) + SETTLED_NS < began:
                settled[name] = (stamp, digest)
            entries.append(Entry(name, stamp[0], digest))
        if settled != known.files:
            self._keep(path, _Known(settled, known.rows))
        whole = entries[0].digest if path.is_file() else combined_digest(entries)
        return Content(whole, sum(entry.size for entry in entries), len(entries))

    def rows(self, path: Path, content: Content, count: Callable[[Path], int | None]) -> int | None:
        """How many rows content has, counted once for each content."""
        known = self._recall(path)
        if known.rows is not None and known.rows[0] == content.digest:
            return known.rows[1]
        rows = count(path)
        self._keep(path, _Known(known.files, (content.digest, rows)))
        return rows

    def _file(self, path: Path) -> Path:
        return self.home.data / "digests" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"

    def _recall(self, path: Path) -> _Known:
        try:
            kept = json.loads(self._file(path).read_bytes())
            files = {str(name): (_four(stamp), str(digest)) for name, (stamp, digest) in kept["files"].items()}
            rows = (str(kept["rows"][0]), kept["rows"][1]) if kept["rows"] else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _Known({})
        return _Known(files, rows)

    def _keep(self, path: Path, known: _Known) -> None:
        file = self._file(path)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        try:
            self.home.prepare()
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"files": known.files, "rows": known.rows}))
            partial.replace(file)
        except OSError:
            # a full or read-only disk: what needs it will say so, a cache does not
            with suppress(OSError):
                partial.unlink()


def _digest(file: Path, stamp: Stamp) -> str:
    digest = file_digest(file, DataError)
    if _stamp(file) != stamp:
        raise DataError(
            f"{file} is being written", why="it changed while it was read", hint="wait until it is complete"
        )
    return digest


def _stamp(file: Path) -> Stamp:
    try:
        seen = file.stat()
    except OSError as failure:
        raise DataError(
            f"cannot read {file}", why=failure.strerror or str(failure), hint="make it a readable file"
        ) from None
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


def _four(stamp: list[int]) -> Stamp:
    size, changed, status_changed, inode = map(int, stamp)
    return size, changed, status_changed, inode
