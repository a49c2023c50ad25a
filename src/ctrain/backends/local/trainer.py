"""The local trainer: a pipeline runs as processes on this machine, detached from whoever asked for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ctrain.backends.local.assets import find_registered
from ctrain.backends.local.digest_cache import DigestCache
from ctrain.backends.local.environments import Environments, Mode
from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.plan import JobPlan, Joined, LocalPath, plan_text
from ctrain.backends.local.jobs.prepare import Prepared, Surroundings, prepare
from ctrain.backends.local.jobs.reuse import Executions, reusable
from ctrain.backends.local.jobs.snapshot import keep, rename_into_place
from ctrain.backends.local.jobs.state import alive, observed, read_outputs, read_state
from ctrain.errors import PlatformUnavailable, TrainingFailed, UsageError
from ctrain.pipeline.graph import Pipeline
from ctrain.training import JobStatus, Preview, StepPreview, TrainingRun, TrainingSpec

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,254}", re.ASCII)


def _read(file: Path) -> Pipeline:
    from ctrain.pipeline import read_pipeline

    return read_pipeline(file)


class LocalTrainer:
    """Jobs as folders under `home.jobs`, each with a process that outlives us (`ctrain.backends.local.jobs`).

    `environments` is `current` (steps run in ctrain's interpreter) or `build` (a virtual environment per conda or pip
    file). `cores` is how many steps run at once, by default as many as the machine's cores; `grace` is how many seconds
    a cancelled step has before it is killed.
    """

    def __init__(
        self,
        home: Home,
        *,
        environments: Mode = "current",
        cores: int | None = None,
        grace: float = 10.0,
        read: Callable[[Path], Pipeline] = _read,
    ) -> None:
        self.home = home
        self.environments = Environments(home.environments, environments)
        self.cores = cores or _cores()
        self.grace = grace
        self.read = read
        self._started: dict[str, int] = {}

    # -- reading

    def preview(self, spec: TrainingSpec) -> Preview:
        """What submitting would do. The environment's digest is over those of all steps, where they are several."""
        pipeline = self.read(spec.pipeline)
        plan = self._prepare(pipeline, spec).plan
        return Preview(
            code=pipeline.code,
            environment=_environment_digest(plan),
            steps=tuple(self._steps(plan)),
            inputs=_digest_of_other_inputs(plan, spec),
        )

    def check(self, spec: TrainingSpec) -> None:
        """Nothing is left to look at: a preview has prepared all of the job."""

    def _steps(self, plan: JobPlan) -> Iterator[StepPreview]:
        executions = Executions(self.home.jobs / ".executions")
        identities: dict[str, str] = {}
        for step in plan.steps:
            earlier = None
            if all(name in identities for name in step.after):
                earlier = reusable(step, identities, executions, fresh=plan.fresh)
            if earlier:
                identities[step.name] = earlier.identity
            yield StepPreview(step.name, step.after, earlier.job if earlier else None)

    def look(self, job: str) -> TrainingRun | None:
        """The job as it is now. One that was prepared and never started counts as none: submit it again."""
        self._reap(job)
        with _disk_errors():
            return observed(self._folder(job), time.time())

    def _reap(self, job: str) -> None:
        """A process that we started and that has ended would stay a zombie for as long as we live."""
        if job in self._started:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._started[job], os.WNOHANG)[0] == 0:
                    return
            del self._started[job]

    # -- acting

    def submit(self, spec: TrainingSpec) -> TrainingRun:
        """Start the job, or adopt the one of that name."""
        folder = self._folder(spec.job)
        with _disk_errors():
            if not folder.exists():
                self._write(spec, folder)
            self._start(folder)
            run = observed(folder, time.time())
        return run or TrainingRun(spec.job, JobStatus.NOT_STARTED, run_id="")

    def _write(self, spec: TrainingSpec, folder: Path) -> None:
        """The job's folder, by one rename: complete or not at all, and of two submitters one writes it."""
        self.home.prepare()
        self.home.jobs.mkdir(exist_ok=True)
        prepared = self._prepare(self.read(spec.pipeline), spec)
        for snapshot in prepared.snapshots.values():
            keep(snapshot, self._snapshots)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.home.jobs))
        try:
            (made / "plan.json").write_text(plan_text(prepared.plan))
            (made / "lock").touch()
            rename_into_place(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _start(self, folder: Path) -> None:
        """Start the job's process unless it was started before.

        The process inherits the lock that we take, so there is no moment at which it runs and the lock is free.
        """
        with (folder / "lock").open("r+") as lock:
            if not _take(lock, folder) or _was_started(folder):
                return
            with (folder / "job.log").open("ab") as log:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "ctrain.backends.local.jobs",
                        str(self.home.root),
                        str(folder),
                        str(lock.fileno()),
                    ],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(lock.fileno(),),
                )
            (folder / "started").touch()
        # It is meant to outlive us, and this object: who looks at the job reaps it (see `_reap`).
        self._started[folder.name] = process.pid
        process.returncode = 0

    def cancel(self, job: str) -> None:
        folder = self._folder(job)
        with _disk_errors():
            if not folder.exists() or not alive(folder):
                return
            (folder / "cancel").touch()
            state = read_state(folder)
            if state and not state.status.ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(state.pid, signal.SIGTERM)

    def fetch(self, job: str, output: str) -> Path:
        """Where the output is: nothing is copied, so it must not be written to."""
        with _disk_errors():
            kept = read_outputs(self._folder(job))
        if output not in kept:
            known = ", ".join(kept) or "none"
            raise TrainingFailed(
                f"the job {job} has no output {output!r}",
                why=f"its outputs are: {known}",
                hint="name one of the pipeline's outputs, of a job that was completed",
            )
        if not kept[output].intact():
            raise TrainingFailed(
                f"the output {output!r} of the job {job} is gone",
                why=f"{kept[output].path} is not what the job left there",
                hint="train again with --fresh",
            )
        return Path(kept[output].path)

    def logs(self, job: str, step: str | None = None) -> str:
        run = self.look(job)
        if run is None:
            return ""
        if step is not None:
            return "".join(_text(found.log) for found in run.steps if found.name == step)
        parts = [("job", _text(run.log)), *((found.name, _text(found.log)) for found in run.steps)]
        return "\n".join(f"== {name} ==\n{text}" for name, text in parts if text)

    # -- inside

    @property
    def _snapshots(self) -> Path:
        return self.home.jobs / ".code"

    def _folder(self, job: str) -> Path:
        if not _NAME.fullmatch(job):
            raise UsageError(
                f"{job!r} is not a job's name",
                why="names are of letters, digits, `.`, `_` and `-`, and start with a letter or digit",
                hint="name an existing job",
            )
        return self.home.jobs / job

    def _prepare(self, pipeline: Pipeline, spec: TrainingSpec) -> Prepared:
        around = Surroundings(
            digest=lambda path: DigestCache(self.home).content(path).digest,
            environment=self.environments.plan,
            registered=lambda uri, kind: find_registered(self.home, uri, kind),
            snapshots=self._snapshots,
            parallel=self.cores,
            grace=self.grace,
        )
        return prepare(pipeline, spec, around)


