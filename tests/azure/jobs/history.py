"""Run history on {region}.api.azureml.ms, and how a run looks there.

Shapes: Microsoft's recordings of azure-ai-ml (github.com/Azure/azure-sdk-assets, .../recordings/pipeline_job).
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any, Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import REGION
from tests.azure.jobs.arm import cancel_job, stamp
from tests.azure.jobs.keeping import LOGS, Keeper
from tests.azure.jobs.records import ENDED, Job, Run, Step
from tests.azure.jobs.stored import Place
from tests.azure.jobs.workshop import Jobs
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Refused, Reply, Routes
from tests.azure.tenancy import TENANT

routes = Routes(REGION)

_PLANE: Final = "/history/v1.0" + WORKSPACE
_TYPES: Final = {"uri_folder": "UriFolder", "uri_file": "UriFile", "mltable": "MLTable"} | {
    "mlflow_model": "MLFlowModel",
    "custom_model": "CustomModel",
    "triton_model": "TritonModel",
}
"""How run history names an output's type; the SDK compares some of these words and not the others."""


class History:
    """The runs of a workspace, as this plane shows them."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.workspace = jobs.workspace

    def run(self, job: Job, run: Run, *, outputs: bool = False) -> Body:
        """All of a run. Its outputs are told by `rundata` only."""
        status = run.shown(self.jobs.now)
        parent = run.parent if isinstance(run, Step) else None
        who = {"userObjectId": str(uuid.UUID(int=0)), "userTenantId": TENANT, "userName": "Loopback", "upn": None}
        duration = None if run.started is None else str(timedelta(seconds=(run.ended or self.jobs.now) - run.started))
        reused = run.reused if isinstance(run, Step) else None
        return {
            "runNumber": int(run.created),
            "rootRunId": job.id,
            "createdUtc": stamp(run.created),
            "createdBy": who,
            "userId": who["userObjectId"],
            "token": None,
            "tokenExpiryTimeUtc": None,
            "error": self.error(run),
            "warnings": None,
            "revision": 1,
            "statusRevision": 1,
            "runUuid": self.uuid(run.id),
            "parentRunUuid": self.uuid(parent) if parent else None,
            "rootRunUuid": self.uuid(job.id),
            "computeDuration": duration if status in ENDED else None,
            "currentComputeTime": None if status in ENDED else duration,
            "lastModifiedBy": who,
            "lastModifiedUtc": stamp(run.ended or run.started or run.created),
            "duration": duration,
            "cancelationReason": None,
            "currentAttemptId": 1,
            "runId": run.id,
            "parentRunId": parent,
            "experimentId": self.uuid(f"experiment/{job.experiment}"),
            "status": status,
            "startTimeUtc": stamp(run.started) if run.started else None,
            "endTimeUtc": stamp(run.ended) if run.ended else None,
            "displayName": run.display_name,
            "name": _component_name(run) if isinstance(run, Step) else None,
            "dataContainerId": f"dcid.{reused.id if reused else run.id}",
            "description": job.description if run is job else None,
            "hidden": job.archived,
            "runType": _run_type(job, run),
            "runTypeV2": {"orchestrator": None, "traits": [_run_type(job, run)], "attribution": None},
            "properties": self.properties(job, run),
            "parameters": {},
            "actionUris": {},
            "scriptName": None,
            "target": _compute(job),
            "uniqueChildRunComputeTargets": [],
            "tags": run.tags if run is job else {"azureml.nodeid": run.id[:8], "azureml.pipeline": job.id},
            "settings": {},
            "services": {},
            "inputDatasets": [],
            "outputDatasets": [],
            "runDefinition": None,
            "jobSpecification": None,
            "createdFrom": None,
            "computeRequest": {"nodeCount": 1, "gpuCount": 0},
            "compute": {"target": _compute(job), "targetType": "amlcompute", "instanceCount": 1, "gpuCount": 0},
            "inputs": {} if run is job else None,
            "outputs": self.outputs(run) if outputs else None,
        }

    def uuid(self, name: str) -> str:
        """A GUID that the service would have made up."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.workspace.workspace_id}/{name}"))

    def outputs(self, run: Run) -> Body | None:
        found = {
            name: {"assetId": asset.asset_id, "type": _TYPES.get(asset.kind, asset.kind)}
            for name, asset in run.outputs.items()
        }
        return found or None

    def error(self, run: Run) -> Body | None:
        if run.error is None:
            return None
        nothing = dict.fromkeys(("severity", "messageFormat", "detailsUri", "target", "innerError", "debugInfo"))
        failed_step = isinstance(run, Job) and run.pipeline
        return {
            "error": {
                "code": "UserError",
                "message": run.error,
                "messageParameters": {},
                "referenceCode": "PipelineHasStepJobFailed" if failed_step else None,
                "details": [],
                "additionalInfo": None,
                **nothing,
            },
            "correlation": None,
            "environment": self.workspace.location,
            "location": self.workspace.location,
            "time": stamp(run.ended or self.jobs.now),
            "componentName": "" if failed_step else "CommonRuntime",
        }

    def properties(self, job: Job, run: Run) -> dict[str, str]:
        if not isinstance(run, Step):
            return run.properties
        made = {
            "azureml.DevPlatv2": "true",
            "azureml.DatasetAccessMode": "Asset",
            "StepType": "SubPipeline" if run.pipeline else "PythonScriptStep",
            "azureml.moduleid": run.component.rpartition("/")[2],
            "azureml.moduleName": _component_name(run),
            "azureml.runsource": "azureml.PipelineRun" if run.pipeline else "azureml.StepRun",
            "azureml.nodeid": run.id[:8],
            "azureml.pipelinerunid": run.parent,
            "azureml.pipeline": run.parent,
            "azureml.rootpipelinerunid": job.id,
            "azureml.pipelineComponent": "masterescloud",
        }
        if run.reused is None:
            return made
        earlier = self.jobs.owner(run.reused.id)[0]
        return {
            **made,
            "azureml.isreused": "true",
            "azureml.reusedrunid": run.reused.id,
            "azureml.reusednodeid": run.reused.id[:8],
            "azureml.reusedpipeline": run.reused.parent,
            "azureml.reusedpipelinerunid": run.reused.parent,
            "azureml.rootpipelinerunid": earlier.id,
        }

    async def details(self, job: Job, run: Run) -> Body:
        """What the SDK streams logs by."""
        kept = self.run(job, run)
        named = (
            *(
                "runId",
                "runUuid",
                "parentRunUuid",
                "rootRunUuid",
                "target",
                "status",
                "parentRunId",
                "error",
                "warnings",
            ),
            *("tags", "properties", "parameters", "services", "inputDatasets", "outputDatasets", "runDefinition"),
            *("startTimeUtc", "endTimeUtc", "revision", "runTypeV2", "settings", "computeRequest", "compute"),
            *("createdBy", "duration", "runNumber", "rootRunId", "userId", "statusRevision", "lastModifiedUtc"),
        )
        body = {name: kept[name] for name in named}
        return {**body, "createdTimeUtc": kept["createdUtc"], "logFiles": await self.logs(job, run), "jobCost": None}

    async def logs(self, job: Job, run: Run) -> dict[str, str]:
        """The logs that are there, with signed URLs."""
        keeper = Keeper(self.jobs, job)
        told: Run = run.reused if isinstance(run, Step) and run.reused else run
        only = next(iter(job.steps.values()), None) if told is job and not job.pipeline else None
        await asyncio.to_thread(keeper.log, only or told)
        if not (only or told).logged:
            return {}
        name = "logs/azureml/executionlogs.txt" if told is job and job.pipeline else "user_logs/std_log.txt"
        path = f"ExperimentRun/dcid.{told.id}/{name}"
        where: Place = await asyncio.to_thread(keeper.resources.in_datastore, LOGS, path)
        sas = self.jobs.cloud.storage.sas(where.account, where.container, write=False)
        return {name: where.url(sas)}


