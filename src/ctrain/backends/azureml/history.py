"""Runs as run history tells of them: a job's steps, how they went, and where their logs are.

Fields are those of `Run`, `RunDetails` and `GetRunDataResult` in azure-ai-ml's `_restclient/runhistory/models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ctrain.backends.azureml.arm import Dataplane
from ctrain.backends.azureml.bodies import Json, JsonValue, needed, section, text, texts
from ctrain.backends.azureml.states import job_status
from ctrain.errors import UsageError
from ctrain.training import JobStatus

RUNS: Final = "history/v1.0{ws}/runs"

REUSED: Final = "azureml.isreused"
REUSED_RUN: Final = "azureml.reusedrunid"
REUSED_JOB: Final = "azureml.reusedpipelinerunid"
SOURCE: Final = "azureml.runsource"
PIPELINE_SOURCE: Final = "azureml.PipelineRun"


@dataclass(frozen=True)
class Asset:
    """An output by the id that the data planes know it by. `kind` is `UriFolder`, `MLFlowModel` and the like."""

    id: str
    kind: str


@dataclass(frozen=True)
class Run:
    """A run as it was when it was asked for. `name` is what people see; for a step, its node's name."""

    id: str
    name: str
    status: JobStatus
    experiment: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Asset] = field(default_factory=dict)

    @property
    def reused_job(self) -> str | None:
        """The job whose step it took its outputs from."""
        if self.properties.get(REUSED, "").lower() != "true":
            return None
        return self.properties.get(REUSED_JOB) or self.properties.get(REUSED_RUN)

    @property
    def source(self) -> str:
        """The run that really ran: where metrics and logs of a reused step are."""
        return (self.properties.get(REUSED_RUN) if self.reused_job else None) or self.id

    @property
    def pipeline(self) -> bool:
        """Whether it has steps of its own."""
        return self.properties.get(SOURCE) == PIPELINE_SOURCE


def run_of(body: JsonValue) -> Run:
    """From a `Run`, or from `RunDetails`."""
    outputs = {
        name: Asset(text(one, "assetId") or "", text(one, "type") or "")
        for name, one in section(body, "outputs").items()
    }
    return Run(
        id=text(body, "runId") or "",
        name=text(body, "displayName") or text(body, "name") or text(body, "runId") or "",
        status=job_status(text(body, "status")),
        experiment=text(body, "experimentId") or "",
        started=moment(text(body, "startTimeUtc")),
        ended=moment(text(body, "endTimeUtc")),
        error=text(body, "error", "error", "message"),
        properties=texts(body, "properties"),
        outputs={name: asset for name, asset in outputs.items() if asset.id},
    )


def moment(said: str | None) -> datetime | None:
    """A moment as Azure writes it (up to seven digits after the point); None where there is none, or an unset one."""
    if not said:
        return None
    try:
        made = datetime.fromisoformat(said)
    except ValueError:
        return None
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return made if made.year > 1 else None


class History:
    """Asks run history; one request each, and one more for each further page of children."""

    def __init__(self, region: Dataplane) -> None:
        self._region = region

    def children(self, run: str) -> tuple[Run, ...]:
        """The runs right below this one, in the order of their start; none where history knows of none yet."""
        try:
            found = [run_of(one) for one in self._region.list(f"{RUNS}/{run}/children")]
        except UsageError:  # 404: a job that was submitted a moment ago
            return ()
        return tuple(sorted(found, key=lambda one: (one.started is None, one.started and one.started.timestamp())))

    def run(self, run: str) -> Run | None:
        """One run, with its outputs."""
        body: Json = {
            "runId": run,
            "selectRunMetadata": True,
            "selectRunDefinition": False,
            "selectJobSpecification": False,
        }
        try:
            answer = self._region.post("history/v1.0{ws}/rundata", body, idempotent=True)
        except UsageError:
            return None
        needed(answer, "runMetadata", "runId")  # what is no run would look like one without outputs
        return run_of(section(answer, "runMetadata"))

    def log_files(self, run: str) -> Mapping[str, str]:
        """The signed URLs of a run's log files, by their names. They are secrets."""
        return texts(self._region.get(f"{RUNS}/{run}/details"), "logFiles")
