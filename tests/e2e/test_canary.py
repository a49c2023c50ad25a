"""A rollout that is watched, with somebody who asks prod all the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bad_release import happen, project
from tests.e2e.repository import Repository

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = project(tmp_path / "tiny")
    yield made
    made.down()


def test_a_canary_arrives_and_one_that_breaks_is_taken_back(repository: Repository) -> None:
    """The good one takes over by its steps; the one that breaks under traffic hurts nobody but the canary's share."""
    story = happen(repository)

    assert story.bad is not None
    assert story.bad.code == 6, story.bad.err
    assert "failed, at most 5.0% may" in story.bad.err
    assert repository.serving()["prod"] == 2
    assert story.failed(of_canary=False) == []
    assert sum(one.status == 200 for one in story.answers) > 50
    assert story.moved[-1][1][story.canary] == 0
