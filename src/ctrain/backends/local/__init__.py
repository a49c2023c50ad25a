"""The embedded platform: real processes train, a real MLflow tracks and registers, real HTTP endpoints serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.backends.local.home import Home

if TYPE_CHECKING:
    # Jobs' and servers' processes import this package too, and must start fast.
    from ctrain.ports import Backend
    from ctrain.project import Project


def home_of(project: Project) -> Home:
    """`CTRAIN_HOME`, else the file's `backends.local.home`, else `.ctrain` beside the file."""
    asked = os.environ.get("CTRAIN_HOME") or project.backends.local.home or ".ctrain"
    return Home((project.root / Path(asked).expanduser()).absolute())


def connect_local(project: Project) -> Backend:
    """The backend on this machine. Opening it starts nothing and writes nothing."""
    from ctrain.backends.local.clock import SystemClock
    from ctrain.backends.local.data import LocalData
    from ctrain.backends.local.ledger import LocalLedger
    from ctrain.backends.local.registry import LocalRegistry
    from ctrain.backends.local.serving.port import LocalServing
    from ctrain.backends.local.trainer import LocalTrainer

    home, clock, settings = home_of(project), SystemClock(), project.backends.local
    return Backend(
        name="local",
        trainer=LocalTrainer(home, environments=settings.environments, cores=settings.cores),
        registry=LocalRegistry(home),
        serving=LocalServing(home, clock),
        data=LocalData(home, project.root),
        ledger=LocalLedger(home, clock),
        clock=clock,
    )
