"""The routes of onlineEndpoints. One state serves every api-version; what is sent is kept, and given back.

PUT replaces the whole: traffic that it does not mention is gone (recorded; see also the SDK's own merging).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Refused, Reply, Routes
from tests.azure.serving.engine import ServedEndpoint
from tests.azure.serving.failures import Fate
from tests.azure.serving.operations import Operation, Operations
from tests.azure.serving.quota import check_endpoints
from tests.azure.serving.resources import endpoint_body
from tests.azure.serving.rules import check_mirror, check_name, check_traffic, invalid, name_taken
from tests.azure.serving.state import Endpoint, Endpoints, Lag, Region, Settings, endpoint_of

ENDPOINT: Final = WORKSPACE + "/onlineEndpoints/{endpoint}"
AUTH_MODES: Final = {"key": "Key", "amltoken": "AMLToken", "aadtoken": "AADToken"}

routes = Routes(ARM)


@routes.get(WORKSPACE + "/onlineEndpoints")
def list_endpoints(cloud: Cloud, call: Call) -> Reply:
    """All endpoints of the workspace, oldest first; `name` and `tags` of the query narrow them."""
    found = [
        _shown(endpoint)
        for endpoint in cloud.workspace(call).part(Endpoints).endpoints.values()
        if call.query.get("name", endpoint.name).lower() == endpoint.name.lower()
        and _has_tags(endpoint.body.get("tags") or {}, call.query.get("tags", ""))
    ]
    return paged(call, found, skip="$skip")


@routes.get(ENDPOINT)
def get_endpoint(cloud: Cloud, call: Call) -> Reply:
    """One endpoint; just after a change of traffic it may still show the old split."""
    return Reply(200, _shown(endpoint_of(cloud, call)))


@routes.put(ENDPOINT)
async def put_endpoint(cloud: Cloud, call: Call) -> Reply:
    """Create it, or replace it as a whole."""
    name, body = call.params["endpoint"], _accepted(call.json())
    existing = cloud.workspace(call).part(Endpoints).find(name)
    endpoint = existing or await _created(cloud, call, name, body)
    if existing is not None:
        existing.check_idle(f"update endpoint {existing.name}")
        _check_split(existing, body)
    fate = cloud.part(Settings).fate("endpoint", endpoint.name)
    before = endpoint.body
    if existing is not None:
        _change(endpoint, body, cloud)
    what = "endpoint.update" if existing else "endpoint.create"
    operation = _begin(cloud, call, endpoint, what, fate=fate, before=before)
    headers = cloud.part(Operations).headers(operation, call.url)
    shown = endpoint_body(endpoint, endpoint.traffic, endpoint.mirror)
    return Reply(200 if existing else 201, shown, headers)


@routes.patch(ENDPOINT)
def patch_endpoint(cloud: Cloud, call: Call) -> Reply:
    """Change tags, identity, and (at 2022-02-01-preview) traffic and mirror; all else stays."""
    endpoint, sent = endpoint_of(cloud, call), call.json()
    endpoint.check_idle(f"update endpoint {endpoint.name}")
    before, merged = endpoint.body, dict(endpoint.body)
    merged |= {name: sent[name] for name in ("tags", "identity", "kind", "sku") if sent.get(name) is not None}
    changed = {
        name: value
        for name, value in (sent.get("properties") or {}).items()
        if name in ("traffic", "mirrorTraffic", "publicNetworkAccess") and value is not None
    }
    merged["properties"] = {**endpoint.body["properties"], **changed}
    _check_split(endpoint, merged)
    fate = cloud.part(Settings).fate("endpoint", endpoint.name)
    _change(endpoint, merged, cloud)
    operation = _begin(cloud, call, endpoint, "endpoint.update", fate=fate, before=before)
    shown = endpoint_body(endpoint, endpoint.traffic, endpoint.mirror)
    return Reply(202, shown, cloud.part(Operations).headers(operation))


@routes.delete(ENDPOINT)
def delete_endpoint(cloud: Cloud, call: Call) -> Reply:
    """Delete it with all its deployments; its name is then free in the region."""
    endpoints = cloud.workspace(call).part(Endpoints)
    endpoint = endpoints.find(call.params["endpoint"])
    if endpoint is None:
        return Reply(204)
    endpoint.check_idle(f"delete endpoint {endpoint.name}")
    endpoint.state = "Deleting"

    async def work() -> tuple[str, Body | None]:
        endpoints.forget(endpoint)
        await endpoint.served.close()
        return "Succeeded", None

    seconds = cloud.duration("endpoint.delete")
    operation = cloud.part(Operations).start(endpoint.workspace, "oeidp", call, seconds, work=work)
    endpoint.operation = operation
    return Reply(202, b"null", {**cloud.part(Operations).headers(operation), "Content-Type": "application/json"})


@routes.post(ENDPOINT + "/listKeys")
def list_keys(cloud: Cloud, call: Call) -> Reply:
    """Both keys, where the endpoint has keys."""
    endpoint = endpoint_of(cloud, call)
    if endpoint.auth_mode != "Key":
        raise invalid("AuthMode", f"Keys are not available for an endpoint whose authMode is {endpoint.auth_mode}.")
    return Reply(200, {"primaryKey": endpoint.primary_key, "secondaryKey": endpoint.secondary_key})


@routes.post(ENDPOINT + "/regenerateKeys")
def regenerate_keys(cloud: Cloud, call: Call) -> Reply:
    """Set one key, to the value given or to a new one; the old one is worth nothing at once."""
    endpoint, sent = endpoint_of(cloud, call), call.json()
    endpoint.check_idle(f"regenerate keys of endpoint {endpoint.name}")
    value = str(sent.get("keyValue") or cloud.secrets.new("endpoint key", 32))
    match sent.get("keyType"):
        case "Primary":
            endpoint.primary_key = cloud.secrets.plant(value, "endpoint key")
        case "Secondary":
            endpoint.secondary_key = cloud.secrets.plant(value, "endpoint key")
        case other:
            raise Refused(400, "InvalidArgument", f"keyType must be Primary or Secondary, not {other!r}.")
    return Reply(200)


@routes.post(ENDPOINT + "/token")
def token(cloud: Cloud, call: Call) -> Reply:
    """A token that scores, for a while. Where the endpoint wants Entra's own tokens, clients ask Entra."""
    endpoint = endpoint_of(cloud, call)
    if endpoint.auth_mode != "AMLToken":
        raise invalid("AuthMode", f"Tokens are not available for an endpoint whose authMode is {endpoint.auth_mode}.")
    lives = cloud.part(Settings).token_lifetime
    expires = cloud.clock.time() + lives
    value = cloud.secrets.new("endpoint token", 96)
    endpoint.tokens[value] = expires
    return Reply(
        200,
        {
            "accessToken": value,
            "tokenType": "Bearer",
            "expiryTimeUtc": int(expires),
            "refreshAfterTimeUtc": int(expires - lives / 2),
        },
    )


