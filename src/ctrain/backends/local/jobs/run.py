"""Runs a plan: each step as soon as what it needs is there, side by side up to the cores."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ctrain.backends.local.digest_cache import DigestCache
from ctrain.backends.local.environments import build
from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.command import BadCommand
from ctrain.backends.local.jobs.plan import JobPlan, PlannedStep, Upstream
from ctrain.backends.local.jobs.process import Children, kill_session, shell
from ctrain.backends.local.jobs.reuse import Execution, Executions, new_identity, reusable, step_key
from ctrain.backends.local.jobs.state import JobState, Kept, StepState, died, read_state, write_outputs, write_state
from ctrain.backends.local.jobs.step import Missing, Place, changed_inputs, collect, command_line, failure, variables
from ctrain.backends.local.tracking import Experiment, Runs, RunStatus, open_runs
from ctrain.errors import CtrainError
from ctrain.training import JobStatus

_MLFLOW_STATUS: Mapping[JobStatus, RunStatus] = {
    JobStatus.COMPLETED: "FINISHED",
    JobStatus.FAILED: "FAILED",
    JobStatus.CANCELED: "KILLED",
}


@dataclass
class Job:
    """A job under way. What the world sees of it is `state`; the rest is how we got there."""

    home: Home
    folder: Path
    plan: JobPlan
    state: JobState
    runs: Runs
    experiment: Experiment
    children: Children
    executions: Executions
    shell: str
    done: dict[str, Execution] = field(default_factory=dict)
    running: dict[int, PlannedStep] = field(default_factory=dict)
    limits: dict[int, float] = field(default_factory=dict)
    overdue: set[int] = field(default_factory=set)
    cancelled: bool = False
    stopping: bool = False

    # -- what the world sees

    def tell(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]
        write_state(self.folder, self.state)

    def step_is(self, name: str, **changes: object) -> None:
        steps = tuple(
            replace(step, **changes) if step.name == name else step  # type: ignore[arg-type]
            for step in self.state.steps
        )
        self.tell(steps=steps)

    def status_of(self, name: str) -> JobStatus:
        return next(step.status for step in self.state.steps if step.name == name)

    # -- the loop

    def run(self) -> None:
        """Until every step has ended, or none that is left can start.

        Who cancels leaves the mark, then looks for our state; we wrote our state, and look for the mark. So one of us
        sees the other.
        """
        while True:
            if self.asked_to_stop():
                self.cancel()
                return
            if not self.plan.continue_on_failure and self.failed():
                self.stop_running()
                return
            self.start_ready()
            if not self.running:
                return
            for ended in self.children.wait(self.until_next_limit()):
                self.end_step(self.running.pop(ended.pid), ended.code, overdue=ended.pid in self.overdue)
            self.end_overdue()

    def until_next_limit(self) -> float | None:
        """Seconds until the first of the running steps must end; None where none has a limit."""
        limits = [self.limits[pid] for pid in self.running if pid in self.limits and pid not in self.overdue]
        return max(0.0, min(limits) - time.monotonic()) if limits else None

    def end_overdue(self) -> None:
        now = time.monotonic()
        for pid in self.running:
            if pid not in self.overdue and self.limits.get(pid, now + 1) <= now:
                self.overdue.add(pid)
                kill_session(pid, signal.SIGKILL)

    def asked_to_stop(self) -> bool:
        return self.children.asked_to_stop or (self.folder / "cancel").exists()

    def failed(self) -> list[StepState]:
        return [step for step in self.state.steps if step.status is JobStatus.FAILED]

    def start_ready(self) -> None:
        """Start what can start. A step that is reused may make others ready at once."""
        for step in self.plan.steps:
            if len(self.running) >= self.plan.parallel:
                return
            waiting = self.status_of(step.name) is JobStatus.NOT_STARTED
            if waiting and all(name in self.done for name in step.after):
                self.start_step(step)

    def start_step(self, step: PlannedStep) -> None:
        identities = {name: execution.identity for name, execution in self.done.items()}
        earlier = reusable(step, identities, self.executions, fresh=self.plan.fresh)
        try:
            if earlier and earlier.job != self.plan.job:
                self.reuse(step, earlier)
            else:
                self.launch(step)
        except (OSError, BadCommand, CtrainError) as trouble:
            self.step_is(step.name, status=JobStatus.FAILED, ended=time.time(), error=f"it could not start: {trouble}")

    def launch(self, step: PlannedStep) -> None:
        place = Place(self.folder / "steps" / step.name)
        started = time.time()
        place.make(step)
        python = step.environment.python
        if not python:
            self.step_is(step.name, status=JobStatus.PREPARING, started=started, log=str(place.log))
            python = build(step.environment, self.home.environments)
            started = time.time()
        line = command_line(step, place, self.path)
        run = self.open_run(step, started)
        around = variables(step, place, self.path, python, self.tracking_variables(run))
        try:
            pid = self.children.start([self.shell, "-c", line], cwd=place.work, log=place.log, variables=around)
        except OSError:
            self.runs.end(run, "FAILED", _milliseconds(started))
            raise
        self.running[pid] = step
        if step.timeout is not None:
            self.limits[pid] = time.monotonic() + step.timeout
        self.step_is(
            step.name,
            status=JobStatus.RUNNING,
            started=started,
            run_id=run,
            place=str(place.folder),
            log=str(place.log),
        )

    def reuse(self, step: PlannedStep, earlier: Execution) -> None:
        now = time.time()
        run = self.open_run(step, now, {"ctrain.reused_from": earlier.job, "ctrain.reused_run": earlier.run_id})
        self.runs.copy(earlier.run_id, run)
        self.runs.end(run, "FINISHED", _milliseconds(now))
        self.done[step.name] = earlier
        self.add_metrics(step.name, run)
        self.step_is(
            step.name,
            status=JobStatus.COMPLETED,
            started=now,
            ended=now,
            run_id=run,
            reused_from=earlier.job,
            place=earlier.place,
            log=str(Path(earlier.place) / "log.txt"),
        )
        self.copy_reused(step, earlier)

    def copy_reused(self, step: PlannedStep, earlier: Execution) -> None:
        """An output that the user wants somewhere is put there whether it was made now or then."""
        if any(output.copy_to for output in step.outputs.values()):
            collect(step, Place(Path(earlier.place)))

    def end_step(self, step: PlannedStep, code: int, *, overdue: bool = False) -> None:
        place = Place(self.folder / "steps" / step.name)
        now = time.time()
        run = next(state.run_id for state in self.state.steps if state.name == step.name)
        self.add_metrics(step.name, run)
        error = None
        if overdue:
            error = f"it ran longer than its limit of {step.timeout} s, and was killed"
        elif code:
            error = failure(code, place.log)
        elif changed := changed_inputs(step, lambda path: DigestCache(self.home).content(path).digest):
            error = f"its input changed while it ran: {', '.join(changed)}"
        else:
            try:
                self.keep(step, place, run, collect(step, place))
            except Missing as missing:
                error = missing.why
            except OSError as trouble:
                error = f"its outputs could not be kept: {trouble}"
        status = JobStatus.FAILED if error else JobStatus.COMPLETED
        if error and self.stopping:
            status, error = JobStatus.CANCELED, None
        self.runs.end(run, _MLFLOW_STATUS[status], _milliseconds(now))
        self.step_is(step.name, status=status, ended=now, error=error)

    def keep(self, step: PlannedStep, place: Place, run: str, outputs: dict[str, Kept]) -> None:
        key = step_key(step, {name: execution.identity for name, execution in self.done.items()})
        identity = new_identity(key, self.plan.job, step.name)
        execution = Execution(identity, self.plan.job, step.name, run, str(place.folder), outputs)
        if step.deterministic:
            self.executions.add(key, execution)
        self.done[step.name] = execution

    # -- stopping

    def cancel(self) -> None:
        self.cancelled = True
        self.tell(status=JobStatus.CANCEL_REQUESTED)
        self.stop_running()

    def stop_running(self) -> None:
        """Ask what runs to end, wait for the grace period, then end it."""
        self.stopping = True
        self.children.signal_all(signal.SIGTERM)
        deadline = time.monotonic() + self.plan.grace
        while self.running:
            for ended in self.children.wait(max(0.0, deadline - time.monotonic())):
                self.end_step(self.running.pop(ended.pid), ended.code)
            if time.monotonic() >= deadline:
                self.children.signal_all(signal.SIGKILL)
                deadline = time.monotonic() + 1

    # -- MLflow

    def open_run(self, step: PlannedStep, started: float, more: Mapping[str, str] | None = None) -> str:
        tags = {
            **run_tags(self.plan),
            "mlflow.parentRunId": self.state.run_id,
            "mlflow.rootRunId": self.state.run_id,
            "ctrain.step": step.name,
            **({"ctrain.component": step.component} if step.component else {}),
            **(more or {}),
        }
        return self.runs.start(self.experiment, step.name, tags, _milliseconds(started))

    def tracking_variables(self, run: str) -> dict[str, str]:
        """As Azure ML sets them for its jobs, for this store.

        `_MLFLOW_SERVER_ARTIFACT_ROOT` is where MLflow puts the artifacts of experiments that user code makes itself.
        """
        return {
            "MLFLOW_TRACKING_URI": self.home.tracking_uri,
            "MLFLOW_REGISTRY_URI": self.home.tracking_uri,
            "MLFLOW_RUN_ID": run,
            "MLFLOW_EXPERIMENT_ID": self.experiment.id,
            "MLFLOW_EXPERIMENT_NAME": self.experiment.name,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": str(self.home.artifacts),
            "AZUREML_RUN_ID": run,
            "AZUREML_ROOT_RUN_ID": self.state.run_id,
            "AZUREML_EXPERIMENT_ID": self.experiment.id,
            "AZUREML_ARM_PROJECT_NAME": self.experiment.name,
        }

    def add_metrics(self, step: str, run: str) -> None:
        found = {f"{step}.{name}": value for name, value in self.runs.metrics(run).items()}
        if found:
            self.state = replace(self.state, metrics={**self.state.metrics, **found})

    def path(self, source: Upstream) -> Path:
        return Path(self.done[source.step].outputs[source.output].path)

    # -- the end

    def finish(self) -> None:
        """Say how it ended: outputs first, so that a job seen `Completed` has them."""
        status, error = self.verdict()
        if status.succeeded:
            write_outputs(
                self.folder,
                {name: self.done[made.step].outputs[made.output] for name, made in self.plan.outputs.items()},
            )
        ended = time.time()
        self.runs.end(self.state.run_id, _MLFLOW_STATUS[status], _milliseconds(ended))
        steps = self.state.steps
        if status is JobStatus.CANCELED:
            steps = tuple(
                step if step.status.ended else replace(step, status=JobStatus.CANCELED) for step in self.state.steps
            )
        self.tell(status=status, error=error, ended=ended, steps=steps)

    def verdict(self) -> tuple[JobStatus, str | None]:
        if self.cancelled:
            return JobStatus.CANCELED, None
        failed = self.failed()
        if failed:
            # In a line, with the last of the log: that is where Python says what it could not do.
            how, _, log = (failed[0].error or "").strip().partition("\n")
            last = log.rpartition("\n")[2].strip()
            return JobStatus.FAILED, f"the step {failed[0].name!r} failed: {how}{f': {last}' if last else ''}"
        return JobStatus.COMPLETED, None


def run_tags(plan: JobPlan) -> dict[str, str]:
    """What MLflow's own `start_run` says of where a run comes from (mlflow/tracking/context)."""
    return {
        "mlflow.user": os.environ.get("USER") or pwd.getpwuid(os.getuid()).pw_name,
        "mlflow.source.name": plan.pipeline,
        "mlflow.source.type": "JOB",
        "ctrain.job": plan.job,
    }


