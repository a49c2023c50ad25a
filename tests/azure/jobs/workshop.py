"""A workspace's jobs, and the engine that runs them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.plan import JobPlan, read_plan
from ctrain.backends.local.jobs.state import JobState, alive, died, read_state
from ctrain.backends.local.trainer import LocalTrainer
from tests.azure.cloud import Cloud, Workspace
from tests.azure.jobs.records import Job, OutputAsset, Run
from tests.azure.routing import Refused


class Jobs:
    """A workspace's jobs by name, and their steps by run id."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self.cloud = cloud
        self.workspace = workspace
        self.jobs: dict[str, Job] = {}
        self.home = Home(workspace.home / "engine")
        self.trainer = LocalTrainer(self.home, grace=1.0)
        self.strict = True
        cloud.on_close(self.close)

    @property
    def now(self) -> float:
        return self.cloud.clock.time()

    def job(self, name: str) -> Job:
        """Refused where there is none. Wording: as the service was recorded."""
        found = self.jobs.get(name)
        if found is None:
            raise Refused(404, "UserError", f"Run {name} was not found")
        return found

    def owner(self, run_id: str) -> tuple[Job, Run]:
        """The job that a run belongs to, and the run. Refused where there is none."""
        for job in self.jobs.values():
            for run in job.runs():
                if run.id == run_id:
                    return job, run
        raise Refused(404, "UserError", f"Run {run_id} was not found")

    def step_id(self, job: Job, name: str) -> str:
        """The id of a step's run: a GUID, as the service gives them; a command job is its only step."""
        if not job.pipeline:
            return job.id
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.workspace.arm_id}/{job.id}/{name}"))

    def uri(self, asset: OutputAsset) -> str:
        """The long form of where an output is, as the service resolves it."""
        address = self.workspace.address
        return (
            f"azureml://subscriptions/{address.subscription_id}/resourcegroups/{address.resource_group}"
            f"/workspaces/{address.workspace}/datastores/{asset.datastore}/paths/{asset.path}"
        )

    # -- the engine's view; these read files, and may be called from threads

    def folder(self, job: str) -> Path:
        """Where the files of a submission are rebuilt."""
        return self.workspace.home / "submitted" / job

    def state(self, job: str) -> JobState | None:
        """How the job stands in the engine; one whose process is gone without a word has died."""
        told = self.trainer.look(job)  # it also reaps the process
        folder = self.home.jobs / job
        state = read_state(folder)
        if told is None or not told.status.ended or (state is not None and state.status.ended):
            return state
        return died(folder, state or JobState(job, told.status, 0, self.now, error=told.error))

    def plan(self, job: str) -> JobPlan:
        return read_plan((self.home.jobs / job / "plan.json").read_text())

    def close(self) -> None:
        """End what still runs."""
        running = [name for name in self.jobs if alive(self.home.jobs / name)]
        for name in running:
            with contextlib.suppress(Exception):  # the loopback ends, whatever a job says to that
                self.trainer.cancel(name)
        deadline = time.monotonic() + 3
        for name in running:
            while alive(self.home.jobs / name) and time.monotonic() < deadline:
                time.sleep(0.05)
            state = read_state(self.home.jobs / name)
            if state is not None and not state.status.ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(state.pid, signal.SIGKILL)
