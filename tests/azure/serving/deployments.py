"""The routes of onlineEndpoints/deployments."""

from __future__ import annotations

from typing import Any, Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM
from tests.azure.paging import paged
from tests.azure.routing import Body, Call, Refused, Reply, Routes
from tests.azure.serving.endpoints import ENDPOINT, settle
from tests.azure.serving.failures import Failure, Fate
from tests.azure.serving.operations import Operation, Operations
from tests.azure.serving.placement import Plan, cause, plan
from tests.azure.serving.quota import check_cores, out_of_cores, reserved
from tests.azure.serving.resources import deployment_body
from tests.azure.serving.rules import (
    BUSY,
    DEPLOYMENTS_PER_ENDPOINT,
    INSTANCES_PER_DEPLOYMENT,
    busy,
    check_name,
    check_removable,
    check_sizes,
    invalid,
)
from tests.azure.serving.state import Deployment, Endpoint, Settings, endpoint_of

DEPLOYMENT: Final = ENDPOINT + "/deployments/{deployment}"

routes = Routes(ARM)


@routes.get(ENDPOINT + "/deployments")
async def list_deployments(cloud: Cloud, call: Call) -> Reply:
    """All deployments of the endpoint, oldest first."""
    endpoint = endpoint_of(cloud, call)
    await settle(endpoint, cloud.part(Operations))
    return paged(call, [deployment_body(endpoint, one) for one in endpoint.deployments.values()], skip="$skip")


@routes.get(DEPLOYMENT)
async def get_deployment(cloud: Cloud, call: Call) -> Reply:
    """One deployment."""
    endpoint = endpoint_of(cloud, call)
    deployment = endpoint.deployment(call.params["deployment"])
    if deployment.operation is not None:
        await cloud.part(Operations).overdue(deployment.operation)
    return Reply(200, deployment_body(endpoint, endpoint.deployment(call.params["deployment"])))


@routes.put(DEPLOYMENT)
def put_deployment(cloud: Cloud, call: Call) -> Reply:
    """Create it, or replace it; what serves goes on serving until the new one is ready."""
    endpoint, name, body = endpoint_of(cloud, call), call.params["deployment"], _accepted(call.json())
    existing = endpoint.deployments.get(name.lower())
    act = f"create a deployment in endpoint {endpoint.name}"
    endpoint.check_idle(act)
    if not endpoint.came_up:
        raise busy(act, endpoint.state)
    if existing is not None and existing.state in BUSY:
        raise busy(f"update deployment {existing.name} in endpoint {endpoint.name}", existing.state)
    if existing is None:
        check_name(name, "deployment")
        if len(endpoint.deployments) >= DEPLOYMENTS_PER_ENDPOINT:
            message = f"An endpoint has at most {DEPLOYMENTS_PER_ENDPOINT} deployments."
            raise invalid("Deployments", message, "InferencingClientCreateDeploymentFailed")
    now = cloud.clock.stamp()
    deployment = existing or Deployment(name, body, now, now)
    planned = plan(endpoint, name, body)
    check_sizes((body.get("sku") or {}).get("capacity", 1), planned.timeout_ms, planned.probe_seconds)
    check_cores(cloud, endpoint.workspace, planned.instance_type, planned.instances, existing)
    fate = cloud.part(Settings).fate("deployment", endpoint.name, name)
    if fate.at_once and fate.failure is not None:
        raise _refused_at_once(endpoint, planned, fate.failure)
    deployment.body, deployment.modified = body, now
    endpoint.deployments[name.lower()] = deployment
    operation = _begin(cloud, call, endpoint, deployment, planned=planned, fate=fate)
    headers = cloud.part(Operations).headers(operation, call.url)
    return Reply(200 if existing else 201, deployment_body(endpoint, deployment), headers)


@routes.patch(DEPLOYMENT)
def patch_deployment(cloud: Cloud, call: Call) -> Reply:
    """Change tags and the number of instances; all else stays."""
    endpoint, sent = endpoint_of(cloud, call), call.json()
    deployment = endpoint.deployment(call.params["deployment"])
    endpoint.check_idle(f"update deployment {deployment.name} in endpoint {endpoint.name}")
    if deployment.state in BUSY:
        raise busy(f"update deployment {deployment.name} in endpoint {endpoint.name}", deployment.state)
    body = dict(deployment.body)
    body |= {"tags": sent["tags"]} if sent.get("tags") is not None else {}
    body |= {"sku": {**(body.get("sku") or {}), **sent["sku"]}} if sent.get("sku") else {}
    planned = plan(endpoint, deployment.name, body)
    check_sizes((body.get("sku") or {}).get("capacity", 1), planned.timeout_ms, planned.probe_seconds)
    check_cores(cloud, endpoint.workspace, planned.instance_type, planned.instances, deployment)
    deployment.body, deployment.modified = body, cloud.clock.stamp()
    fate = cloud.part(Settings).fate("deployment", endpoint.name, deployment.name)
    operation = _begin(cloud, call, endpoint, deployment, planned=planned, fate=fate)
    return Reply(202, deployment_body(endpoint, deployment), cloud.part(Operations).headers(operation))


