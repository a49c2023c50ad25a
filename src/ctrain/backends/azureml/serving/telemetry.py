"""AzureTelemetry: what Azure Monitor tells of the requests to a managed online endpoint's deployments.

Two requests a reading, of one minute's grain:

- `RequestsPerMinute`, by the dimensions `deployment` and `statusCodeClass`;
- `RequestLatency_P50`, `_P90`, `_P95` and `_P99`, by `deployment`.

Names, dimensions, the one grain PT1M and the one aggregation, Average: "Supported metrics for
Microsoft.MachineLearningServices/workspaces/onlineEndpoints", Azure Monitor reference. The call:
Microsoft.Insights/stable/2024-02-01/metrics_API.json, operation Metrics_List, of Azure/azure-rest-api-specs.

A reading rests on this: a minute's Average of `RequestsPerMinute` is that minute's count. Were it the mean over several
front ends, the counts would all be too low by one factor: shares would stay, and weigh less. Should it be no whole
number, failed ones are rounded down, and good ones up.

Whether Azure counts mirrored requests at the deployment that they are mirrored to, its documentation does not say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from ctrain.backends.azureml.bodies import Json, items, number, text
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.ports import Clock
from ctrain.telemetry import GOOD, Measured, Span

METRICS: Final = "2024-02-01"
NAMESPACE: Final = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
READ: Final = "Microsoft.Insights/metrics/read"
"""The action that reading takes; the roles Reader and Monitoring Reader have it."""

BEHIND: Final = timedelta(minutes=4)
"""The newest minutes come as zeros that change later (Azure/azure-libraries-for-net#499); exporters leave out three
(RobustPerception/azure_metrics_exporter#75), and Azure's own autoscale looks three or four back
(MicrosoftDocs/azure-docs#40998)."""

MINUTE: Final = timedelta(minutes=1)
REQUESTS: Final = "RequestsPerMinute"
LATENCIES: Final = {
    50: "RequestLatency_P50",
    90: "RequestLatency_P90",
    95: "RequestLatency_P95",
    99: "RequestLatency_P99",
}

Counts = dict[datetime, dict[str, int]]
Percentiles = dict[datetime, dict[int, float]]


class AzureTelemetry:
    """Whole minutes, told once they are over for four. Reading needs an action of its own, see `READ`."""

    def __init__(self, workspace: AzureWorkspace, clock: Clock | None = None) -> None:
        self._workspace = workspace
        self._clock = clock or workspace.clock

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:
        """At most two requests, none where nothing can be final yet. Raises as all that asks ARM, and soon: whoever
        asks is watching a deployment, and has to go on with it."""
        first, last = _up(since), _down(self._clock.now() - BEHIND)
        if first >= last:
            return None
        ours = f"deployment eq '{deployment}'"
        by_class = self._metric(endpoint, [REQUESTS], f"{ours} and statusCodeClass eq '*'", first, last)
        counts = _counts(by_class)
        counts = {minute: told for minute, told in counts.items() if first <= minute < last and any(told.values())}
        if not counts:
            return None
        slow = _percentiles(self._metric(endpoint, list(LATENCIES.values()), ours, first, last))
        return Measured(tuple(Span(at, 60.0, told, slow.get(at, {})) for at, told in sorted(counts.items())))

    def _metric(self, endpoint: str, names: list[str], which: str, first: datetime, last: datetime) -> Json:
        found = self._workspace.arm_in_passing.get(
            f"onlineEndpoints/{endpoint}/providers/Microsoft.Insights/metrics",
            METRICS,
            timespan=f"{_stamp(first)}/{_stamp(last)}",
            interval="PT1M",
            metricnames=",".join(names),
            metricnamespace=NAMESPACE,
            aggregation="average",
            **{"$filter": which},
        )
        return found or {}


def _series(body: Json) -> Iterator[tuple[str, dict[str, str], datetime, float]]:
    """Each point: the metric's name, the dimensions' values by lower-case name, the minute, and the average."""
    for metric in items(body, "value"):
        for series in items(metric, "timeseries"):
            of = {
                (text(one, "name", "value") or "").lower(): text(one, "value") or ""
                for one in items(series, "metadatavalues")
            }
            for point in items(series, "data"):
                at, value = _moment(text(point, "timeStamp")), number(point, "average")
                if at is not None and value is not None and value >= 0:
                    yield text(metric, "name", "value") or "", of, at, value


def _counts(body: Json) -> Counts:
    counted: Counts = {}
    for name, of, at, value in _series(body):
        if name.lower() == REQUESTS.lower():
            kind = of.get("statuscodeclass", "").lower() or "unknown"
            whole = math.ceil(value) if kind == GOOD else math.floor(value)
            told = counted.setdefault(at, {})
            told[kind] = told.get(kind, 0) + whole
    return counted


def _percentiles(body: Json) -> Percentiles:
    by_name = {name.lower(): percent for percent, name in LATENCIES.items()}
    told: Percentiles = {}
    for name, _, at, value in _series(body):
        if (percent := by_name.get(name.lower())) is not None:
            told.setdefault(at, {})[percent] = value
    return told


def _moment(stamp: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else None


def _down(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _up(at: datetime) -> datetime:
    return at if _down(at) == at else _down(at) + MINUTE


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
