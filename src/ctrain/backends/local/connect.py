"""Open the embedded platform for a project. Opening it starts nothing and writes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.data import LocalData
from ctrain.backends.local.doctor import LocalDoctor
from ctrain.backends.local.environments import Environments, build
from ctrain.backends.local.home import Home
from ctrain.backends.local.ledger import LocalLedger
from ctrain.backends.local.registry import LocalRegistry
from ctrain.backends.local.serving.port import ROUTE_SECONDS, LocalServing
from ctrain.backends.local.serving.telemetry import LocalTelemetry
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import Location
from ctrain.pipeline.graph import Environment
from ctrain.ports import Backend
from ctrain.project import Project


def home_of(project: Project) -> Home:
    """`CTRAIN_HOME`, else the file's `backends.local.home`, else `.ctrain` beside the file.

    Raises PlatformUnavailable where it cannot be looked into.
    """
    asked = os.environ.get("CTRAIN_HOME") or project.backends.local.home or ".ctrain"
    home = Home((project.root / Path(asked).expanduser()).absolute())
    home.check()
    return home


@dataclass(frozen=True)
class Interpreters:
    """Which Python runs a deployment: ours, or with `environments: build` the one its conda file asks for."""

    environments: Environments

    def __call__(self, environment: str | None) -> Path:
        """Builds the environment where it is not built yet. Raises PipelineError for a file that cannot be built."""
        if environment is None or environment.startswith("azureml:") or self.environments.mode == "current":
            return Path(sys.executable)
        file = Path(environment)
        planned = self.environments.plan(Environment(Location(file, 1), conda=file.read_text()))
        return Path(build(planned, self.environments.folder), "python")


def connect_local(project: Project, run_url: str = "", hide: Callable[[str], object] = lambda _: None) -> Backend:
    """The backend on this machine. `hide` is told the endpoints' keys as they are read."""
    home, clock, settings = home_of(project), SystemClock(), project.backends.local
    interpreters = Interpreters(Environments(home.environments, settings.environments))
    serving = LocalServing(home, clock, interpreters, hide)
    return Backend(
        name="local",
        trainer=LocalTrainer(home, environments=settings.environments, cores=settings.cores),
        registry=LocalRegistry(home),
        serving=lambda _stage: serving,
        data=LocalData(home, project.root),
        ledger=LocalLedger(home, clock, run_url),
        clock=clock,
        doctor=LocalDoctor(home),
        route_seconds=ROUTE_SECONDS,
        telemetry=lambda _stage: LocalTelemetry(home, clock),
    )
