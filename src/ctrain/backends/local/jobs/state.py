"""How a job stands: written by its own process only, read by anybody at any time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ctrain.backends.local.jobs.content import Listing, last_lines, still_there
from ctrain.errors import PlatformUnavailable
from ctrain.training import JobStatus, StepRun, TrainingRun


@dataclass(frozen=True)
class StepState:
    """Times are in seconds since 1970. `place` is the folder that has the step's outputs and log."""

    name: str
    status: JobStatus = JobStatus.NOT_STARTED
    started: float | None = None
    ended: float | None = None
    run_id: str = ""
    reused_from: str | None = None
    place: str = ""
    error: str | None = None
    log: str | None = None


@dataclass(frozen=True)
class JobState:
    """All of a job. `pid` is that of its process; `metrics` are `step.metric`."""

    job: str
    status: JobStatus
    pid: int
    submitted: float
    run_id: str = ""
    steps: tuple[StepState, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    ended: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Kept:
    """An output and the files that it had when its step ended."""

    path: str
    files: Listing

    def intact(self) -> bool:
        return still_there(Path(self.path), self.files)


def write_whole(file: Path, text: str) -> None:
    """Put a file in place at once: a reader sees the old text or the new, never half."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_text(text)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def write_state(folder: Path, state: JobState) -> None:
    document = {**vars(state), "steps": [vars(step) for step in state.steps]}
    write_whole(folder / "state.json", json.dumps(document))


def read_state(folder: Path) -> JobState | None:
    """None where the job's process has not written any yet."""
    try:
        document = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return None
    except ValueError as failure:
        raise PlatformUnavailable(
            f"the state of the job {folder.name} cannot be read",
            why=f"{folder / 'state.json'}: {failure}",
            hint=f"restore the file, or remove {folder} to have it trained anew",
        ) from None
    steps = tuple(StepState(**{**step, "status": JobStatus(step["status"])}) for step in document["steps"])
    return JobState(**{**document, "status": JobStatus(document["status"]), "steps": steps})


def write_outputs(folder: Path, outputs: Mapping[str, Kept]) -> None:
    write_whole(folder / "outputs.json", json.dumps({name: asdict(kept) for name, kept in outputs.items()}))


def read_outputs(folder: Path) -> dict[str, Kept]:
    try:
        document = json.loads((folder / "outputs.json").read_text())
    except FileNotFoundError:
        return {}
    return {name: Kept(kept["path"], [(file, size) for file, size in kept["files"]]) for name, kept in document.items()}


def alive(folder: Path) -> bool:
    """Whether the job's process, or the watcher that cleans up after it, holds the folder's lock."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def observed(folder: Path, now: float) -> TrainingRun | None:
    """The job in this folder as it is at `now`; None where it was prepared but never started."""
    state = read_state(folder)
    if state is None or not state.status.ended:
        # The order matters: only a state read after the lock was found free is the process's last word.
        running = alive(folder)
        state = read_state(folder) if not running else state
        if state is None:
            return _before_the_first_word(folder, running=running)
        if not running and not state.status.ended:
            state = died(folder, state)
    return _run(folder, state, now)


def _before_the_first_word(folder: Path, *, running: bool) -> TrainingRun | None:
    log = str(folder / "job.log")
    if running:
        return TrainingRun(folder.name, JobStatus.STARTING, run_id="", log=log)
    if not (folder / "started").exists():
        return None
    said = last_lines(folder / "job.log", 3)
    error = f"the job's process ended before it began; the end of its log, {log}:\n{said}"
    return TrainingRun(folder.name, JobStatus.FAILED, run_id="", error=error, log=log)


def died(folder: Path, state: JobState) -> JobState:
    """What a state means whose writer is gone."""
    cancelled = (folder / "cancel").exists()
    status = JobStatus.CANCELED if cancelled else JobStatus.FAILED
    said = last_lines(folder / "job.log", 3)
    last = said.rpartition("\n")[2] or "killed, out of memory, or the machine was restarted"
    error = None if cancelled else f"the job's process died: {last}\n{said}".strip()
    steps = tuple(
        step if step.status.ended or step.status is JobStatus.NOT_STARTED else replace(step, status=status, error=error)
        for step in state.steps
    )
    return replace(state, status=status, steps=steps, error=error)


def _run(folder: Path, state: JobState, now: float) -> TrainingRun:
    outputs = read_outputs(folder) if state.status.succeeded else {}
    gone = [name for name, kept in outputs.items() if not kept.intact()]
    status, error = state.status, state.error
    if gone:
        status = JobStatus.UNKNOWN
        error = f"it was completed, but its output {gone[0]!r} is gone from {outputs[gone[0]].path}"
    return TrainingRun(
        job=state.job,
        status=status,
        run_id=state.run_id,
        steps=tuple(_step(step, now) for step in state.steps),
        outputs={name: kept.path for name, kept in outputs.items() if name not in gone},
        metrics=state.metrics,
        submitted=datetime.fromtimestamp(state.submitted, UTC),
        ended=datetime.fromtimestamp(state.ended, UTC) if state.ended else None,
        error=error,
        log=str(folder / "job.log"),
    )


def _step(step: StepState, now: float) -> StepRun:
    until = step.ended or (now if not step.status.ended else step.started) or 0.0
    seconds = max(0.0, until - step.started) if step.started else 0.0
    return StepRun(step.name, step.status, seconds, step.reused_from, step.log, step.error)
