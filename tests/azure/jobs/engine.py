"""Running a job: fetch its parts, let the local engine run it, follow it, and keep what it makes in storage."""

from __future__ import annotations

import asyncio
import json
import traceback
from pathlib import Path
from typing import Final

from ctrain.backends.local.jobs.content import last_lines
from ctrain.backends.local.jobs.state import JobState, StepState
from ctrain.errors import CtrainError
from ctrain.training import JobStatus, TrainingSpec
from tests.azure.jobs.fetched import Fetched
from tests.azure.jobs.keeping import Keeper, Types
from tests.azure.jobs.rebuild import ONLY_STEP, Rebuilt, rebuild
from tests.azure.jobs.records import ENDED, Job, Step
from tests.azure.jobs.resources import Resources
from tests.azure.jobs.submission import first_properties
from tests.azure.jobs.workshop import Jobs
from tests.azure.routing import Refused

_STAGES: Final = {"Completed": "Finished"}
_EVERY: Final = 0.05
"""How often a running job is looked at, in real seconds."""


class Runner:
    """One job, from its submission to its end."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self.jobs = jobs
        self.job = job
        self.cloud = jobs.cloud
        self.resources = Resources(jobs.cloud, jobs.workspace)
        self.keeper = Keeper(jobs, job, self.resources)
        self.rebuilt: Rebuilt | None = None

    # -- the way of a job

    async def run(self) -> None:
        """Never raises: what goes wrong is the job's failure."""
        try:
            await self._run()
        except Refused as refused:
            self._fail(refused.message)
        except CtrainError as error:
            self._fail(str(error))
        except Exception as bug:  # noqa: BLE001  nobody awaits the task: whoever waits for the job must be told
            traceback.print_exc()
            self._fail(f"The loopback Azure could not run the job: {bug!r}")

    async def _run(self) -> None:
        await self._wait("job.start")
        if self.job.cancelled:
            self._end("Canceled")
            return
        self._is("Preparing")
        await asyncio.to_thread(self._submit_parts)
        await self._wait("job.prepare")
        if self.cloud.durations.get("job.queue"):
            self._is("Queued")
            await self._wait("job.queue")
        if self.job.cancelled:
            self._end("Canceled")
            return
        await asyncio.to_thread(self.jobs.trainer.submit, self._spec())
        self._note(f"Submitting the pipeline {self.job.id}")
        self._is("Running")
        state = await self._followed()
        if state.status is not JobStatus.CANCELED:
            self._is("Finalizing")
        await self._wait("job.finalize")
        await asyncio.to_thread(self.keeper.logs)
        await self._finish(state)

    async def _wait(self, what: str) -> None:
        """Virtual seconds, none unless a test asks for some; a cancelled job does not wait."""
        until = self.jobs.now + self.cloud.durations.get(what, 0.0)
        while self.jobs.now < until and not self.job.cancelled:
            await self.cloud.clock.sleep(min(0.1, until - self.jobs.now))

    def _is(self, status: str) -> None:
        if status == "Preparing":
            settings = self.job.submitted.get("settings") or {}
            compute = str(self.job.submitted.get("computeId") or settings.get("default_compute") or "").rpartition("/")[
                2
            ]
            self.job.properties |= first_properties(self.job, compute)
        self.job.is_now(status, self.jobs.now)

    def _fail(self, why: str) -> None:
        self.job.error = why
        self._end("Failed")

    def _end(self, status: str) -> None:
        for step in self.job.steps.values():
            if step.status not in ENDED:
                step.is_now("Canceled", self.jobs.now)
        self._note(f"The pipeline ended {status}")
        self.job.is_now(status, self.jobs.now)
        if self.job.pipeline:
            told = {"StartTime": self.job.started, "EndTime": self.job.ended, "Status": _STAGES.get(status, status)}
            self.job.properties["azureml.pipelines.stages"] = json.dumps({"Initialization": None, "Execution": told})

    def _note(self, what: str) -> None:
        stamp = self.cloud.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        self.job.log_lines.append(f"[{stamp}] {what}.")

    # -- before

    def _submit_parts(self) -> None:
        folder = self.jobs.folder(self.job.id)
        folder.mkdir(parents=True, exist_ok=True)
        parts = Fetched(self.resources, self.jobs.workspace.home / "codes", folder / "inputs")
        self.rebuilt = rebuild(self.job.submitted, folder, parts)

    @property
    def _types(self) -> Types:
        return self.rebuilt.types if self.rebuilt else {}

    def _spec(self) -> TrainingSpec:
        assert self.rebuilt is not None
        return TrainingSpec(
            self.job.id,
            self.rebuilt.file,
            {},
            self.job.experiment,
            self.job.display_name,
            dict(self.job.tags),
            fresh=not self.job.pipeline,
        )

    # -- meanwhile

    async def _followed(self) -> JobState:
        """The job's last state. Steps' outputs are in storage before the step is told to have ended."""
        asked = False
        while True:
            if self.job.cancelled and not asked:
                asked = True
                self._is("CancelRequested")
                await asyncio.to_thread(self.jobs.trainer.cancel, self.job.id)
            state = await asyncio.to_thread(self.jobs.state, self.job.id)
            for step in state.steps if state else ():
                await self._follow(step)
            if state is not None and state.status.ended:
                return state
            await asyncio.sleep(_EVERY)

    async def _follow(self, state: StepState) -> None:
        if state.status is JobStatus.NOT_STARTED or (state.status is JobStatus.CANCELED and not state.started):
            return
        step = self._step(state)
        if step.status in ENDED:
            return
        step.log, step.engine_run = state.log, state.run_id
        match state.status:
            case JobStatus.COMPLETED:
                step.is_now("Finalizing", self.jobs.now)
                await asyncio.to_thread(self.keeper.outputs, step, Path(state.place), self._types)
                await asyncio.to_thread(self.keeper.log, step)
                self._note(f"Completing processing run id {step.id}")
                step.is_now("Completed", self.jobs.now)
            case JobStatus.FAILED | JobStatus.CANCELED:
                if state.status is JobStatus.FAILED:
                    step.error = _failure(state)
                await asyncio.to_thread(self.keeper.log, step)
                step.is_now(state.status.value, self.jobs.now)
            case _:
                step.is_now(state.status.value, self.jobs.now)
        self._follow_inner()

    def _step(self, state: StepState) -> Step:
        """The step's record, made when it is first heard of, with those of the pipelines around it."""
        if state.name not in self.job.steps:
            assert self.rebuilt is not None
            parent = self.job.id
            names = state.name.split(".")
            for depth in range(1, len(names) + 1):
                name = ".".join(names[:depth])
                made = self.job.steps.setdefault(name, self._new_step(name, parent, inner=depth < len(names)))
                parent = made.id
            if state.reused_from:
                self._reuse(self.job.steps[state.name], Path(state.place))
            self._note(f"Submitting 1 runs, first five are: {self.job.steps[state.name].id}")
        return self.job.steps[state.name]

    def _new_step(self, name: str, parent: str, *, inner: bool) -> Step:
        assert self.rebuilt is not None
        step = Step(self.jobs.step_id(self.job, name), self.jobs.now, name=name, parent=parent, pipeline=inner)
        step.display_name = step.node
        step.component = self.rebuilt.components.get(name, "")
        step.is_now("Running" if inner else "Preparing", self.jobs.now)
        return step

    def _reuse(self, step: Step, place: Path) -> None:
        """`place` is where the step was executed: JOB/steps/STEP in the engine's folder."""
        earlier = self.jobs.jobs.get(place.parent.parent.name)
        step.reused = earlier.steps.get(place.name) if earlier else None

    def _follow_inner(self) -> None:
        """A pipeline within stands as its steps stand: it has ended when all that it was planned with have."""
        planned = [step.name for step in self.jobs.plan(self.job.id).steps]
        for step in self.job.steps.values():
            if not step.pipeline or step.status in ENDED:
                continue
            inner = [self.job.steps.get(name) for name in planned if name.startswith(f"{step.name}.")]
            if all(one is not None and one.status in ENDED for one in inner):
                self._end_inner(step, [one for one in inner if one is not None])

    def _end_inner(self, step: Step, inner: list[Step]) -> None:
        """Also where some of its steps were never begun, as one before them failed."""
        failed = [one for one in inner if one.status == "Failed"]
        if failed:
            step.error = _failed_children(failed)
        worst = next((status for status in ("Failed", "Canceled") if any(one.status == status for one in inner)), None)
        step.is_now(worst or "Completed", self.jobs.now)

    # -- after

    async def _finish(self, state: JobState) -> None:
        """Outputs and registered assets first, so that a job that is told to be `Completed` has them."""
        if state.status is JobStatus.COMPLETED:
            for name, made in self.jobs.plan(self.job.id).outputs.items():
                self.job.outputs[name] = self.job.steps[made.step].outputs[made.output]
            await self.keeper.register()
        self.job.engine_run = state.run_id
        failed = [step for step in self.job.steps.values() if step.status == "Failed" and not step.pipeline]
        if state.status is JobStatus.FAILED:
            only = self.job.steps.get(ONLY_STEP)
            told = _failed_children(failed) if failed else state.error
            self.job.error = only.error if only and not self.job.pipeline else told
        for step in self.job.steps.values():
            if step.pipeline and step.status not in ENDED:
                within = [one for name, one in self.job.steps.items() if name.startswith(f"{step.name}.")]
                self._end_inner(step, [one for one in within if not one.pipeline])
        self._end(state.status.value)
        await asyncio.to_thread(self.keeper.log, self.job)


def _failure(state: StepState) -> str:
    """What the service says of a user's process that failed."""
    how = (state.error or "").partition("\n")[0]
    said = last_lines(Path(state.log), 20) if state.log else ""
    return (
        f"Execution failed. {how[:1].upper()}{how[1:]}. Please check log file 'user_logs/std_log.txt' for error"
        f" details. Error: {said}"
    )


def _failed_children(failed: list[Step]) -> str:
    nodes = ", ".join(f"/{step.name.replace('.', '/')}" for step in failed)
    return (
        f"Pipeline has failed child jobs. Failed nodes: {nodes}. For more details and logs, please go to the job detail"
        " page and check the child jobs."
    )
