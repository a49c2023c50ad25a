"""A sampling job: submitted once, adopted by whoever comes later, waited for within bounds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.addresses import StorePath
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.git_remote import REPOSITORY, UNKNOWN
from ctrain.backends.azureml.limits import DISPLAY_NAME, cut, tags
from ctrain.backends.azureml.logs import Logs
from ctrain.backends.azureml.sampling_job.code import CONDA, IMAGE, write_code
from ctrain.backends.azureml.watching import Watch
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.data import SampleSpec
from ctrain.errors import CtrainError, DataError, StillRunning
from ctrain.ports import Pace
from ctrain.training import TrainingRun

if TYPE_CHECKING:
    from azure.ai.ml.entities import Command

EXPERIMENT: Final = "ctrain-samples"
MOST_ATTEMPTS: Final = 20

LONGEST_WAIT: Final = 2 * 3600.0
"""Seconds. A cluster that has to be made, and an image to be built, take half an hour on a bad day."""


@dataclass(frozen=True)
class Wanted:
    """A sample to be made. `key` names it and the job; `kind` is the data's type, `source` where its files are."""

    key: str
    of: str
    kind: str
    source: str
    spec: SampleSpec
    store: str
    file: str
    compute: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        return self.kind == "uri_file"

    def job(self, attempt: int) -> str:
        """The name of the job that makes it."""
        return f"ctrain-sample-{self.key[:20]}-{attempt}"

    def place(self, attempt: int) -> StorePath:
        """Where that job puts it: an attempt that broke off leaves nothing in another's place."""
        folder = f"ctrain/samples/{self.key[:20]}-{attempt}/"
        return StorePath(self.store, folder + (self.file if self.is_file else ""))


class SamplingJobs:
    """The sampling jobs of a workspace."""

    def __init__(self, workspace: AzureWorkspace, pace: Pace, longest: float = LONGEST_WAIT) -> None:
        self._workspace = workspace
        self._watch = Watch(workspace)
        self._pace = pace
        self._longest = longest

    def made(self, wanted: Wanted) -> StorePath:
        """Where the sample is, once it is there: made now, or by a job that was started earlier.

        Raises DataError, with the end of the log, where it cannot be made, and StillRunning where it takes too long.
        """
        attempt, run = self._started(wanted)
        ended = self._waited(wanted, run)
        if not ended.status.succeeded:
            raise self._failed(wanted, ended)
        return wanted.place(attempt)

    def _started(self, wanted: Wanted) -> tuple[int, TrainingRun]:
        """The first attempt that has not failed; a new one after those that have."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            name = wanted.job(attempt)
            run = self._watch.look(name)
            if run is None:
                return attempt, self._submitted(wanted, attempt)
            if run.status.succeeded or not run.status.ended:
                return attempt, run
        raise DataError(
            f"the sample of {wanted.of} cannot be made",
            why=f"{MOST_ATTEMPTS} jobs that were to make it have failed, from {wanted.job(1)} on",
            hint=f"look at the log of {wanted.job(MOST_ATTEMPTS)} in the Studio, and delete these jobs",
        )

    def _submitted(self, wanted: Wanted, attempt: int) -> TrainingRun:
        name = wanted.job(attempt)
        try:
            with tempfile.TemporaryDirectory() as folder:
                write_code(Path(folder, "code"), wanted.spec)
                with translated(f"submit the job {name}"):
                    job = command(wanted, attempt, Path(folder, "code"))
                    self._workspace.client.jobs.create_or_update(job)
        except CtrainError:
            if self._watch.look(name) is None:
                raise
        run = self._watch.look(name)
        if run is None:
            raise StillRunning(
                f"the job {name} was submitted and is not there yet",
                why="Azure took it, and does not know it a moment later",
                hint="run the same command again: it adopts the job",
            )
        return run

    def _waited(self, wanted: Wanted, run: TrainingRun) -> TrainingRun:
        clock = self._workspace.clock
        began = clock.monotonic()
        while not run.status.ended:
            waited = clock.monotonic() - began
            if waited > self._longest:
                raise StillRunning(
                    f"the sample of {wanted.of} is still being made",
                    why=f"the job {run.job} is {run.status} after {waited / 60:.0f} minutes",
                    hint="run the same command again later: it adopts the job; see whether its cluster is free",
                )
            clock.sleep(self._pace.after(waited))
            run = self._watch.look(run.job) or run
        return run

    def _failed(self, wanted: Wanted, run: TrainingRun) -> DataError:
        log = Logs(self._workspace).end(run.job)
        return DataError(
            f"the sample of {wanted.of} could not be made",
            why="\n".join(filter(None, (f"the job {run.job} ended as {run.status}", log or run.error))),
            hint="correct `data.sample` or the data, and run again",
        )


def command(wanted: Wanted, attempt: int, code: Path) -> Command:
    """The SDK's job. Its environment is anonymous, known by its content, so that Azure ML builds it once."""
    from azure.ai.ml import Input, Output
    from azure.ai.ml import command as make
    from azure.ai.ml.entities import Environment

    kind = "uri_file" if wanted.is_file else "uri_folder"
    job = make(
        name=wanted.job(attempt),
        display_name=cut(f"sample of {wanted.of}", DISPLAY_NAME),
        experiment_name=EXPERIMENT,
        tags=tags(wanted.tags, {}),
        code=str(code),
        command="python sample.py ${{inputs.data}} ${{outputs.sample}}",
        environment=Environment(image=IMAGE, conda_file=dict(CONDA)),
        inputs={"data": Input(type=kind, path=wanted.source)},
        outputs={"sample": Output(type=kind, path=wanted.place(attempt).uri)},
        compute=wanted.compute,
    )
    job.properties = {REPOSITORY: UNKNOWN}
    return job
