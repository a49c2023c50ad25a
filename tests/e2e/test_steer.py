"""A person steers a rollout that another process drives, on real endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.repository import LIMIT, Repository
from tests.e2e.tiny import CONFIGURATION, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROLLOUT = (
    "{strategy: canary, steps: [20, {traffic: 50, pause: true}, 100], bake: 12s,"
    " judge: {errors: 0.05, per_second: 5, min_requests: 15}}"
)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    configuration = CONFIGURATION.replace(
        "endpoint: tiny-prod, smoke: {golden: 3}", f"endpoint: tiny-prod, smoke: {{golden: 3}}, rollout: {ROLLOUT}"
    ).replace("deploy: [dev, prod]", "deploy: [prod]")
    made = tiny(tmp_path / "tiny", {"ctrain.yaml": configuration})
    yield made
    made.down()


def test_another_process_is_paused_and_then_aborted(repository: Repository) -> None:
    """Its lock is left to it; it notices in the midst of a watch, and its exit code says what became of it."""
    assert repository.ctrain("run", "--trigger", "main").code == 0
    repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
    driver = repository.start("run", "--trigger", "main")
    repository.until("watching", 1)

    assert repository.ctrain("rollout", "status", "prod").code == 8
    assert repository.ctrain("rollout", "pause", "prod", "--as", "anna", "--reason", "lunch").code == 0
    _, said = driver.communicate(timeout=LIMIT)
    assert driver.returncode == 4, said
    assert repository.ctrain("rollout", "status", "prod").code == 4
    assert "watched" not in repository.kinds()

    assert repository.ctrain("rollout", "resume", "prod", "--later").code == 0
    driver = repository.start("run", "--trigger", "main")
    repository.until("watching", 2)
    aborted = repository.ctrain("rollout", "abort", "prod", "--as", "anna", "--reason", "complaints")
    _, said = driver.communicate(timeout=LIMIT)

    assert (aborted.code, driver.returncode) == (0, 6), aborted.err + said
    assert repository.serving()["prod"] == 1
    assert repository.ctrain("run", "--trigger", "main").code == 6
    assert repository.ctrain("readmit", "prod", "2", "--reason", "it was not the model").code == 0
