"""SIGINT and SIGTERM, as a CI sends them, at many moments: gone within three seconds, and gone on with later."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.killing import Killing, Moment, by_chance, jobs, once, processes
from tests.e2e.repository import CTRAIN, LIMIT, Repository, Said, environment
from tests.e2e.tiny import CONFIGURATION, SCORING, TRAINING, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("interrupted")]

PROMISE = 3.0
"""Seconds from a signal to the end. GitHub sends SIGTERM after 7.5, and kills 2.5 later."""

SLOW = TRAINING.replace("print(", "import time; time.sleep(float(factor)); print(", 1)


def heeding() -> None:
    """A shell's background job ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def through_bash(repository: Repository, *words: str) -> subprocess.Popen[str]:
    """As a CI's step: a script of one line, run by bash, which the signal is sent to."""
    script = repository.root.parent / "step.sh"
    script.write_text(f"exec {CTRAIN} {' '.join(words)}\n")
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=repository.root,
        env={**environment(), **repository.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeding,  # noqa: PLW1509  we have no threads
    )


def interrupted(killing: Killing, moment: Moment, number: signal.Signals, *words: str) -> Said | None:
    """Start ctrain, send it the signal at the moment, and see it gone in time; None where it had ended before."""
    before, began = len(killing.events()), time.monotonic()
    process = through_bash(killing.repository, *(words or ("run", "--trigger", "main")))
    try:
        while not moment([event["kind"] for event in killing.events()[before:]], time.monotonic() - began):
            if process.poll() is not None:
                return None
            assert time.monotonic() - began < LIMIT
            time.sleep(0.005)
        process.send_signal(number)
        code = process.wait(timeout=PROMISE)
        out, err = process.communicate()
    finally:
        process.kill()
        process.communicate()
    if code != 128 + number:  # it was done already
        assert code == 0, err
        return None
    after = killing.events()
    time.sleep(0.2)
    assert killing.events() == after, "something was done after the end"
    assert "Traceback" not in err
    return Said(code, out, err)


def resumed_elsewhere(killing: Killing, folder: Path) -> Said:
    """By another checkout of the same commit, with the same platform: as by another machine."""
    subprocess.run(["git", "clone", "-q", str(killing.repository.root), str(folder)], check=True)
    return Repository(folder, {"CTRAIN_HOME": str(killing.repository.root / ".ctrain")}).ctrain("resume")


@pytest.mark.long
def test_a_run_that_is_interrupted_again_and_again_arrives(killing: Killing, tmp_path: Path) -> None:
    """And is resumed from elsewhere: one release, one job, one version; no lock keeps the next one out."""
    killing.another_model()
    said = None
    for kind, number in (("submitting", signal.SIGINT), ("placing", signal.SIGTERM)):
        said = interrupted(killing, once(kind), number)
        assert said is not None
    assert said is not None
    assert "`ctrain resume main-" in said.err
    assert "ctrain rollout abort dev" in said.err

    resumed = resumed_elsewhere(killing, tmp_path / "other")

    assert resumed.code == 0, resumed.err
    killing.as_if_undisturbed()


MOMENTS = ("opened", "submitting", "trained", "registering", "placing", "smoked", "shifting", "promoted", "crowning")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_at_every_kind_of_moment(killing: Killing, number: signal.Signals) -> None:
    """One after another, in one release."""
    killing.another_model()
    for kind in MOMENTS:
        said = interrupted(killing, once(kind), number)
        assert said is None or "Interrupted" in said.err

    killing.as_if_undisturbed()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_whenever_it_is_interrupted(killing: Killing, seed: int) -> None:
    """At moments that chance picks, with a signal that chance picks."""
    import random

    chance = random.Random(seed)  # noqa: S311  not for secrets
    killing.another_model()
    for _ in range(3):
        interrupted(killing, by_chance(chance), chance.choice([signal.SIGINT, signal.SIGTERM]))

    killing.as_if_undisturbed()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Repository]:
    """Its training takes a minute."""
    repository = tiny(tmp_path / "tiny", {"code/train.py": SLOW}, factor="60")
    yield repository
    repository.ctrain("cancel")
    limit = time.monotonic() + 30  # MLflow's process ends with its input, once it has come up
    while processes(repository):
        assert time.monotonic() < limit, processes(repository)
        time.sleep(0.1)


