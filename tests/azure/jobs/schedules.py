"""Schedules of jobs (api-version 2023-06-01-preview). They fire when control moves the clock past their time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tests.azure.cloud import Cloud, Workspace, system_data
from tests.azure.hosts import ARM
from tests.azure.jobs.arm import submit
from tests.azure.jobs.submission import refuse_bad_body
from tests.azure.jobs.triggers import check, due
from tests.azure.jobs.workshop import Jobs
from tests.azure.paging import paged
from tests.azure.routing import WORKSPACE, Body, Call, Refused, Reply, Routes

routes = Routes(ARM)

_ONE: Final = WORKSPACE + "/schedules/{schedule}"


@dataclass
class Schedule:
    """One schedule. `looked` is up to when it has fired."""

    name: str
    properties: Body
    made: float
    looked: float


class Schedules:
    """A workspace's schedules, by name."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self.cloud = cloud
        self.workspace = workspace
        self.schedules: dict[str, Schedule] = {}
        cloud.clock.follow(self.moved)

    def moved(self, _: float) -> None:
        """The clock was moved: submit what has become due, one job for each time."""
        now = self.cloud.clock.time()
        for schedule in list(self.schedules.values()):
            since, schedule.looked = schedule.looked, now
            if not schedule.properties.get("isEnabled", True):
                continue
            moments = (datetime.fromtimestamp(seconds, UTC) for seconds in (schedule.made, since, now))
            for moment in due(schedule.properties["trigger"], *moments):
                self.fire(schedule, moment)

    def fire(self, schedule: Schedule, moment: datetime) -> str:
        """The name of the job that was submitted."""
        jobs = self.workspace.part(Jobs)
        name = f"{schedule.name}-{moment.strftime('%Y%m%dT%H%M%SZ')}"
        if name not in jobs.jobs:
            wanted: Body = dict(schedule.properties["action"]["jobDefinition"])
            mark = {"azureml.scheduleName": schedule.name}
            submit(
                jobs, name, {**wanted, "displayName": name, "properties": {**(wanted.get("properties") or {}), **mark}}
            )
        return name

    def schedule(self, name: str) -> Schedule:
        found = self.schedules.get(name)
        if found is None:
            raise Refused(404, "UserError", f"Schedule {name} was not found.")
        return found

    def shown(self, schedule: Schedule) -> Body:
        stamp = datetime.fromtimestamp(schedule.made, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        return {
            "id": f"{self.workspace.arm_id}/schedules/{schedule.name}",
            "name": schedule.name,
            "type": "Microsoft.MachineLearningServices/workspaces/schedules",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "displayName": None,
                "isEnabled": True,
                **schedule.properties,
                "provisioningState": "Succeeded",
            },
            "systemData": system_data(stamp),
        }


def _of(cloud: Cloud, call: Call) -> Schedules:
    return cloud.workspace(call).part(Schedules)


@routes.put(_ONE)
def put(cloud: Cloud, call: Call) -> Reply:
    """Make or replace it. Only schedules of jobs are modelled."""
    schedules, name = _of(cloud, call), call.params["schedule"]
    properties = call.json().get("properties") or {}
    action = properties.get("action") or {}
    if action.get("actionType") != "CreateJob":
        raise Refused(400, "UserError", f"The loopback Azure has no schedules of {action.get('actionType')!r}.")
    refuse_bad_body(action.get("jobDefinition") or {}, call.api_version, strict=False)
    check(properties.get("trigger") or {})
    now = cloud.clock.time()
    kept = schedules.schedules.get(name)
    schedules.schedules[name] = Schedule(name, properties, kept.made if kept else now, now)
    return Reply(200 if kept else 201, schedules.shown(schedules.schedules[name]))


@routes.get(_ONE)
def get(cloud: Cloud, call: Call) -> Reply:
    """One schedule."""
    schedules = _of(cloud, call)
    return Reply(200, schedules.shown(schedules.schedule(call.params["schedule"])))


@routes.get(WORKSPACE + "/schedules")
def listed(cloud: Cloud, call: Call) -> Reply:
    """All of them; `listViewType` says whether disabled ones, too."""
    schedules = _of(cloud, call)
    view = call.query.get("listViewType", "EnabledOnly")
    found = [
        schedules.shown(schedule)
        for schedule in schedules.schedules.values()
        if view == "All" or schedule.properties.get("isEnabled", True) == (view == "EnabledOnly")
    ]
    return paged(call, found, skip="$skip")


@routes.delete(_ONE)
def delete(cloud: Cloud, call: Call) -> Reply:
    """Forget it; an absent one is fine. Its jobs stay."""
    gone = _of(cloud, call).schedules.pop(call.params["schedule"], None)
    return Reply(200 if gone else 204)


@routes.post(_ONE + "/trigger")
def trigger(cloud: Cloud, call: Call) -> Reply:
    """Fire it once, now."""
    schedules = _of(cloud, call)
    name = schedules.fire(schedules.schedule(call.params["schedule"]), cloud.clock.now())
    made = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    return Reply(200, {"scheduleActionType": "CreateJob", "submissionId": made})
