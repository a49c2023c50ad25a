"""`kill -9` at any moment: running again ends where an undisturbed run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.killing import Killing, once, processes
from tests.e2e.repository import Repository
from tests.e2e.tiny import TRAINING, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("killed")]


def test_a_run_that_is_killed_again_and_again_arrives(killing: Killing) -> None:
    """One release, one job, one version; the new model serves and is champion; nothing else runs; nothing is left.

    `make test-kill-matrix` has all calls.
    """
    killing.another_model()
    for kind in ("submitting", "registering", "shifting", "crowning"):
        killing.kill(once(kind))

    killing.as_if_undisturbed()

    assert "nothing to do" in killing.repository.ctrain("run", "--trigger", "main").err


def test_an_endpoint_that_was_killed_is_told_and_started_again(killing: Killing) -> None:
    """`status` says that it is down; `run` brings it back, and is the release that it was."""
    before = len(killing.events())
    (endpoint,) = killing.pids("serving.endpoint", "tiny-prod")
    os.kill(endpoint, signal.SIGKILL)

    assert "prod down: `ctrain local up`" in killing.repository.ctrain("status").out
    said = killing.repository.ctrain("run", "--trigger", "main")

    assert said.code == 0, said.err
    assert [event["kind"] for event in killing.events()[before:]] == ["creating"]
    assert killing.repository.ctrain("smoke", "prod").code == 0


SLOW = TRAINING.replace("print(", "import time; time.sleep(float(factor)); print(", 1)


def test_signals_other_runs_and_cancelling(tmp_path: Path) -> None:
    """A training takes a while: what goes on is told, one run works on it at a time, and it can be stopped."""
    repository = tiny(tmp_path / "tiny", {"code/train.py": SLOW}, factor="60")
    run = ("run", "--trigger", "main")
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = submitted(repository, *run)
        process.send_signal(number)
        _, told = process.communicate(timeout=10)
        assert process.returncode == code
        assert "goes on by itself" in told
        assert "Traceback" not in told

    first = submitted(repository, *run)
    second = repository.ctrain(*run)
    assert second.code == 10
    assert f"process {first.pid}" in second.err
    assert "open: training" in repository.ctrain("history").out
    assert repository.ctrain("gate").code == 10

    cancelled = repository.ctrain("cancel")
    assert cancelled.code == 0, cancelled.err
    _, told = first.communicate(timeout=20)
    assert first.returncode == 5
    assert "was cancelled" in told
    assert repository.ctrain("cancel").code == 2
    assert repository.ctrain("gate").code == 5
    assert processes(repository) == {}


def submitted(repository: Repository, *words: str) -> subprocess.Popen[str]:
    """ctrain, started, once it waits for its job."""
    seen = len(repository.kinds())
    process = repository.start(*words)
    limit = time.monotonic() + 30
    while "submitting" not in repository.kinds()[seen:] or not list(
        (repository.root / ".ctrain").glob("jobs/*/state.json")
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)
    time.sleep(0.5)  # until it knows itself what it has just written
    return process