def stopped(repository: Repository, *words: str) -> Said:
    """Started, and sent SIGTERM once it waits for its job."""
    seen = len(repository.kinds())
    process = repository.start(*words)
    limit = time.monotonic() + LIMIT
    while "submitting" not in repository.kinds()[seen:] or not list(
        (repository.root / ".ctrain").glob("jobs/*/state.json")
    ):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=PROMISE)
    out, err = process.communicate()
    return Said(process.returncode, out, err)


def test_a_pull_requests_training_is_cancelled_with_its_run(slow: Repository) -> None:
    """At once; the clean-up job ends the release, and finds nothing to do the second time."""
    said = stopped(slow, "run", "--trigger", "pull_request")
    assert said.code == 143
    assert "was asked to stop, as `on_cancel` says" in said.err

    for told in ("is cancelled, as `on_cancel` says", "nothing to do"):
        cleaned = slow.ctrain("cancel", "--interrupted")
        assert (cleaned.code, told in cleaned.err) == (0, True), cleaned.err
    assert "training failed" in slow.ctrain("history").out
    assert len(jobs(slow)) == 1


def test_a_training_goes_on_and_a_later_job_picks_it_up(slow: Repository) -> None:
    """Detached, left at a deadline, and interrupted: 8, 0 where a later job goes on, 143; one job for all of them."""
    left = slow.ctrain("train", "--trigger", "main", "--detach")
    assert left.code == 8
    assert "ctrain train --trigger main" in left.err
    left = slow.ctrain("run", "--trigger", "main", "--detach")
    assert left.code == 8
    name = left.err.rpartition("ctrain resume ")[2].strip()
    assert slow.ctrain("resume", name, "--deadline", "1s").code == 8
    assert slow.ctrain("run", "--trigger", "main", "--deadline", "1s", "--still-running-ok").code == 0
    assert stopped(slow, "resume").code == 143
    cleaned = slow.ctrain("cancel", "--interrupted")
    assert cleaned.code == 0
    assert f"ctrain resume {name}" in cleaned.err
    assert len(jobs(slow)) == 1


@pytest.mark.long
def test_who_finds_a_lock_is_told_where_and_can_wait(slow: Repository) -> None:
    """The run's address; and with --wait it is its turn once the other is gone."""
    variables: Mapping[str, str] = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "team/tiny",
        "GITHUB_RUN_ID": "7",
        "GITHUB_ACTOR": "anna",
    }
    first = Repository(slow.root, variables).start("run", "--trigger", "main")
    limit = time.monotonic() + LIMIT
    while "submitting" not in slow.kinds():
        assert time.monotonic() < limit
        time.sleep(0.02)
    refused = slow.ctrain("run", "--trigger", "main")
    assert refused.code == 10
    assert "https://github.example/team/tiny/actions/runs/7" in refused.err
    assert "at the latest" in refused.err

    second = slow.start("run", "--trigger", "main", "--wait", "5m", "--detach")
    assert second.stderr is not None
    assert "for the lock" in second.stderr.readline()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=PROMISE)
    _, told = second.communicate(timeout=60)
    assert second.returncode == 8, told


@pytest.mark.long
def test_a_smoke_test_that_hangs_does_not_keep_it(tmp_path: Path) -> None:
    """Four clients wait for an answer that takes its time; nobody waits for them."""
    smoke = "smoke: {golden: 3, load: {seconds: 60, concurrency: 4, p95_ms: 60000}}"
    text = CONFIGURATION.replace("smoke: {golden: 3}", smoke).replace(
        "deployment: {scoring", "deployment: {request_timeout_ms: 60000, scoring"
    )
    slow_load = SCORING.replace(
        "def run(raw):",
        "asked = 0\n\n\ndef run(raw):\n    global asked\n    asked += 1\n    import time\n"
        "    time.sleep(20 if asked > 12 else 0)",
        1,
    )
    repository = tiny(tmp_path / "tiny", {"ctrain.yaml": text, "scoring/score.py": slow_load})
    try:
        process = repository.start("run", "--trigger", "main")
        limit = time.monotonic() + LIMIT
        while "placing" not in repository.kinds():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.05)
        time.sleep(8)  # by then it asks
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PROMISE) == 143
        process.communicate()
    finally:
        repository.down()
