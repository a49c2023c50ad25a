"""What tests may do to jobs beside what Azure lets them."""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import CONTROL
from tests.azure.jobs.workshop import Jobs
from tests.azure.routing import WORKSPACE, Call, Reply, Routes

routes = Routes(CONTROL)

_STATUS: Final = WORKSPACE + "/jobs/{job}/status"


@routes.put(_STATUS)
def force(cloud: Cloud, call: Call) -> Reply:
    """{"status": any word, "seconds": virtual time}: tell that status of a job or a step, for so long or for good.

    What really goes on with it goes on, untold.
    """
    _, run = cloud.workspace(call).part(Jobs).owner(call.params["job"])
    wanted = call.json()
    run.forced = str(wanted["status"])
    run.forced_until = cloud.clock.time() + float(wanted["seconds"]) if wanted.get("seconds") is not None else None
    return Reply(204)


@routes.delete(_STATUS)
def let_go(cloud: Cloud, call: Call) -> Reply:
    """Tell the true status again."""
    _, run = cloud.workspace(call).part(Jobs).owner(call.params["job"])
    run.forced = None
    return Reply(204)


@routes.post(WORKSPACE + "/jobs")
def settings(cloud: Cloud, call: Call) -> Reply:
    """{"strict": bool}: whether a command job's output may have an `assetVersion`; see submission.refuse_bad_body."""
    jobs = cloud.workspace(call).part(Jobs)
    jobs.strict = bool(call.json().get("strict", jobs.strict))
    return Reply(200, {"strict": jobs.strict})


@routes.get(WORKSPACE + "/jobs")
def listed(cloud: Cloud, call: Call) -> Reply:
    """Every job with its true status, and its steps."""
    jobs = cloud.workspace(call).part(Jobs)
    return Reply(
        200,
        {
            name: {"status": job.status, "error": job.error, "steps": {n: s.status for n, s in job.steps.items()}}
            for name, job in jobs.jobs.items()
        },
    )
