"""What we ask a trainer for, and what came out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

Scalar = str | int | float | bool


class JobStatus(StrEnum):
    """The states of an Azure ML job, as its API spells them.

    Source: `JobStatus` in azure-ai-ml's `_restclient/arm_ml_service/models/_enums.py`.
    """

    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PROVISIONING = "Provisioning"
    PREPARING = "Preparing"
    QUEUED = "Queued"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    CANCEL_REQUESTED = "CancelRequested"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_RESPONDING = "NotResponding"
    PAUSED = "Paused"
    UNKNOWN = "Unknown"

    @property
    def told(self) -> str:
        """As people read it: `not started`."""
        return self.name.replace("_", " ").lower()

    @property
    def succeeded(self) -> bool:
        return self is JobStatus.COMPLETED

    @property
    def ended(self) -> bool:
        """A state that a job never leaves. `NotResponding` may return to `Running`."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED)


@dataclass(frozen=True)
class Identity:
    """All that makes two trainings the same. Each digest is a sha256 in hex, or empty where absent."""

    code: str
    environment: str
    data: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    champion: str = ""

    @property
    def fingerprint(self) -> str:
        """64 hex digits over the canonical JSON of the parts, stable across machines and versions."""
        parts = {
            "code": self.code,
            "environment": self.environment,
            "data": self.data,
            "parameters": dict(self.parameters),
            "champion": self.champion,
        }
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def job_name(fingerprint: str, attempt: int) -> str:
    """The name under which a fingerprint is submitted; a failed attempt leaves its name behind."""
    return f"ctrain-{fingerprint[:20]}-{attempt}"


@dataclass(frozen=True)
class TrainingSpec:
    """One submission.

    `inputs` maps names of pipeline inputs to literals, or, for inputs of an asset type, to where the
    asset is: a path on the local backend, `azureml:name:version` on Azure ML.
    `fresh` asks that no step is taken from an earlier job.
    """

    job: str
    pipeline: Path
    inputs: Mapping[str, Scalar]
    experiment: str
    display_name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True)
class StepPreview:
    """A step as `ctrain plan` shows it. `reused_from` names the earlier job that has its outputs."""

    name: str
    after: tuple[str, ...]
    reused_from: str | None = None


@dataclass(frozen=True)
class Preview:
    """What submitting would lead to: digests for the fingerprint, and the steps in order.

    `inputs` digests the files that the pipeline names by itself, beside those that we fill in; empty for none.
    """

    code: str
    environment: str
    steps: tuple[StepPreview, ...]
    inputs: str = ""


@dataclass(frozen=True)
class StepRun:
    """A step as observed. `seconds` counts from its start until now, or until it ended."""

    name: str
    status: JobStatus
    seconds: float = 0.0
    reused_from: str | None = None
    log: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class TrainingRun:
    """A job as observed.

    `outputs` maps the pipeline's output names to their URIs (present once they exist); `metrics` are
    those logged to MLflow, `step.metric`; `run_id` is the MLflow run of the whole job.
    """

    job: str
    status: JobStatus
    run_id: str
    steps: tuple[StepRun, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    submitted: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    log: str | None = None
