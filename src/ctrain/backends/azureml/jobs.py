"""Jobs as ARM tells of them: one request each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ctrain.backends.azureml.arm import Arm
from ctrain.backends.azureml.bodies import Json, JsonValue, needed, section, text, texts
from ctrain.backends.azureml.history import REUSED, REUSED_RUN, moment
from ctrain.backends.azureml.states import job_status
from ctrain.errors import CtrainError
from ctrain.training import JobStatus

JOBS: Final = "2024-01-01-preview"
"""The api-version at which azure-ai-ml 1.35 reads jobs."""


@dataclass(frozen=True)
class Node:
    """A step as the job's definition names it. `shown` are the names that its run may have."""

    name: str
    shown: frozenset[str]
    pipeline: bool = False


@dataclass(frozen=True)
class Job:
    """A job as it was when it was asked for. `outputs` are the places that its definition gives, where it gives any."""

    name: str
    status: JobStatus
    submitted: datetime | None = None
    studio: str | None = None
    pipeline: bool = True
    nodes: tuple[Node, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    output_names: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    """The job whose outputs are this one's, where Azure took all of them from an earlier one; else its own name."""


def job_of(name: str, body: Json) -> Job:
    """From the resource. Raises PlatformUnavailable for what is none: its unknown state would start another job."""
    kind = needed(body, "properties", "jobType")
    properties = texts(body, "properties", "properties")
    outputs = section(body, "properties", "outputs")
    reused = properties.get(REUSED, "").lower() == "true"
    return Job(
        name=name,
        status=job_status(text(body, "properties", "status")),
        submitted=moment(text(body, "systemData", "createdAt")),
        studio=text(body, "properties", "services", "Studio", "endpoint"),
        pipeline=kind.lower() == "pipeline",
        nodes=tuple(_node(key, value) for key, value in section(body, "properties", "jobs").items()),
        outputs={key: uri for key, value in outputs.items() if (uri := text(value, "uri")) and "${{" not in uri},
        output_names=tuple(outputs),
        tags=texts(body, "properties", "tags"),
        source=(properties.get(REUSED_RUN) if reused else None) or name,
    )


def _node(name: str, definition: JsonValue) -> Node:
    shown = {name, text(definition, "display_name"), text(definition, "displayName")}
    return Node(name, frozenset(filter(None, shown)), pipeline=text(definition, "type") == "pipeline")


def find_job(arm: Arm, name: str) -> Job | None:
    """The job of that name, or None where there is none."""
    body = arm.get(f"jobs/{name}", JOBS)
    return None if body is None else job_of(name, body)


def cancel_job(arm: Arm, name: str) -> None:
    """Ask it to stop. One that has ended, in the meantime too, or that is not there, is left as it is."""
    found = find_job(arm, name)
    if found is None or found.status.ended or found.status is JobStatus.CANCEL_REQUESTED:
        return
    try:
        arm.post(f"jobs/{name}/cancel", JOBS, idempotent=True)
    except CtrainError:
        found = find_job(arm, name)
        if found is not None and not found.status.ended:
            raise