def _cores() -> int:
    """Those that this process may use; macOS does not tell, and has them all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _was_started(folder: Path) -> bool:
    return (folder / "started").exists() or (folder / "state.json").exists()


def _take(lock: IO[str], folder: Path) -> bool:
    """Whether the lock is ours. Somebody who looks holds it for an instant; the job's process holds it for good."""
    for _ in range(200):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _was_started(folder):
                return False
            time.sleep(0.005)
        else:
            return True
    return False


def _environment_digest(plan: JobPlan) -> str:
    import hashlib

    found = sorted({step.environment.digest for step in plan.steps})
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def _digest_of_other_inputs(plan: JobPlan, spec: TrainingSpec) -> str:
    """Digest of what the pipeline itself says it reads, a step's lookup table for one; empty where it says nothing."""
    import hashlib

    ours = set(map(str, spec.inputs.values()))
    found: set[str] = set()
    for step in plan.steps:
        for value in step.inputs.values():
            parts = value.parts if isinstance(value, Joined) else (value,)
            found |= {part.digest for part in parts if isinstance(part, LocalPath) and part.path not in ours}
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest() if found else ""


def _text(log: str | None) -> str:
    try:
        return Path(log).read_text(errors="replace") if log else ""
    except OSError:
        return ""


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """A full disk, or a folder that is not ours, is the platform's fault and not a bug."""
    try:
        yield
    except OSError as failure:
        raise PlatformUnavailable(
            "the local platform cannot use its folder",
            why=f"{failure.strerror or failure}: {failure.filename or 'its files'}",
            hint="check the disk's space and the permissions of ctrain's folder (CTRAIN_HOME)",
        ) from None
