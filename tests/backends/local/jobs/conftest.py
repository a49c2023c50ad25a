"""A platform of its own for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.pipeline.graph import Pipeline


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def trainer_of(home: Home) -> Callable[[Pipeline], LocalTrainer]:
    """A trainer to whom every file holds this pipeline; two steps at once, a second of grace."""
    return lambda pipeline: LocalTrainer(home, cores=2, grace=1.0, read=lambda _: pipeline)
