"""Azure Monitor's metrics of online endpoints: what the front door really answered, by the minute, and late.

The call and its answer: Microsoft.Insights/stable/2024-02-01/metrics_API.json of Azure/azure-rest-api-specs. Metrics,
dimensions, grain and aggregation: "Supported metrics for Microsoft.MachineLearningServices/workspaces/onlineEndpoints".
A minute that is not told yet is a zero, as in Azure/azure-libraries-for-net#499.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ctrain.backends.local.serving.tally import Counted, Tally
from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM
from tests.azure.routing import Body, Call, Refused, Reply, Routes
from tests.azure.serving.endpoints import ENDPOINT
from tests.azure.serving.state import Settings, endpoint_of

NAMESPACE: Final = "microsoft.machinelearningservices/workspaces/onlineendpoints"
DIMENSIONS: Final = {
    "requestsperminute": ("deployment", "statusCode", "statusCodeClass", "modelStatusCode"),
    **{f"requestlatency_p{percent}": ("deployment",) for percent in (50, 90, 95, 99)},
}
MODELLED: Final = {"deployment", "statuscodeclass"}
FILTER: Final = re.compile(r"(\w+) eq '([^']*)'")
MINUTE: Final = 60

routes = Routes(ARM)


@dataclass(frozen=True)
class Asked:
    """A query, read. `filters` has the wanted value by dimension in lower case; `*` splits by it."""

    metrics: tuple[str, ...]
    first: int
    last: int
    filters: dict[str, str]


@routes.get(ENDPOINT + "/providers/Microsoft.Insights/metrics")
def metrics(cloud: Cloud, call: Call) -> Reply:
    """The minutes that begin in the timespan. Refuses what the service has no such metric, dimension or grain for."""
    endpoint, asked = endpoint_of(cloud, call), _asked(call)
    told_until = int(cloud.clock.time() - cloud.part(Settings).metrics_lag)
    body = {
        "cost": len(asked.metrics),
        "timespan": f"{_stamp(asked.first)}/{_stamp(asked.last)}",
        "interval": "PT1M",
        "value": [_metric(endpoint.arm_id, name, asked, endpoint.served.tally, told_until) for name in asked.metrics],
        "namespace": NAMESPACE,
        "resourceregion": endpoint.workspace.location,
    }
    return Reply(200, body)


def _asked(call: Call) -> Asked:
    query = {name.lower(): value for name, value in call.query.items()}
    if query.get("metricnamespace", NAMESPACE).lower() != NAMESPACE:
        raise Refused(400, "BadRequest", f"Failed to find metric namespace {query['metricnamespace']}.")
    if query.get("interval", "PT1M") != "PT1M":
        raise Refused(400, "BadRequest", f"Invalid time grain {query['interval']}: supported are PT1M.")
    if query.get("aggregation", "average").lower() != "average":
        raise Refused(400, "BadRequest", f"Invalid aggregation type {query['aggregation']}: supported are Average.")
    names = tuple(name for name in query.get("metricnames", "").split(",") if name)
    unknown = [name for name in names if name.lower() not in DIMENSIONS]
    if unknown or not names:
        raise Refused(400, "BadRequest", f"Failed to find metric configuration for {', '.join(unknown) or 'none'}.")
    filters = {name.lower(): value for name, value in FILTER.findall(query.get("$filter", ""))}
    for name in names:
        of = {dimension.lower() for dimension in DIMENSIONS[name.lower()]}
        if not set(filters) <= of:
            raise Refused(400, "BadRequest", f"{name} has no such dimension: {', '.join(set(filters) - of)}.")
    if not set(filters) <= MODELLED:
        raise Refused(400, "NotModelled", f"the loopback splits by {', '.join(MODELLED)} only")
    first, last = (_moment(one) for one in query["timespan"].split("/"))
    return Asked(names, first // MINUTE * MINUTE, last, filters)


def _metric(arm_id: str, name: str, asked: Asked, tally: Tally, told_until: int) -> Body:
    return {
        "id": f"{arm_id}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "displayDescription": name,
        "unit": "Count" if name.lower() == "requestsperminute" else "MilliSeconds",
        "timeseries": list(_series(name.lower(), asked, tally, told_until)),
        "errorCode": "Success",
    }


def _series(name: str, asked: Asked, tally: Tally, told_until: int) -> Iterator[Body]:
    wanted = asked.filters.get("deployment", "*").lower()
    for deployment in tally.counted:
        if wanted not in ("*", deployment.lower()):
            continue
        minutes = _minutes(tally, deployment, asked)
        dimensions = {"deployment": deployment} if "deployment" in asked.filters else {}
        if not name.startswith("requestlatency"):
            kinds = sorted({kind for minute in minutes for kind in minute.answers})
            if "statuscodeclass" not in asked.filters:
                yield _one(dimensions, [_count(m, None, told_until) for m in minutes])
            for kind in kinds if "statuscodeclass" in asked.filters else []:
                if asked.filters["statuscodeclass"] in ("*", kind):
                    points = [_count(minute, kind, told_until) for minute in minutes]
                    yield _one({**dimensions, "statuscodeclass": kind}, points)
        elif minutes:
            percent = int(name.rpartition("_p")[2])
            yield _one(dimensions, [_latency(minute, percent, told_until) for minute in minutes])


def _minutes(tally: Tally, deployment: str, asked: Asked) -> list[Counted]:
    """Every minute of the timespan, also those in which nothing was answered."""
    made = {began: Counted(began, MINUTE) for began in range(asked.first, asked.last, MINUTE)}
    for second in tally.counted[deployment]:
        minute = made.get(second.began // MINUTE * MINUTE)
        if minute is not None:
            minute.add(second)
    return list(made.values())


def _count(minute: Counted, kind: str | None, told_until: int) -> Body:
    settled = minute.began + MINUTE <= told_until
    count = minute.answers.total() if kind is None else minute.answers[kind]
    return {"timeStamp": _stamp(minute.began), "average": float(count if settled else 0)}


def _latency(minute: Counted, percent: int, told_until: int) -> Body:
    settled = minute.began + MINUTE <= told_until and minute.answers.total() > 0
    value = {"average": minute.span().percentiles[percent]} if settled else {}
    return {"timeStamp": _stamp(minute.began), **value}


def _one(dimensions: dict[str, str], points: list[Body]) -> Body:
    names = [{"name": {"value": n, "localizedValue": n}, "value": value} for n, value in dimensions.items()]
    return {"metadatavalues": names, "data": points}


def _moment(stamp: str) -> int:
    try:
        return int(datetime.fromisoformat(stamp).timestamp())
    except ValueError:
        raise Refused(400, "BadRequest", f"Invalid timespan: {stamp}.") from None


def _stamp(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
