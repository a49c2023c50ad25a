"""Jobs when processes die, race or are told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from tests.backends.local.jobs.builders import a_pipeline, a_spec, a_step, ended, running, trained

from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.state import alive, read_state
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.pipeline.graph import Pipeline, ValueType
from ctrain.training import JobStatus, TrainingSpec

Trainers = Callable[[Pipeline], LocalTrainer]

SLOW = "echo $$; sleep 300 & echo $!; wait"


def exists(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: list[int], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(exists, pids))


def pids_in_log(trainer: LocalTrainer, step: str = "s") -> list[int]:
    """The step's shell and its child, as they say themselves."""
    deadline = time.monotonic() + 30
    while len(found := trainer.logs("job-1", step).split()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return [int(pid) for pid in found]


def test_a_job_whose_process_was_killed_is_failed(trainer_of: Trainers) -> None:
    """`kill -9` leaves no word; the lock that fell free says it, and no step goes on behind our back."""
    trainer = trainer_of(a_pipeline(a_step("s", SLOW)))
    trainer.submit(a_spec())
    pids = pids_in_log(trainer)
    state = read_state(trainer.home.jobs / "job-1")
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    run = ended(trainer)
    assert run.status is JobStatus.FAILED
    assert "died" in (run.error or "")
    assert run.steps[0].status is JobStatus.FAILED
    assert gone(pids)
    with contextlib.closing(sqlite3.connect(trainer.home.tracking_db)) as store:
        assert store.execute("SELECT DISTINCT status FROM runs").fetchall() == [("FAILED",)]


def test_a_job_that_died_stays_dead_under_its_name(trainer_of: Trainers) -> None:
    """A new attempt has a new name; the old one is adopted as it is."""
    trainer = trainer_of(a_pipeline(a_step("s", SLOW)))
    trainer.submit(a_spec())
    running(trainer, "s")
    state = read_state(trainer.home.jobs / "job-1")
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    ended(trainer)
    assert trainer.submit(a_spec()).status is JobStatus.FAILED


def test_a_job_outlives_who_submitted_it(home: Home, tmp_path: Path) -> None:
    """The submitter is killed, hard, with its whole session, and the job ends well."""
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from ctrain.backends.local.home import Home
        from ctrain.backends.local.trainer import LocalTrainer
        from tests.backends.local.jobs.builders import a_pipeline, a_spec, a_step
        pipeline = a_pipeline(a_step("s", "sleep 0.3; echo survived"))
        LocalTrainer(Home(Path({str(home.root)!r})), read=lambda _: pipeline).submit(a_spec())
        os.killpg(0, signal.SIGKILL)
        """
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path.cwd(), start_new_session=True, check=False, timeout=60)
    trainer = LocalTrainer(home, read=lambda _: a_pipeline())
    assert ended(trainer).status is JobStatus.COMPLETED
    assert trainer.logs("job-1", "s") == "survived\n"


def test_cancelling_ends_the_step_and_its_children(trainer_of: Trainers) -> None:
    """All of the step's session is asked to end."""
    trainer = trainer_of(a_pipeline(a_step("s", SLOW), a_step("t", "sleep 300")))
    trainer.submit(a_spec())
    pids = pids_in_log(trainer)
    trainer.cancel("job-1")
    run = ended(trainer)
    assert run.status is JobStatus.CANCELED
    assert {step.status for step in run.steps} == {JobStatus.CANCELED}
    assert gone(pids)


def test_a_step_that_does_not_listen_is_killed(trainer_of: Trainers) -> None:
    """After the grace period."""
    trainer = trainer_of(a_pipeline(a_step("s", "trap '' TERM; echo $$; echo $$; while :; do sleep 0.05; done")))
    trainer.submit(a_spec())
    pids = pids_in_log(trainer)
    trainer.cancel("job-1")
    assert ended(trainer).status is JobStatus.CANCELED
    assert gone(pids)


def test_a_step_may_tidy_up_when_cancelled(trainer_of: Trainers) -> None:
    """SIGTERM comes first, and what the step says then is in its log."""
    trainer = trainer_of(
        a_pipeline(a_step("s", "trap 'echo tidy; exit 1' TERM; echo on; while :; do sleep 0.02; done"))
    )
    trainer.submit(a_spec())
    running(trainer, "s")
    trainer.cancel("job-1")
    ended(trainer)
    assert "tidy" in trainer.logs("job-1", "s")


def test_cancelling_at_once_is_honoured(trainer_of: Trainers) -> None:
    """Even before the job's process has learnt to listen."""
    trainer = trainer_of(a_pipeline(a_step("s", "sleep 300")))
    trainer.submit(a_spec())
    trainer.cancel("job-1")
    assert ended(trainer).status is JobStatus.CANCELED


def test_cancelling_what_has_ended_changes_nothing(trainer_of: Trainers) -> None:
    """Nor does cancelling what never was."""
    trainer = trainer_of(a_pipeline(a_step("s")))
    before = trained(trainer, a_spec())
    trainer.cancel("job-1")
    trainer.cancel("job-2")
    assert trainer.look("job-1") == before
    assert trainer.look("job-2") is None


def test_of_many_submitters_one_starts_the_job(home: Home, tmp_path: Path) -> None:
    """Eight processes at once, one execution: the step counts itself."""
    count, go = tmp_path / "count", tmp_path / "go"
    script = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from ctrain.backends.local.home import Home
        from ctrain.backends.local.trainer import LocalTrainer
        from tests.backends.local.jobs.builders import a_pipeline, a_spec, a_step
        pipeline = a_pipeline(a_step("s", "echo $$ >> {shlex.quote(str(count))}"))
        trainer = LocalTrainer(Home(Path({str(home.root)!r})), read=lambda _: pipeline)
        print("ready", flush=True)
        sys.stdin.readline()
        print(trainer.submit(a_spec()).job)
        """
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    said = [racer.communicate("go\n", timeout=60)[0] for racer in racers]
    assert said == ["job-1\n"] * 8
    assert ended(LocalTrainer(home)).status is JobStatus.COMPLETED
    assert len(count.read_text().splitlines()) == 1
    assert not go.exists()


def test_a_submitter_that_died_before_the_start_is_taken_over(trainer_of: Trainers) -> None:
    """A folder without a process is no job yet; the next submit starts it."""
    trainer = trainer_of(a_pipeline(a_step("s", "echo ran")))
    trainer._write(a_spec(), trainer.home.jobs / "job-1")
    assert trainer.look("job-1") is None
    trainer.submit(a_spec())
    assert ended(trainer).status is JobStatus.COMPLETED


@pytest.mark.parametrize("apart", [7, pytest.param(1, marks=pytest.mark.long)])
def test_a_submitter_may_die_between_any_two_lines(trainer_of: Trainers, tmp_path: Path, apart: int) -> None:
    """Killed (`kill -9`) at its n-th line, for every n or every seventh: the next submit ends as an undisturbed one."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "run.sh").write_text("echo ran >> $1")
    died = True
    number = 1 - apart
    while died:
        number += apart
        job = f"job-{number}"
        count = tmp_path / job
        command = f"sh run.sh {shlex.quote(str(count))}"
        trainer = trainer_of(a_pipeline(a_step("s", command, code=code, deterministic=False)))
        died = killed_at_line(number, trainer, a_spec(job))
        trainer.submit(a_spec(job))
        assert ended(trainer, job).status is JobStatus.COMPLETED, number
        assert count.read_text() == "ran\n", number
    assert number > 20


WRITERS = ("submit", "_write", "keep", "rename_into_place", "_start", "_take", "_was_started")


def killed_at_line(number: int, trainer: LocalTrainer, spec: TrainingSpec) -> bool:
    """Submit in a process that kills itself before that line of `WRITERS`; whether it came so far."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def on_line(frame: FrameType, event: str, _: object) -> object:
            if event == "line":
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return on_line

        def on_call(frame: FrameType, _event: str, _: object) -> object:
            return on_line if frame.f_code.co_name in WRITERS else None

        sys.settrace(on_call)  # type: ignore[arg-type]
        try:
            trainer.submit(spec)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_a_process_that_died_before_its_first_word_is_failed(trainer_of: Trainers) -> None:
    """It was started: another start might run the job twice."""
    trainer = trainer_of(a_pipeline(a_step("s")))
    folder = trainer.home.jobs / "job-1"
    trainer._write(a_spec(), folder)
    (folder / "plan.json").write_text("{")
    trainer.submit(a_spec())
    deadline = time.monotonic() + 30
    while alive(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    run = trainer.look("job-1")
    assert run is not None
    assert run.status is JobStatus.FAILED
    assert "before it began" in (run.error or "")


def test_a_state_is_whole_whenever_it_is_read(trainer_of: Trainers) -> None:
    """A reader in a tight loop never meets half a file, nor a step that goes backwards."""
    trainer = trainer_of(
        a_pipeline(*(a_step(f"s{number}", outputs={"o": ValueType.URI_FOLDER}) for number in range(15)))
    )
    trainer.submit(a_spec())
    most = 0
    file = trainer.home.jobs / "job-1" / "state.json"
    while True:
        run = trainer.look("job-1")
        assert run is not None
        done = sum(step.status.succeeded for step in run.steps)
        assert done >= most
        most = done
        if run.status.ended:
            break
    assert json.loads(file.read_text())["status"] == "Completed"
    assert most == 15
