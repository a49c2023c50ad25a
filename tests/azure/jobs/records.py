"""What is known of a job and of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.azure.routing import Body

ENDED: Final = ("Completed", "Failed", "Canceled")


@dataclass(frozen=True)
class OutputAsset:
    """An output in storage. `path` is in the datastore: a folder's ends with a slash. `kind` as in YAML."""

    kind: str
    datastore: str
    path: str
    asset_id: str


@dataclass
class Run:
    """A job or a step of one, as run history sees it. Times are virtual seconds since 1970."""

    id: str
    created: float
    display_name: str = ""
    status: str = "NotStarted"
    started: float | None = None
    ended: float | None = None
    error: str | None = None
    outputs: dict[str, OutputAsset] = field(default_factory=dict)
    engine_run: str = ""
    """The MLflow run's id in the engine's store."""
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    forced: str | None = None
    forced_until: float | None = None
    logged: int = 0
    """How much of the log is in storage, in bytes."""

    def shown(self, now: float) -> str:
        """The status that is told: the one a test asked for, as long as it asked for it."""
        if self.forced is not None and (self.forced_until is None or now < self.forced_until):
            return self.forced
        return self.status

    def is_now(self, status: str, now: float) -> None:
        if status == self.status:
            return
        self.status = status
        if status == "Running" and self.started is None:
            self.started = now
        if status in ENDED:
            self.ended = now


@dataclass
class Step(Run):
    """A step, or an inner pipeline, of a pipeline job. `name` has the pipelines around it, too: `outer.step`."""

    name: str = ""
    parent: str = ""
    pipeline: bool = False
    component: str = ""
    log: str | None = None
    reused: Step | None = None

    @property
    def node(self) -> str:
        """The step's own name."""
        return self.name.rpartition(".")[2]


@dataclass
class Job(Run):
    """What was submitted. `submitted` is the resource's `properties` as they were PUT."""

    submitted: Body = field(default_factory=dict)
    description: str | None = None
    archived: bool = False
    steps: dict[str, Step] = field(default_factory=dict)
    cancelled: bool = False
    task: asyncio.Task[None] | None = None
    log_lines: list[str] = field(default_factory=list)

    @property
    def pipeline(self) -> bool:
        return str(self.submitted.get("jobType", "")).lower() == "pipeline"

    @property
    def experiment(self) -> str:
        return str(self.submitted.get("experimentName") or "Default")

    def runs(self) -> Iterator[Run]:
        yield self
        if self.pipeline:
            yield from self.steps.values()