def _accepted(sent: Body) -> Body:
    """The body without what is the service's. Refuses what lacks the required parts."""
    properties: Any = sent.get("properties")
    if not isinstance(properties, dict):
        raise Refused(400, "InvalidRequestContent", "The request content has no properties.")
    if not sent.get("location"):
        raise Refused(400, "LocationRequired", "The location property is required for this definition.")
    mode = AUTH_MODES.get(str(properties.get("authMode", "")).lower())
    if mode is None:
        raise invalid("AuthMode", f"The authMode must be one of {sorted(AUTH_MODES.values())}.")
    kept = {name: value for name, value in sent.items() if name not in ("id", "name", "type", "systemData")}
    own = {"provisioningState", "scoringUri", "swaggerUri", "keys"}
    return kept | {"properties": {n: v for n, v in properties.items() if n not in own} | {"authMode": mode}}


async def _created(cloud: Cloud, call: Call, name: str, body: Body) -> Endpoint:
    workspace = cloud.workspace(call)
    check_name(name, "endpoint")
    if cloud.part(Region).find(workspace.location, name) is not None:
        raise name_taken()
    check_endpoints(cloud, workspace)
    check_traffic(body["properties"].get("traffic") or {}, (), ())
    check_mirror(body["properties"].get("mirrorTraffic") or {}, {}, ())
    key = cloud.secrets.new
    now = cloud.clock.stamp()
    folder = workspace.home / "endpoints" / name.lower()
    served = ServedEndpoint(folder, lambda: endpoint.routed(), cloud.clock.time)  # noqa: PLW0108  not there yet
    cloud_suffix = "ml.azure.us" if call.host.endswith("usgovcloudapi.net") else "ml.azure.com"
    endpoint = Endpoint(
        workspace,
        name,
        body,
        now,
        now,
        served,
        key("endpoint key", 32),
        key("endpoint key", 32),
        host=f"{name}.{workspace.location}.inference.{cloud_suffix}",
    )
    workspace.part(Endpoints).add(endpoint)
    await served.start()
    return endpoint