def run_job(home: Home, folder: Path, plan: JobPlan) -> None:
    """Run the plan in its folder to its end, whatever that is. The caller holds the folder's lock."""
    begun = time.time()
    steps = tuple(StepState(step.name) for step in plan.steps)
    state = JobState(plan.job, JobStatus.PREPARING, os.getpid(), begun, steps=steps)
    write_state(folder, state)
    children = Children(lambda: bury(home, folder))
    opened: list[Runs] = []
    try:
        runs = open_runs(home)
        opened.append(runs)
        experiment = runs.experiment(plan.experiment)
        tags = {**run_tags(plan), **plan.tags}
        state = replace(
            state,
            status=JobStatus.RUNNING,
            run_id=runs.start(experiment, plan.display_name or plan.job, tags, _milliseconds(begun)),
        )
        job = Job(home, folder, plan, state, runs, experiment, children, Executions(executions_folder(home)), shell())
        job.tell()
        job.run()
        job.finish()
    except (CtrainError, OSError) as trouble:
        children.signal_all(signal.SIGKILL)
        with contextlib.suppress(OSError):
            _give_up(folder, state, str(trouble))
        raise
    finally:
        for runs in opened:
            runs.close()
        children.close()


def bury(home: Home, folder: Path) -> None:
    """The job's process was killed: say so for it, in its state and in MLflow, where it would run for ever."""
    state = read_state(folder)
    if state is None or state.status.ended:
        return
    last = replace(died(folder, state), ended=time.time())
    status = _MLFLOW_STATUS[last.status]
    open_ones = [step.run_id for step in state.steps if step.run_id and not step.status.ended]
    with contextlib.suppress(CtrainError, OSError):
        runs = open_runs(home)
        for run in [*open_ones, *([state.run_id] if state.run_id else [])]:
            runs.end(run, status, _milliseconds(time.time()))
        runs.close()
    with contextlib.suppress(OSError):
        write_state(folder, last)


def executions_folder(home: Home) -> Path:
    return home.jobs / ".executions"


def _give_up(folder: Path, state: JobState, why: str) -> None:
    """The platform failed us (a full disk, a store that is locked): the job ends here, readable."""
    last = read_state(folder) or state
    steps = tuple(
        step
        if step.status.ended or step.status is JobStatus.NOT_STARTED
        else replace(step, status=JobStatus.FAILED, ended=time.time(), error="the job was given up")
        for step in last.steps
    )
    write_state(folder, replace(last, status=JobStatus.FAILED, ended=time.time(), error=why, steps=steps))


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
