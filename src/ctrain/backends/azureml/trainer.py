"""The trainer on Azure ML: jobs of a workspace, started, looked at and read by as few requests as it takes."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.addresses import store_path
from ctrain.backends.azureml.jobs import cancel_job
from ctrain.backends.azureml.labels import asset_type, latest
from ctrain.backends.azureml.logs import Logs
from ctrain.backends.azureml.outputs import Outputs
from ctrain.backends.azureml.preview import check_types, preview, read_for_azure
from ctrain.backends.azureml.submission import load, submit
from ctrain.backends.azureml.watching import Watch
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import CtrainError, PlatformUnavailable
from ctrain.ports import Pace
from ctrain.training import Preview, TrainingRun, TrainingSpec

PACE: Final = Pace(first=1.0, longest=90.0, share=1 / 6)
"""How often a flow looks at what is in the cloud: 70 times in the first hour, and 40 in each further one. What has
ended is seen within a sixth of the time that it took, or 90 seconds."""


def cache_folder() -> Path:
    """Where fetched outputs are kept: below `CTRAIN_HOME`, else in the user's own cache."""
    home = os.environ.get("CTRAIN_HOME")
    if home:
        return Path(home).expanduser().absolute() / "azureml" / "outputs"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "ctrain" / "azureml" / "outputs"


class AzureTrainer:
    """Jobs of one workspace. `cache` keeps what was fetched."""

    def __init__(self, workspace: AzureWorkspace, cache: Path | None = None) -> None:
        self._workspace = workspace
        self._cache = cache or cache_folder()
        self._watch = Watch(workspace)

    @cached_property
    def _outputs(self) -> Outputs:
        return Outputs(self._workspace)

    # -- reading

    def preview(self, spec: TrainingSpec) -> Preview:
        """What submitting would do. Which steps Azure ML will take from an earlier job is known to it alone."""
        made = preview(spec, lambda reference, kind: latest(self._workspace, reference, kind))
        check_types(spec, lambda reference, kind: asset_type(self._workspace, reference, kind))
        return made

    def check(self, spec: TrainingSpec) -> None:
        """By Azure's SDK, which is slow to import, and asks nobody."""
        load(spec, read_for_azure(spec))

    def look(self, job: str) -> TrainingRun | None:
        """The job as it is now: one request while it runs. An ended one is asked for once."""
        return self._watch.look(job)

    # -- acting

    def submit(self, spec: TrainingSpec) -> TrainingRun:
        """Start the job, or adopt the one of that name: also one that another run made a moment ago, or that was made
        though its answer was lost."""
        found = self.look(spec.job)
        if found is not None:
            return found
        try:
            submit(self._workspace, spec, read_for_azure(spec))
        except CtrainError as failure:
            found = self._adopted(spec.job)
            if found is None:
                raise failure from None
            return found
        found = self.look(spec.job)
        if found is None:
            raise PlatformUnavailable(
                f"the job {spec.job} was submitted and is not there",
                why="Azure took it, and does not know it a moment later",
                hint="run the same command again: it adopts the job once Azure tells of it",
            )
        return found

    def _adopted(self, job: str) -> TrainingRun | None:
        try:
            return self.look(job)
        except CtrainError:
            return None

    def cancel(self, job: str) -> None:
        cancel_job(self._workspace.arm, job)

    def fetch(self, job: str, output: str) -> Path:
        """A local copy, in the cache; it must not be written to."""
        run = self.look(job)
        place = store_path(run.outputs.get(output, "")) if run else None
        if place is None:
            place = self._outputs.place(job, output)
        return self._outputs.fetch(job, output, place, self._cache)

    def logs(self, job: str, step: str | None = None) -> str:
        """The ends of the steps' logs, or of one's; what cannot be read is left out."""
        try:
            runs = self._watch.runs(job)
        except CtrainError:
            return ""
        logs = Logs(self._workspace)
        if step is not None:
            return logs.text(runs[step].source) if step in runs else ""
        parts = [("job", logs.text(job)), *((name, logs.text(run.source)) for name, run in runs.items())]
        return "\n".join(f"== {name} ==\n{text}" for name, text in parts if text)
