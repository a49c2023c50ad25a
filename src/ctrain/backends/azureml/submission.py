"""Submitting the user's pipeline as it is, with what a release fills in: the SDK uploads, resolves and creates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.backends.azureml.complaints import refused
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.git_remote import git_properties
from ctrain.backends.azureml.limits import DISPLAY_NAME, cut, experiment_name, tags
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.document import Plain, read_document
from ctrain.errors import Conflict, PipelineError
from ctrain.pipeline import Pipeline
from ctrain.training import Scalar, TrainingSpec

if TYPE_CHECKING:
    from azure.ai.ml.entities import Job

Overrides = list[dict[str, Plain]]
"""What is put over the YAML before the SDK reads it, as `az ml job create --set` does: values by dotted paths."""


def submit(workspace: AzureWorkspace, spec: TrainingSpec, pipeline: Pipeline) -> None:
    """Load the YAML, fill it in, and create the job. Raises what Azure or its SDK refuses, as our errors."""
    job = load(spec, pipeline)
    try:
        _create(workspace, job, spec)
    except Conflict:
        # Two that upload the same code at once: one of them meets the other's blob, which is as good as its own
        # (https://github.com/Azure/azure-sdk-for-python/issues/30155).
        _create(workspace, job, spec)


def _create(workspace: AzureWorkspace, job: Job, spec: TrainingSpec) -> None:
    # It takes several actions; where one is not permitted Azure names it.
    with translated(f"submit the job {spec.job}"):
        workspace.client.jobs.create_or_update(job)


def load(spec: TrainingSpec, pipeline: Pipeline) -> Job:
    """The SDK's job of this spec, nothing of it sent. Raises PipelineError, located, for what the SDK cannot read."""
    with translated(f"read {spec.pipeline}"):
        from azure.ai.ml import load_job
        from marshmallow.exceptions import ValidationError

        try:
            return load_job(spec.pipeline, params_override=overrides(spec, pipeline))
        except ValidationError as raised:
            raise refused(spec.pipeline, str(raised)) from None


def overrides(spec: TrainingSpec, pipeline: Pipeline) -> Overrides:
    """All that a release fills in."""
    written = read_document(spec.pipeline, PipelineError).value
    top = written if isinstance(written, dict) else {}
    made: Overrides = [
        {"name": spec.job},
        {"experiment_name": experiment_name(spec.experiment)},
        {"display_name": cut(spec.display_name, DISPLAY_NAME)},
        {"tags": {**tags(spec.tags, _texts(top.get("tags")))}},
        {"properties": {**_texts(top.get("properties")), **_source(spec)}},
    ]
    given = top.get("inputs")
    for name, value in spec.inputs.items():
        made.append({f"inputs.{name}": _input(name, value, pipeline, given if isinstance(given, dict) else {})})
    if spec.fresh:
        made.append({"settings.force_rerun": True})
    return made


def _source(spec: TrainingSpec) -> dict[str, str]:
    folder = Path(spec.pipeline).absolute().parent
    return git_properties(folder, spec.tags.get("ctrain.commit", ""), spec.tags.get("ctrain.branch", ""))


def _input(name: str, value: Scalar, pipeline: Pipeline, written: Mapping[str, Plain]) -> Plain:
    """A literal, or an asset of the declared type; how the YAML wants it (its `mode`) is kept."""
    declared = pipeline.inputs[name]
    if declared.type.literal:
        return value
    own = written.get(name)
    made: dict[str, Plain] = {"type": declared.type.value, "path": str(value)}
    if isinstance(own, dict):
        made |= {str(key): kept for key, kept in own.items() if key in {"mode", "description"}}
    return made


def _texts(given: Plain) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
