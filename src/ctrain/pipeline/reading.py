"""What one reading of a pipeline carries along: what was read, and whether this machine has to be able to run it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ctrain.document import Document, read_document
from ctrain.errors import Location, PipelineError
from ctrain.pipeline.cursor import Cursor
from ctrain.pipeline.graph import Pipeline
from ctrain.pipeline.snapshot import Sources


@dataclass(frozen=True)
class Reading:
    """`local`: refuse what only Azure ML itself can run. `within` are the pipeline files that we are inside of."""

    local: bool
    sources: Sources = field(default_factory=Sources)
    within: tuple[Path, ...] = ()
    pipelines: dict[Path, tuple[Pipeline, Sources]] = field(default_factory=dict)
    """Pipeline components already read, and what each is made of."""
    _documents: dict[Path, Document] = field(default_factory=dict)

    def open(self, file: Path, named_at: Cursor | None = None) -> Cursor:
        """The root of a YAML file, which becomes part of what the pipeline is made of."""
        if file not in self._documents:
            if named_at and not file.is_file():
                raise named_at.refuse(f"{file} is not a file", why="a YAML file is expected", hint="name a file")
            self._documents[file] = read_document(file, PipelineError)
        self.sources.files.add(file)
        root = Cursor(self._documents[file], (), self._documents[file].value)
        if not isinstance(root.value, dict):
            raise root.wrong("a mapping")
        return root

    def inside(self, file: Path) -> Reading:
        """For reading a pipeline file within: it has sources of its own."""
        return replace(self, sources=self.sources.child(), within=(*self.within, file))

    def local_only(self, cursor: Cursor, what: str, *, why: str, hint: str) -> None:
        """Refuse what is a valid pipeline, and more than this machine can run."""
        self.local_only_at(cursor.at, what, why=why, hint=hint)

    def local_only_at(self, at: Location, what: str, *, why: str, hint: str) -> None:
        if self.local:
            raise PipelineError(what, why=why, hint=hint, at=at)
