"""Jobs on management.azure.com. Their api-versions differ in nothing that is modelled here."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from tests.azure.cloud import Cloud, Workspace
from tests.azure.hosts import ARM
from tests.azure.jobs.engine import Runner
from tests.azure.jobs.records import ENDED, Job
from tests.azure.jobs.resources import Resources
from tests.azure.jobs.submission import (
    refuse_another_body,
    refuse_bad_body,
    refuse_bad_name,
    shown,
    shown_child,
)
from tests.azure.jobs.workshop import Jobs
from tests.azure.paging import paged
from tests.azure.routing import LOCATION, WORKSPACE, Body, Call, Refused, Reply, Routes

routes = Routes(ARM)

_ONE: Final = WORKSPACE + "/jobs/{job}"
_PATIENCE: Final = 3.0
"""Real seconds that the answer to how a cancellation goes is held back at most."""


def stamp(seconds: float) -> str:
    """A moment, as Azure writes it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")


def _shown(jobs: Jobs, job: Job) -> Body:
    return shown(job, jobs.workspace, jobs.now, stamp(job.created))


@routes.put(_ONE)
async def put_job(cloud: Cloud, call: Call) -> Reply:
    """Submit a job; or change the description, tags, names and properties of one that exists."""
    jobs, name = cloud.workspace(call).part(Jobs), call.params["job"]
    properties = call.json().get("properties") or {}
    refuse_bad_name(name)
    refuse_bad_body(properties, call.api_version, strict=jobs.strict)
    if name not in jobs.jobs:
        await _refuse_unknown_compute(cloud, jobs.workspace, properties)
    if name in jobs.jobs:  # perhaps since a moment ago: of two submitters one makes the job
        job = jobs.jobs[name]
        refuse_another_body(job, properties)
        change(job, properties)
        return Reply(200, _shown(jobs, job))
    job = submit(jobs, name, properties)
    location = f"https://{call.host}{call.path}?api-version={call.api_version}"
    return Reply(201, _shown(jobs, job), {"Location": location})


def submit(jobs: Jobs, name: str, properties: Body) -> Job:
    """A new job, on its way."""
    job = Job(name, jobs.now, submitted=properties, display_name=properties.get("displayName") or name)
    change(job, properties)
    jobs.jobs[name] = job
    job.task = asyncio.get_running_loop().create_task(Runner(jobs, job).run())
    return job


async def _refuse_unknown_compute(cloud: Cloud, workspace: Workspace, properties: Body) -> None:
    """Wording: as the service was recorded."""
    compute = str(properties.get("computeId") or "")
    if "/computes/" not in compute:
        return
    try:
        await Resources(cloud, workspace).ask("GET", compute, "2023-08-01-preview")
    except Refused:
        name = compute.rpartition("/")[2]
        raise Refused(400, "UserError", f"Unknown compute target '{name}'.") from None


def change(job: Job, properties: Body) -> None:
    """What may change of a job. Properties are only ever added."""
    job.tags = dict(properties.get("tags") or {})
    job.description = properties.get("description")
    job.display_name = properties.get("displayName") or job.display_name
    job.archived = bool(properties.get("isArchived"))
    job.properties = {**(properties.get("properties") or {}), **job.properties}


@routes.get(_ONE)
def get_job(cloud: Cloud, call: Call) -> Reply:
    """A job; of a step only that there is one: the rest is in run history."""
    jobs = cloud.workspace(call).part(Jobs)
    job, run = jobs.owner(call.params["job"])
    if run is not job:
        return Reply(200, shown_child(run.id, jobs.workspace, stamp(run.created)))
    return Reply(200, _shown(jobs, job))


@routes.get(WORKSPACE + "/jobs")
def list_jobs(cloud: Cloud, call: Call) -> Reply:
    """All jobs, the newest first. `listViewType`, `jobType` and `tag` say which."""
    jobs = cloud.workspace(call).part(Jobs)
    view = call.query.get("listViewType", "ActiveOnly")
    kind, (tag, _, value) = call.query.get("jobType", ""), call.query.get("tag", "").partition("=")
    found = [
        job
        for job in reversed(jobs.jobs.values())
        if (view == "All" or job.archived == (view == "ArchivedOnly"))
        and (not kind or kind.lower() == str(job.submitted["jobType"]).lower())
        and (not tag or (tag in job.tags and value in ("", job.tags[tag])))
    ]
    return paged(call, [_shown(jobs, job) for job in found], skip="$skip")


@routes.post(_ONE + "/cancel")
def cancel(cloud: Cloud, call: Call) -> Reply:
    """Ask a job to stop; the operation lasts until it has."""
    jobs = cloud.workspace(call).part(Jobs)
    job = jobs.job(call.params["job"])
    if job.status in ENDED:
        raise Refused(400, "UserError", f"Job {job.id} is in the terminal state {job.status} and cannot be canceled.")
    cancel_job(jobs, job)
    return Reply(202, None, {"Location": _operation(cloud, call, "jc", job.id), "Retry-After": "1"})


def cancel_job(jobs: Jobs, job: Job) -> None:
    job.cancelled = True
    job.is_now("CancelRequested", jobs.now)


@routes.delete(_ONE)
def delete(cloud: Cloud, call: Call) -> Reply:
    """Forget a job that has ended; an absent one is fine."""
    jobs, name = cloud.workspace(call).part(Jobs), call.params["job"]
    if name not in jobs.jobs:
        return Reply(204)
    if jobs.jobs[name].status not in ENDED:
        raise Refused(409, "Conflict", f"Job {name} is still running; cancel it first.")
    del jobs.jobs[name]
    return Reply(202, None, {"Location": _operation(cloud, call, "jd", name)})


def _operation(cloud: Cloud, call: Call, kind: str, name: str) -> str:
    """A signed operation URL, in the form of the service's own."""
    workspace = cloud.workspace(call)
    path = LOCATION.format(subscription=workspace.address.subscription_id, location=workspace.location)
    query = f"api-version={call.api_version}&t={int(cloud.clock.time())}&c=loopback&s={secrets.token_urlsafe(64)}"
    signature = secrets.token_urlsafe(32)
    url = f"https://{call.host}{path}/mfeOperationResults/{kind}:{workspace.workspace_id}:{name}?{query}&h={signature}"
    return cloud.secrets.plant_url(url)


@routes.get(LOCATION + "/mfeOperationResults/jc:{id}:{job}")
async def cancelled(cloud: Cloud, call: Call) -> Reply:
    """202 until the job has ended; held back a little, as Microsoft's clients ask again after a second at best."""
    job = cloud.workspace_by_id(call.params["id"]).part(Jobs).job(call.params["job"])
    if job.task is not None:
        await asyncio.wait([job.task], timeout=_PATIENCE)
    if job.status in ENDED:
        return Reply(200)
    return Reply(202, None, {"Location": cloud.secrets.plant_url(call.url), "Retry-After": "1"})


@routes.get(LOCATION + "/mfeOperationResults/jd:{id}:{job}")
def deleted(cloud: Cloud, call: Call) -> Reply:
    """A deletion takes no time."""
    return Reply(200)
