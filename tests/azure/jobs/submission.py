"""What a job's PUT may say, and what the resource shows.

Shapes and wordings are those of Microsoft's own recordings of the service (github.com/Azure/azure-sdk-assets,
python/sdk/ml/azure-ai-ml/tests/recordings: pipeline_job, command_job).
"""

from __future__ import annotations

import re
from typing import Final

from tests.azure.cloud import Workspace, system_data
from tests.azure.jobs.records import Job
from tests.azure.routing import Body, Refused

CHANGEABLE: Final = ("description", "tags", "displayName", "properties", "isArchived")
_NAME: Final = re.compile(r"[a-zA-Z0-9][\w-]{0,254}", re.ASCII)
_STRICT: Final = "2025-01-01-preview"


def refuse_bad_name(name: str) -> None:
    """Refuses what is no name of a job."""
    if not _NAME.fullmatch(name):
        message = (
            f"Job name {name} is invalid. It must start with a letter or digit, and have at most 255 letters, digits,"
            " '-' and '_'."
        )
        raise Refused(400, "UserError", message)


def refuse_bad_body(properties: Body, api_version: str, *, strict: bool) -> None:
    """Refuses what the service does not read, with its words.

    `strict` is how the service was recorded in March 2026: an output's `assetVersion` is unknown to it in a command
    job at 2025-01-01-preview, though the published type has it.
    """
    kind = str(properties.get("jobType", "")).lower()
    if kind not in ("pipeline", "command"):
        message = f"The loopback Azure runs pipeline and command jobs, not {properties.get('jobType')!r}."
        raise Refused(400, "UserError", message)
    if kind == "command" and not str(properties.get("command") or "").strip():
        raise _invalid(["Required property 'command' not found in JSON. Path 'properties'."])
    unread = [
        f"Could not find member 'assetVersion' on object of type '{_type_name(output)}'. Path 'assetVersion', line 1,"
        " position 1."
        for output in (properties.get("outputs") or {}).values()
        if isinstance(output, dict) and output.get("assetVersion") is not None
    ]
    if kind == "command" and strict and api_version == _STRICT and unread:
        raise _invalid(unread)


def _type_name(output: Body) -> str:
    words = str(output.get("jobOutputType", "uri_folder")).split("_")
    return "".join(word.capitalize() for word in words) + "JobOutput"


def _invalid(problems: list[str]) -> Refused:
    details: list[Body] = [{"code": "RequestInvalid", "message": problem} for problem in problems]
    return Refused(400, "UserError", "Request is invalid and/or missing fields.", details=details)


def refuse_another_body(job: Job, properties: Body) -> None:
    """Refuses to make another job of one that exists.

    Wording: https://github.com/Azure/azure-sdk-for-python/issues/47389.
    """
    if _fixed(job.submitted) != _fixed(properties):
        message = (
            "A job with this name already exists. If you are trying to submit a new job, use a different name. If you"
            " are trying to update an existing job, the existing job's compute, experiment or other settings cannot be"
            " changed. Only description, tags, displayName, properties, and isArchived can be updated."
        )
        raise Refused(400, "UserError", message)


def _fixed(value: object) -> object:
    """What may not change. Nulls and empty parts count as absent, as the service writes them for what is."""
    if isinstance(value, dict):
        kept = {key: _fixed(inner) for key, inner in value.items() if key not in CHANGEABLE}
        return {key: inner for key, inner in kept.items() if inner not in (None, {}, [], "")}
    return value


def shown(job: Job, workspace: Workspace, now: float, stamp: str) -> Body:
    """The resource, as PUT, GET and the lists give it. `stamp` is when it was made."""
    properties: Body = {
        **_read(job.submitted),
        "description": job.description,
        "tags": job.tags,
        "properties": job.properties,
        "displayName": job.display_name,
        "status": job.shown(now),
        "experimentName": job.experiment,
        "services": _services(job, workspace),
        "isArchived": job.archived,
        "inputs": {name: _input(value) for name, value in (job.submitted.get("inputs") or {}).items()} or None,
        "outputs": _outputs(job),
    }
    made = system_data(stamp)
    return {
        "id": f"{workspace.arm_id}/jobs/{job.id}",
        "name": job.id,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": properties,
        "systemData": {key: made[key] for key in ("createdAt", "createdBy", "createdByType")},
    }


def shown_child(run_id: str, workspace: Workspace, stamp: str) -> Body:
    """A step's job: the service shows that it exists and nothing else, not even `properties`."""
    made = system_data(stamp)
    return {
        "id": f"{workspace.arm_id}/jobs/{run_id}",
        "name": run_id,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "systemData": {key: made[key] for key in ("createdAt", "createdBy", "createdByType")},
    }


def _read(submitted: Body) -> Body:
    common = dict.fromkeys(("computeId", "identity", "componentId", "notificationSetting", "secretsConfiguration"))
    if str(submitted["jobType"]).lower() == "pipeline":
        return {**common, "settings": {}, "jobs": {}, "sourceJobId": None, **submitted, "jobType": "Pipeline"}
    command = dict.fromkeys(("codeId", "distribution", "limits", "queueSettings", "autologgerSettings"))
    kept: Body = {"environmentVariables": {}, "resources": None, "parameters": {}}
    return {**common, **command, **kept, **submitted, "jobType": "Command"}


def _services(job: Job, workspace: Workspace) -> Body:
    group = workspace.arm_id.split("/providers/")[0].replace("/resourceGroups/", "/resourcegroups/")
    tracking = f"azureml://{workspace.location}.api.azureml.ms/mlflow/v1.0{workspace.arm_id}?"
    studio = f"https://ml.azure.com/runs/{job.id}?wsid={group}/workspaces/{workspace.name}"
    return {name: _service(name, url) for name, url in (("Tracking", tracking), ("Studio", studio))}


def _service(kind: str, endpoint: str) -> Body:
    rest = dict.fromkeys(("port", "status", "errorMessage", "properties", "nodes"))
    return {"jobServiceType": kind, "endpoint": endpoint, **rest}


def _input(value: Body) -> Body:
    return {"description": None, **value}


def _outputs(job: Job) -> Body:
    empty = dict.fromkeys(("description", "uri", "assetName", "assetVersion", "pathOnCompute", "autoDeleteSetting"))
    shown: Body = {
        name: {**empty, "mode": "ReadWriteMount", **value}
        for name, value in (job.submitted.get("outputs") or {}).items()
    }
    if not job.pipeline and job.status != "NotStarted":
        uri = f"azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.{job.id}"
        shown["default"] = {**empty, "mode": "ReadWriteMount", "jobOutputType": "uri_folder", "uri": uri}
    return shown


def first_properties(job: Job, compute: str) -> dict[str, str]:
    """What the service itself adds to a job's properties when it starts."""
    shared = {"azureml.DevPlatv2": "true", "azureml.DatasetAccessMode": "Asset"}
    if not job.pipeline:
        return {**shared, "_azureml.ComputeTargetType": "amlctrain", "_azureml.ClusterName": compute}
    settings = job.submitted.get("settings") or {}
    return {
        **shared,
        "azureml.runsource": "azureml.PipelineRun",
        "runSource": "MFE",
        "runType": "HTTP",
        "azureml.parameters": "{}",
        "azureml.continue_on_step_failure": str(settings.get("continue_on_step_failure", True)),
        "azureml.continue_on_failed_optional_input": "True",
        "azureml.enforceRerun": str(settings.get("force_rerun", False)),
        "azureml.defaultComputeName": compute,
        "azureml.defaultDataStoreName": "workspaceblobstore",
        "azureml.pipelineComponent": "pipelinerun",
    }
