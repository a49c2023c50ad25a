"""What served before cannot serve while a version is given up: exit code 7, and commands that put it right."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.home import Home
from ctrain.backends.local.serving.port import LocalServing
from tests.e2e.killing import processes
from tests.e2e.repository import LIMIT, Repository, Said
from tests.e2e.tiny import CONFIGURATION, SCORING, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROLLOUT = "{strategy: canary, steps: [20, 100], bake: 20s, judge: {errors: 0.05, per_second: 5, min_requests: 15}}"

BROKEN = SCORING.replace("def init():", "def init():\n    raise RuntimeError('not today')")


def watched(root: Path, rollout: str) -> Iterator[tuple[Repository, subprocess.Popen[str]]]:
    """Version 1 served prod; version 2 comes by that rollout, and has begun to be watched."""
    stage = "endpoint: tiny-prod, smoke: {golden: 3}"
    configuration = CONFIGURATION.replace(stage, f"{stage}, rollout: {rollout}").replace("[dev, prod]", "[prod]")
    made = tiny(root, {"ctrain.yaml": configuration})
    assert made.ctrain("run", "--trigger", "main").code == 0
    made.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
    driver = made.start("run", "--trigger", "main")
    made.until("watching")
    yield made, driver
    made.down()


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[tuple[Repository, subprocess.Popen[str]]]:
    """Version 2 has 20% of prod's traffic, and is watched."""
    yield from watched(tmp_path / "tiny", ROLLOUT)


def old(repository: Repository) -> Path:
    """The folder of what served before."""
    return next((repository.root / ".ctrain" / "endpoints" / "tiny-prod" / "deployments").glob("v1-*"))


def break_old(repository: Repository) -> Path:
    """Somebody's hand: what served before cannot be loaded any more, and its server has ended. Its script."""
    script = old(repository) / "code" / "score.py"
    script.write_text(BROKEN)
    for process, line in processes(repository).items():
        if str(old(repository)) in line:
            os.kill(process, signal.SIGKILL)
    return script


def printed(said: Said) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in re.findall(r"^    (ctrain .+)$", said.err, re.MULTILINE)]


def test_the_printed_commands_put_prod_right(driven: tuple[Repository, subprocess.Popen[str]]) -> None:
    """Somebody's hand broke what served before, and a person aborts. Once it is mended, each command works."""
    repository, driver = driven
    script = break_old(repository)

    aborted = repository.ctrain("rollout", "abort", "prod", "--as", "anna", "--reason", "complaints")
    driver.communicate(timeout=LIMIT)
    assert (aborted.code, driver.returncode) == (7, 7), aborted.err
    assert printed(aborted) == [["status"], ["logs", "--stage", "prod"], ["rollout", "abort", "prod"]]
    assert "RuntimeError: not today" in repository.ctrain("logs", "--stage", "prod").out
    script.write_text(SCORING)
    said = [repository.ctrain(*words) for words in printed(aborted)]

    assert [one.code for one in said] == [0, 0, 0], said[-1].err
    assert repository.serving()["prod"] == 1
    assert repository.ctrain("run", "--trigger", "main").code == 6


def test_running_again_puts_prod_right_too(driven: tuple[Repository, subprocess.Popen[str]]) -> None:
    """As a CI does whose job is run again: exit code 6, as if it had been restored at once."""
    repository, driver = driven
    script = break_old(repository)
    repository.ctrain("rollout", "abort", "prod", "--as", "anna", "--reason", "complaints")
    driver.communicate(timeout=LIMIT)
    script.write_text(SCORING)

    again = repository.ctrain("run", "--trigger", "main")

    assert again.code == 6, again.err
    assert repository.serving()["prod"] == 1


@pytest.fixture
def switched(tmp_path: Path) -> Iterator[tuple[Repository, subprocess.Popen[str]]]:
    """Version 2 has all of prod's traffic, and is watched; version 1 is kept for the way back."""
    yield from watched(tmp_path / "tiny", "{strategy: blue_green, bake: 30s, judge: {errors: 0.05, per_second: 5}}")


def test_what_somebody_removed_is_placed_anew_by_the_printed_command(
    switched: tuple[Repository, subprocess.Popen[str]],
) -> None:
    """The way back is gone, and a person wants it: the release that had brought it there brings it there again."""
    repository, driver = switched
    LocalServing(Home(repository.root / ".ctrain"), SystemClock()).remove("tiny-prod", old(repository).name)

    _, said = driver.communicate(timeout=LIMIT)
    assert driver.returncode == 10, said
    aborted = repository.ctrain("rollout", "abort", "prod", "--as", "anna", "--reason", "complaints")
    (status, deploy) = printed(aborted)
    codes = [repository.ctrain(*words).code for words in (status, deploy)]

    assert aborted.code == 7, aborted.err
    assert deploy[:3] == ["deploy", "--to", "prod"]
    assert codes == [0, 0]
    assert repository.serving()["prod"] == 1
    assert repository.ctrain("run", "--trigger", "main").code == 6