def _component_name(step: Step) -> str:
    return step.component.partition("/components/")[2].partition("/")[0] or "azureml_anonymous"


def _run_type(job: Job, run: Run) -> str:
    if isinstance(run, Step):
        return "azureml.PipelineRun" if run.pipeline else "azureml.StepRun"
    return "azureml.PipelineRun" if job.pipeline else "azureml.scriptrun"


def _compute(job: Job) -> str | None:
    return str(job.submitted.get("computeId") or "").rpartition("/")[2] or None


class NotThere(Refused):
    """A run that there is not, in run history's own envelope."""

    def __init__(self, jobs: Jobs, message: str) -> None:
        super().__init__(404, "UserError", message)
        self._jobs = jobs

    @property
    def reply(self) -> Reply:
        nothing = dict.fromkeys(("severity", "messageFormat", "referenceCode", "detailsUri", "target", "debugInfo"))
        inner = {"code": "NotFoundError", "innerError": None}
        error: Body = {"code": self.code, "message": self.message, "details": [], "innerError": inner, **nothing}
        location = self._jobs.workspace.location
        where = {"environment": location, "location": location, "componentName": "run-history"}
        return Reply(self.status, {"error": error, "correlation": {}, "time": stamp(self._jobs.now), **where})


def _found(cloud: Cloud, call: Call, run_id: str | None = None) -> tuple[History, Job, Run]:
    jobs = cloud.workspace(call).part(Jobs)
    wanted = run_id or call.params["run"]
    try:
        job, run = jobs.owner(wanted)
    except Refused:
        raise NotThere(jobs, f"Run {wanted} was not found") from None
    return History(jobs), job, run


