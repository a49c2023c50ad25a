"""What the embedded platform needs of this machine."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ctrain.backends.local.home import Home
from ctrain.project import Project
from ctrain.verdict import Finding, Outcome

ROOM: Final = 1024**3
"""Bytes: with less, an environment or a few models do not fit."""


class LocalDoctor:
    """A Doctor for this machine: is the data there, can the platform's folder be written, is there room and a port?"""

    def __init__(self, home: Home) -> None:
        self.home = home

    def examine(self, project: Project) -> Iterator[Finding]:
        yield self._folder()
        yield self._disk()
        yield _ports()
        yield self._data(Path(project.data_reference("local")))

    def _nearest(self) -> Path:
        """The platform's folder, or the nearest one above it that is there."""
        return next(folder for folder in (self.home.root, *self.home.root.parents) if folder.exists())

    def _disk(self) -> Finding:
        free = shutil.disk_usage(self._nearest()).free
        says = f"{free / ROOM:.1f} GiB are free"
        if free >= ROOM:
            return Finding("disk", Outcome.PASS, says)
        return Finding("disk", Outcome.FAIL, f"only {says}: make room for at least one")

    def _folder(self) -> Finding:
        nearest = self._nearest()
        if os.access(nearest, os.W_OK | os.X_OK):
            return Finding("folder", Outcome.PASS, f"{self.home.root} can be written")
        return Finding(
            "folder", Outcome.FAIL, f"{nearest} cannot be written: make it yours, or set CTRAIN_HOME to another folder"
        )

    def _data(self, data: Path) -> Finding:
        if data.exists():
            return Finding("data", Outcome.PASS, f"{data} is there")
        return Finding("data", Outcome.FAIL, f"there is no {data}: correct `data.local`, or bring the data there")


def _ports() -> Finding:
    try:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
    except OSError as failure:
        return Finding("ports", Outcome.FAIL, f"nothing can listen on 127.0.0.1 ({failure.strerror}): allow it")
    return Finding("ports", Outcome.PASS, "endpoints can listen on 127.0.0.1")
