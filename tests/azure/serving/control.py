"""What tests set of serving: how the next operations end, how late changes show, what the quota is."""

from __future__ import annotations

from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import CONTROL
from tests.azure.routing import WORKSPACE, Call, Refused, Reply, Routes
from tests.azure.serving.failures import CODES, Failure, Fate
from tests.azure.serving.state import Endpoints, Planned, Region, Settings

SETTINGS: Final = ("stale_reads", "routing_lag", "busy_after", "token_lifetime", "endpoints_limit", "metrics_lag")

routes = Routes(CONTROL)


@routes.post("/serving/fates")
def plan(cloud: Cloud, call: Call) -> Reply:
    """How the next operations of a kind go.

    {"kind": "deployment" | "endpoint", "endpoint"?, "deployment"?, "times"? (1), and of these what is wanted:
    "code" (a documented one), "message", "wrapping" ("message" | "code"), "seconds" (virtual), "hangs": true,
    "at_once": true}
    """
    wanted = call.json()
    code = wanted.get("code")
    if code is not None and code not in CODES:
        raise Refused(400, "Unknown", f"{code} is none of {sorted(CODES)}")
    failure = Failure(code, wanted.get("message", ""), wanted.get("wrapping", "message")) if code else None
    seconds = float(wanted["seconds"]) if "seconds" in wanted else None
    fate = Fate(failure, seconds, bool(wanted.get("hangs")), bool(wanted.get("at_once")))
    narrowed = [str(wanted.get(name, "")).lower() for name in ("endpoint", "deployment")]
    cloud.part(Settings).planned.append(Planned(wanted["kind"], fate, int(wanted.get("times", 1)), *narrowed))
    return Reply(204)


@routes.delete("/serving/fates")
def forget(cloud: Cloud, call: Call) -> Reply:
    """Nothing is planned any more."""
    cloud.part(Settings).planned.clear()
    return Reply(204)


@routes.post("/serving/settings")
def settings(cloud: Cloud, call: Call) -> Reply:
    """Any of {"stale_reads": GETs, "routing_lag": s, "busy_after": s, "token_lifetime": s, "endpoints_limit": n,
    "metrics_lag": s}."""
    kept = cloud.part(Settings)
    for name, value in call.json().items():
        if name not in SETTINGS:
            raise Refused(400, "Unknown", f"{name} is no setting of serving")
        setattr(kept, name, value)
    return Reply(204)


@routes.post("/serving/crash")
def crash(cloud: Cloud, call: Call) -> Reply:
    """{"location", "endpoint", "deployment"}: kill the container as it serves; it is started anew, as Azure does."""
    wanted = call.json()
    endpoint = cloud.part(Region).find(wanted["location"], wanted["endpoint"])
    if endpoint is None:
        raise Refused(404, "NotFound", "there is no such endpoint")
    endpoint.served.crash(endpoint.deployment(wanted["deployment"]).name)
    return Reply(204)


@routes.delete(WORKSPACE + "/onlineEndpoints")
async def close(cloud: Cloud, call: Call) -> Reply:
    """End all servers of a workspace, and forget its endpoints: for tests that are through with it."""
    endpoints = cloud.workspace(call).part(Endpoints)
    for endpoint in list(endpoints.endpoints.values()):
        endpoints.forget(endpoint)
        await endpoint.served.close()
    return Reply(204)
