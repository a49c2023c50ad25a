"""What files hold: which there are, to tell later whether they are still there, and the end of a log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


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


def last_lines(log: Path, count: int) -> str:
    """The end of a log of any size."""
    try:
        with log.open("rb") as content:
            content.seek(0, os.SEEK_END)
            content.seek(max(0, content.tell() - 65536))
            return "\n".join(content.read().decode(errors="replace").rstrip().splitlines()[-count:])
    except FileNotFoundError:
        return ""
