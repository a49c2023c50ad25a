"""Repositories whose platform is taken down at the end, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.repository import Repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    made = Repository.create(tmp_path_factory.mktemp("user") / "visits")
    yield made
    made.down()
