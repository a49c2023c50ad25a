"""A world in memory, and somebody who listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal, News
from ctrain.plan import Plan
from ctrain.release import Release
from tests.builders import outputs
from tests.memory import MemoryBackend


@pytest.fixture
def world(tmp_path: Path) -> MemoryBackend:
    return MemoryBackend(tmp_path / "jobs", outputs())


@pytest.fixture
def heard() -> list[News]:
    return []


@pytest.fixture
def journal(world: MemoryBackend, heard: list[News]) -> Journal:
    return Journal(world.ports, "a test", heard.append)


Run = Callable[[Plan], Release]


@pytest.fixture
def run(world: MemoryBackend) -> Run:
    """`ctrain run`, each time as a new process would: with a journal of its own that gives its locks back."""

    def once(plan: Plan) -> Release:
        journal = Journal(world.ports, "a test", lambda _: None)
        try:
            return deliver(plan, journal)
        finally:
            journal.unlock_all()

    return once
