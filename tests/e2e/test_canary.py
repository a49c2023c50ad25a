"""A rollout that is watched, with somebody who asks prod all the time."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.repository import Repository
from tests.e2e.tiny import CONFIGURATION, SCORING, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROLLOUT = (
    "{strategy: canary, steps: [20, 100], bake: 3s, mirror: 20,"
    " judge: {errors: 0.05, p95_ms: 2000, changed: 0.2, per_second: 10, min_requests: 15}}"
)
BREAKS = SCORING.replace(
    "def run(raw):",
    "asked = 0\n\n\ndef run(raw):\n    global asked\n    asked += 1\n    assert asked < 60, 'out of memory'",
)
BODY = json.dumps({"input_data": {"columns": ["x"], "index": [0], "data": [[0.5]]}}).encode()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    configuration = CONFIGURATION.replace(
        "endpoint: tiny-prod, smoke: {golden: 3}", f"endpoint: tiny-prod, smoke: {{golden: 10}}, rollout: {ROLLOUT}"
    ).replace("deploy: [dev, prod]", "deploy: [prod]")
    made = tiny(tmp_path / "tiny", {"ctrain.yaml": configuration})
    yield made
    made.down()


@contextmanager
def client(repository: Repository, answers: Counter[tuple[int, str]]) -> Iterator[None]:
    """Asks prod through its endpoint, ten times a second; counts statuses by who answered."""
    (stage,) = [s for s in repository.ctrain("status", "--json").document["status"]["stages"] if s["stage"] == "prod"]
    key = (repository.root / ".ctrain" / "endpoints" / "tiny-prod" / "key").read_text().strip()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(headers=headers, timeout=10) as http:
            while not stop.wait(0.1):
                answer = http.post(stage["endpoint"]["scoring_url"], content=BODY)
                answers[answer.status_code, answer.headers.get("azureml-model-deployment", "")] += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        stop.set()
        asking.join()


def test_a_canary_arrives_and_one_that_breaks_is_taken_back(repository: Repository) -> None:
    """The good one takes over by its steps; the one that breaks under traffic hurts nobody but the canary's share."""
    assert repository.ctrain("run", "--trigger", "main").code == 0
    answers: Counter[tuple[int, str]] = Counter()
    with client(repository, answers):
        repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
        good = repository.ctrain("run", "--trigger", "main")
        assert good.code == 0, good.err
        assert {status for status, _ in answers} == {200}
        served = repository.serving()["prod"]

        (repository.root / "scoring" / "score.py").write_text(BREAKS)
        repository.edit("ctrain.yaml", "factor: 0.91", "factor: 0.92")
        bad = repository.ctrain("run", "--trigger", "main")

    assert bad.code == 6, bad.err
    assert "failed, at most 5.0% may" in bad.err
    assert repository.serving()["prod"] == served == 2
    failed = {who for (status, who), _ in answers.items() if status != 200}
    assert all(who.startswith("v3-") for who in failed), answers
    assert sum(count for (status, _), count in answers.items() if status == 200) > 50
