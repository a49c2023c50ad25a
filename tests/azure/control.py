"""The tests' own way in: time, workspaces, who may sign in, faults, and what was seen."""

from __future__ import annotations

from dataclasses import asdict

from ctrain.serving import WorkspaceAddress
from tests.azure import azurite
from tests.azure.access import Grant
from tests.azure.cloud import Cloud, Workspace
from tests.azure.faults import Act, Rule
from tests.azure.hosts import CONTROL
from tests.azure.routing import Body, Call, Reply, Routes

routes = Routes(CONTROL)


@routes.get("/clock")
def time(cloud: Cloud, call: Call) -> Reply:
    """{"now": seconds since the epoch, "offset": seconds ahead of real time}."""
    return _time(cloud)


def _time(cloud: Cloud) -> Reply:
    return Reply(200, {"now": cloud.clock.time(), "offset": cloud.clock.offset})


@routes.post("/clock")
def advance(cloud: Cloud, call: Call) -> Reply:
    """{"advance": seconds}: let so much time pass at once."""
    cloud.clock.advance(float(call.json()["advance"]))
    return _time(cloud)


@routes.post("/durations")
def durations(cloud: Cloud, call: Call) -> Reply:
    """{"endpoint.create": seconds, ...}: how long things take; see Cloud.duration."""
    cloud.durations.update({what: float(seconds) for what, seconds in call.json().items()})
    return Reply(200, cloud.durations)


@routes.post("/lifetimes")
def lifetimes(cloud: Cloud, call: Call) -> Reply:
    """{"access": seconds, "assertion": seconds}: how long tokens live from now on."""
    wanted = call.json()
    cloud.tenancy.access_lifetime = float(wanted.get("access", cloud.tenancy.access_lifetime))
    cloud.tenancy.assertion_lifetime = float(wanted.get("assertion", cloud.tenancy.assertion_lifetime))
    return Reply(204)


@routes.post("/reset")
def reset(cloud: Cloud, call: Call) -> Reply:
    """No faults, durations, lifetimes or grants of the last test's any more."""
    cloud.reset()
    return Reply(204)


@routes.post("/workspaces")
def add_workspace(cloud: Cloud, call: Call) -> Reply:
    """{"subscription_id", "resource_group", "workspace", "location", "storage_account"?}: there from now on."""
    wanted = call.json()
    address = WorkspaceAddress(wanted["subscription_id"], wanted["resource_group"], wanted["workspace"])
    made = cloud.add_workspace(address, wanted.get("location", "westeurope"), wanted.get("storage_account"))
    return Reply(201, described(made))


def described(workspace: Workspace) -> Body:
    """What a test wants to know of a workspace."""
    return {
        "location": workspace.location,
        "workspace_id": workspace.workspace_id,
        "storage_account": workspace.storage_account,
        "container": workspace.container,
        "arm_id": workspace.arm_id,
        "home": str(workspace.home),
    }


@routes.post("/applications")
def add_application(cloud: Cloud, call: Call) -> Reply:
    """{"subjects": [[issuer, subject], ...]}: a service principal with a secret, and whom it trusts beside."""
    application = cloud.tenancy.add()
    application.subjects.update((issuer, subject) for issuer, subject in call.json().get("subjects", []))
    return Reply(201, {"client_id": application.client_id, "secret": application.secret})


@routes.put("/grants/{client}")
def grant(cloud: Cloud, call: Call) -> Reply:
    """{"actions": [...], "notActions": [...], "blobs": true}: all that this client may do from now on."""
    wanted = call.json()
    client = call.params["client"]
    (cloud.without_blobs.discard if wanted.get("blobs", True) else cloud.without_blobs.add)(client)
    cloud.grants[client] = Grant(tuple(wanted.get("actions", ["*"])), tuple(wanted.get("notActions", [])))
    return Reply(204)


@routes.get("/identity")
def identity(cloud: Cloud, call: Call) -> Reply:
    """What the machine and the CI systems know: the identity header, request tokens and subjects."""
    tenancy = cloud.tenancy
    return Reply(
        200,
        {
            "managed_client_id": tenancy.managed.client_id,
            "identity_header": tenancy.identity_header,
            "github_request_token": tenancy.github_request_token,
            "github_subject": tenancy.github_subject,
            "pipelines_access_token": tenancy.pipelines_access_token,
            "pipelines_subject": tenancy.pipelines_subject,
            "service_connection": tenancy.service_connection,
        },
    )


@routes.get("/journal")
def journal(cloud: Cloud, call: Call) -> Reply:
    """The calls, by `method`, `host` and `path` expressions, from entry `since` on; and how many there are in all.

    `bodies=1` brings what was sent to ARM and the regional planes.
    """
    patterns = {name: call.query[name] for name in ("method", "host", "path") if name in call.query}
    since, bodies = int(call.query.get("since", "0")), call.query.get("bodies") == "1"
    entries = cloud.journal.listed(bodies=bodies, since=since, **patterns)
    return Reply(200, {"length": len(cloud.journal), "entries": entries})


@routes.post("/faults")
def add_fault(cloud: Cloud, call: Call) -> Reply:
    """A rule, by the names of Rule's fields."""
    wanted = call.json()
    rule = cloud.faults.add(Rule(**{**wanted, "act": Act(wanted["act"])}))
    return Reply(201, {"number": rule.number})


@routes.get("/faults")
def faults(cloud: Cloud, call: Call) -> Reply:
    """The rules in force, with how often each has matched and was used."""
    return Reply(200, {"rules": [asdict(rule) for rule in cloud.faults.listed()]})


@routes.delete("/faults")
def clear_faults(cloud: Cloud, call: Call) -> Reply:
    """No more faults."""
    cloud.faults.clear()
    return Reply(204)


@routes.delete("/faults/{number}")
def remove_fault(cloud: Cloud, call: Call) -> Reply:
    """That rule no more."""
    cloud.faults.remove(int(call.params["number"]))
    return Reply(204)


@routes.get("/secrets")
def secrets(cloud: Cloud, call: Call) -> Reply:
    """Every secret handed out so far, and its kind."""
    return Reply(200, cloud.secrets.listed())


@routes.get("/storage")
def storage(cloud: Cloud, call: Call) -> Reply:
    """{"missing": why there is no storage here, or null}."""
    return Reply(200, {"missing": azurite.missing()})


@routes.get("/contract")
def contract(cloud: Cloud, call: Call) -> Reply:
    """What was held to the published types so far, and what was wrong."""
    return Reply(200, cloud.contract.listed())
