"""Some places of the kill matrix, by chance; `make test-kill-matrix` has them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure.loopback import Loopback
from tests.e2e.azure import azure_tiny
from tests.kills.arena import Arena, azure_arena, local_arena
from tests.kills.matrix import chosen, learn, strike_all

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SEED = 4


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Arena]:
    arena = local_arena(tmp_path / "tiny")
    yield arena
    arena.repository.down()


@pytest.fixture
def azureml(azure: Loopback, tmp_path: Path) -> Iterator[Arena]:
    with pytest.MonkeyPatch.context() as patch:
        yield azure_arena(azure_tiny(tmp_path / "tiny", azure, patch))


@pytest.mark.parametrize(("backend", "count"), [("local", 6), ("azureml", 4)])
def test_a_run_killed_at_a_call_that_writes_comes_to_the_same_state(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str, count: int
) -> None:
    """A real process, ended by SIGKILL before or after the call; and run again."""
    arena: Arena = request.getfixturevalue(backend)
    kills, wanted = learn(arena, tmp_path, deliveries=2)

    fates = list(strike_all(arena, chosen(kills, count, SEED), wanted, tmp_path))

    assert [fate.wrong for fate in fates if fate.wrong] == []
    assert all(fate.killed for fate in fates)
    assert len(kills) > 60
