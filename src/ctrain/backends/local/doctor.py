"""What the embedded platform needs of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.project import Project
from ctrain.verdict import Finding, Outcome


class LocalDoctor:
    """A Doctor for this machine: is the data there, can the platform's folder be written?"""

    def __init__(self, home: Home) -> None:
        self.home = home

    def examine(self, project: Project) -> Iterator[Finding]:
        yield self._folder()
        yield self._data(Path(project.data_reference("local")))

    def _folder(self) -> Finding:
        nearest = next(folder for folder in (self.home.root, *self.home.root.parents) if folder.exists())
        if os.access(nearest, os.W_OK | os.X_OK):
            return Finding("folder", Outcome.PASS, f"{self.home.root} can be written")
        return Finding(
            "folder", Outcome.FAIL, f"{nearest} cannot be written: make it yours, or set CTRAIN_HOME to another folder"
        )

    def _data(self, data: Path) -> Finding:
        if data.exists():
            return Finding("data", Outcome.PASS, f"{data} is there")
        return Finding("data", Outcome.FAIL, f"there is no {data}: correct `data.local`, or bring the data there")