def _check_split(endpoint: Endpoint, body: Body) -> None:
    properties = body["properties"]
    traffic, mirror = properties.get("traffic") or {}, properties.get("mirrorTraffic") or {}
    check_traffic(traffic, endpoint.deployments.keys(), endpoint.ready())
    check_mirror(mirror, traffic, endpoint.ready())


def _change(endpoint: Endpoint, body: Body, cloud: Cloud) -> None:
    """Take the new body; what GETs and the front door make of its traffic follows later."""
    before = (endpoint.traffic, endpoint.mirror)
    endpoint.body, endpoint.modified = body, cloud.clock.stamp()
    if before != (endpoint.traffic, endpoint.mirror):
        endpoint.lag = Lag(*before, cloud.part(Settings).stale_reads)


def _begin(cloud: Cloud, call: Call, endpoint: Endpoint, what: str, *, fate: Fate, before: Body) -> Operation:
    """Start the operation of a PUT or PATCH; a failed one leaves the traffic as it was."""
    endpoint.state = "Creating" if what == "endpoint.create" else "Updating"

    async def work() -> tuple[str, Body | None]:
        if fate.failure is not None:
            endpoint.body, endpoint.lag = before, None
            endpoint.state = fate.failure.state
            workspace = endpoint.workspace
            names = {"account": workspace.storage_account, "container": workspace.container, "deployment": ""}
            return endpoint.state, fate.failure.error(names)
        if endpoint.lag is not None and endpoint.lag.until is None:
            endpoint.lag.until = cloud.clock.time() + cloud.part(Settings).routing_lag
        endpoint.came_up, endpoint.state = True, "Succeeded"
        endpoint.busy_until = cloud.clock.time() + cloud.part(Settings).busy_after
        return "Succeeded", None

    seconds = None if fate.hangs else fate.seconds if fate.seconds is not None else cloud.duration(what)
    endpoint.operation = cloud.part(Operations).start(
        endpoint.workspace, "oeidp", call, seconds, work=work, result=lambda: _shown(endpoint)
    )
    return endpoint.operation


def _shown(endpoint: Endpoint) -> Body:
    return endpoint_body(endpoint, *endpoint.shown())


def _has_tags(tags: Body, wanted: str) -> bool:
    """`wanted` is a list such as `tag1,tag2=value`, as the published contract has it."""
    for one in filter(None, wanted.split(",")):
        name, given, value = one.partition("=")
        if name not in tags or (given and tags[name] != value):
            return False
    return True


async def settle(endpoint: Endpoint, operations: Operations) -> None:
    """Wait a little for deployments whose time is over, and whose servers are just coming up."""
    due = [
        one.operation
        for one in endpoint.deployments.values()
        if one.operation is not None and not one.operation.done.is_set()
    ]
    await asyncio.gather(*(operations.overdue(operation) for operation in due))
