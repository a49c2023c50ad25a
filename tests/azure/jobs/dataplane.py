"""Where assets are: what the SDK asks the data and model planes for a job's outputs."""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import REGION
from tests.azure.jobs.workshop import Jobs
from tests.azure.routing import WORKSPACE, Body, Call, Reply, Routes

routes = Routes(REGION)

_BATCH: Final = "/batchGetResolvedUris"


@routes.post("/data/v1.0" + WORKSPACE + "/dataversion" + _BATCH)
def data(cloud: Cloud, call: Call) -> Reply:
    """Asset ids to URIs; those that are not known are left out."""
    return Reply(200, {"values": {key: {"uri": uri, "type": kind} for key, uri, kind in _resolved(cloud, call)}})


@routes.post("/modelregistry/v1.0" + WORKSPACE + "/models" + _BATCH)
def models(cloud: Cloud, call: Call) -> Reply:
    """Asset ids to paths."""
    return Reply(200, {"values": {key: {"path": uri, "type": kind} for key, uri, kind in _resolved(cloud, call)}})


def _resolved(cloud: Cloud, call: Call) -> list[tuple[str, str, str]]:
    jobs = cloud.workspace(call).part(Jobs)
    body: Body = call.json()
    wanted = set(body.get("values") or [])
    known = {
        asset.asset_id: (jobs.uri(asset), asset.kind)
        for job in jobs.jobs.values()
        for run in (job, *job.steps.values())
        for asset in run.outputs.values()
        if asset.asset_id in wanted
    }
    return [(key, *found) for key, found in known.items()]