@routes.delete(DEPLOYMENT)
def delete_deployment(cloud: Cloud, call: Call) -> Reply:
    """Delete it; refused while it has traffic, live or mirrored."""
    endpoint = endpoint_of(cloud, call)
    deployment = endpoint.deployments.get(call.params["deployment"].lower())
    if deployment is None:
        return Reply(204)
    endpoint.check_idle(f"delete deployment {deployment.name} in endpoint {endpoint.name}")
    if deployment.state in BUSY:
        raise busy(f"delete deployment {deployment.name} in endpoint {endpoint.name}", deployment.state)
    check_removable(deployment.name, *endpoint.share(deployment.name))
    deployment.state = "Deleting"

    async def work() -> tuple[str, Body | None]:
        await endpoint.served.remove(deployment.name)
        endpoint.deployments.pop(deployment.name.lower(), None)
        return "Succeeded", None

    seconds = cloud.duration("deployment.delete")
    operation = cloud.part(Operations).start(endpoint.workspace, "odidp", call, seconds, work=work)
    deployment.operation = operation
    return Reply(202, b"null", {**cloud.part(Operations).headers(operation), "Content-Type": "application/json"})


@routes.post(DEPLOYMENT + "/getLogs")
def get_logs(cloud: Cloud, call: Call) -> Reply:
    """The end of a container's log: the inference server's, or the storage initializer's."""
    endpoint, sent = endpoint_of(cloud, call), call.json()
    deployment = endpoint.deployment(call.params["deployment"])
    match sent.get("containerType") or "InferenceServer":
        case "InferenceServer":
            log = endpoint.served.log(deployment.name)
        case "StorageInitializer":
            log = "\n".join(deployment.storage_log) or None
        case other:
            raise invalid("ContainerType", f"{other!r} is no container type: InferenceServer or StorageInitializer.")
    if log is None:
        return Reply(200, {"content": "The container is not running yet. Please try again later."})
    lines = log.splitlines()[-int(sent.get("tail") or 500) :]
    return Reply(200, {"content": "\n".join(lines)})


@routes.get(DEPLOYMENT + "/skus")
def skus(cloud: Cloud, call: Call) -> Reply:
    """To how many instances it can be scaled."""
    deployment = endpoint_of(cloud, call).deployment(call.params["deployment"])
    capacity = {
        "default": deployment.instances,
        "minimum": 1,
        "maximum": INSTANCES_PER_DEPLOYMENT,
        "scaleType": "Automatic",
    }
    one = {"resourceType": "workspaces/onlineEndpoints/deployments", "sku": {"name": "Default"}, "capacity": capacity}
    return paged(call, [one], skip="$skip")


def _accepted(sent: Body) -> Body:
    properties: Any = sent.get("properties")
    if not isinstance(properties, dict):
        raise Refused(400, "InvalidRequestContent", "The request content has no properties.")
    if not sent.get("location"):
        raise Refused(400, "LocationRequired", "The location property is required for this definition.")
    if properties.get("endpointComputeType") != "Managed":
        raise invalid("EndpointComputeType", "Only managed online deployments are served here.")
    kept = {name: value for name, value in sent.items() if name not in ("id", "name", "type", "systemData")}
    return kept | {"properties": {n: v for n, v in properties.items() if n != "provisioningState"}}


def _begin(
    cloud: Cloud, call: Call, endpoint: Endpoint, deployment: Deployment, *, planned: Plan, fate: Fate
) -> Operation:
    deployment.state = "Updating" if deployment.came_up else "Creating"
    what = "deployment.update" if deployment.came_up else "deployment.create"

    async def work() -> tuple[str, Body | None]:
        failure = fate.failure or await _brought_up(cloud, endpoint, deployment, planned)
        if failure is not None:
            deployment.state = failure.state
            workspace = endpoint.workspace
            names = {
                "account": workspace.storage_account, "container": workspace.container, "deployment": deployment.name
            }  # fmt: skip
            return failure.state, failure.error(names)
        deployment.came_up, deployment.state = True, "Succeeded"
        return "Succeeded", None

    seconds = None if fate.hangs else fate.seconds if fate.seconds is not None else cloud.duration(what)
    deployment.operation = cloud.part(Operations).start(
        endpoint.workspace,
        "odidp",
        call,
        seconds,
        work=work,
        result=lambda: deployment_body(endpoint, deployment),
    )
    return deployment.operation


async def _brought_up(cloud: Cloud, endpoint: Endpoint, deployment: Deployment, planned: Plan) -> Failure | None:
    """Start its server for real. A change that the server would not notice starts none."""
    kept = endpoint.served.deployments.get(deployment.name)
    if kept is not None and planned.same_server(kept.placement):
        return None
    folder = endpoint.served.place_folder(deployment.name)
    deployment.storage_log.clear()
    placement = await planned.placed(cloud, folder, deployment.storage_log)
    if isinstance(placement, Failure):
        return placement
    problem = await endpoint.served.place(placement, folder)
    return cause(problem) if problem is not None else None


def _refused_at_once(endpoint: Endpoint, planned: Plan, failure: Failure) -> Refused:
    if failure.code == "OutOfQuota" and not failure.message:
        wanted = reserved(planned.instance_type, planned.instances)
        return out_of_cores(endpoint.workspace, planned.instance_type, 0, wanted - 1, wanted)
    text = failure.message or failure.code
    return invalid(failure.code, text, "InferencingClientCreateDeploymentFailed")