# The SDK asks by the run alone; MLflow's plugin and older clients by experiment, too.
_RUNS: Final = (
    _PLANE + "/runs/{run}",
    _PLANE + "/experiments/{experiment}/runs/{run}",
    _PLANE + "/experimentids/{experiment}/runs/{run}",
)


def _get(cloud: Cloud, call: Call) -> Reply:
    history, job, run = _found(cloud, call)
    return Reply(200, history.run(job, run))


async def _details(cloud: Cloud, call: Call) -> Reply:
    history, job, run = _found(cloud, call)
    return Reply(200, await history.details(job, run))


def _children(cloud: Cloud, call: Call) -> Reply:
    """Of one level only: a pipeline within has children of its own."""
    history, job, run = _found(cloud, call)
    steps = [step for step in job.steps.values() if job.pipeline and step.parent == run.id]
    return paged(call, [history.run(job, step) for step in steps], skip="$continuationToken")


def _change(cloud: Cloud, call: Call) -> Reply:
    """Names, tags and properties are merged; `hidden` archives a job."""
    history, job, run = _found(cloud, call)
    given = call.json()
    run.tags.update({key: value for key, value in (given.get("tags") or {}).items() if value is not None})
    run.properties = {**(given.get("properties") or {}), **run.properties}
    run.display_name = given.get("displayName") or run.display_name
    if isinstance(run, Job):
        run.description = given.get("description") or run.description
        run.archived = run.archived if given.get("hidden") is None else bool(given["hidden"])
    return Reply(200, history.run(job, run))


def _cancel(cloud: Cloud, call: Call) -> Reply:
    history, job, run = _found(cloud, call)
    if job.status not in ENDED:
        cancel_job(history.jobs, job)
    return Reply(200, history.run(job, run))


for _path in _RUNS:
    routes.get(_path)(_get)
    routes.patch(_path)(_change)
    routes.get(_path + "/details")(_details)
    routes.get(_path + "/children")(_children)
    routes.post(_path + "/cancel")(_cancel)


@routes.post(_PLANE + "/rundata")
def run_data(cloud: Cloud, call: Call) -> Reply:
    """All of one run, with its outputs."""
    asked = call.json()
    history, job, run = _found(cloud, call, asked.get("runId"))
    return Reply(200, _data(history, job, run))


def _data(history: History, job: Job, run: Run) -> Body:
    definition: Any = {"JobType": job.submitted["jobType"], "ComputeId": job.submitted.get("computeId")}
    return {
        "runMetadata": history.run(job, run, outputs=True),
        "runDefinition": definition if run is job else {"target": _compute(job)},
        "jobSpecification": None,
        "systemSettings": None,
    }


@routes.post(_PLANE + "/batchrundata")
def batch_run_data(cloud: Cloud, call: Call) -> Reply:
    """All of several runs; an error for each that is not there."""
    asked = call.json()
    found: Body = {}
    errors: Body = {}
    for run_id in asked.get("runIds") or []:
        try:
            found[run_id] = _data(*_found(cloud, call, run_id))
        except Refused as refused:
            errors[run_id] = refused.reply.body
    return Reply(200, {"runDataResults": found, "errors": errors})
