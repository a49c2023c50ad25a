"""Repositories whose platform is taken down at the end, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.killing import Killing, processes
from tests.e2e.repository import Repository
from tests.e2e.tiny import tiny


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    made = Repository.create(tmp_path_factory.mktemp("user") / "visits")
    yield made
    made.down()


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    """A tiny project that was delivered; at the end none of its processes is left."""
    made = Killing(tiny(tmp_path_factory.mktemp("user") / "tiny", factor="0.900"))
    said = made.repository.ctrain("run", "--trigger", "main")
    assert said.code == 0, said.err
    yield made
    made.repository.down()
    assert processes(made.repository) == {}
