"""What Azure Monitor tells of a deployment, over the loopback Azure; what it says late, wrongly, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctrain.backends.azureml.connect import connect_azureml
from ctrain.backends.azureml.serving.telemetry import BEHIND, AzureTelemetry
from ctrain.errors import NotAllowed, PlatformUnavailable
from tests.azure.loopback import Loopback
from tests.backends.azureml.conftest import environment
from tests.backends.azureml.serving.conftest import ENDPOINT, Stood
from tests.contract.serving import a_request
from tests.project.builders import a_loaded_project

METRICS = {"method": "GET", "path": r".*/providers/Microsoft\.Insights/metrics\?.*"}
ASKED = {"method": "GET", "path": r".*/Microsoft\.Insights/metrics.*"}
MINUTE = timedelta(minutes=1)


def at_a_minute(stood: Stood) -> datetime:
    """The next whole minute but one; what was asked before is in none that begins then."""
    stood.clock.sleep(60)
    stood.clock.sleep(60 - stood.clock.now().timestamp() % 60)
    return stood.clock.now().replace(second=0, microsecond=0)


def telemetry(stood: Stood) -> AzureTelemetry:
    return AzureTelemetry(stood.workspace, stood.clock)


def test_a_minute_is_told_once_it_is_over_for_four(both: Stood) -> None:
    """Newer ones come as zeros that change: they are not even asked for."""
    since = at_a_minute(both)
    both.serving.score(ENDPOINT, a_request(0.5))
    both.serving.score(ENDPOINT, a_request(0.5))
    before = both.azure.mark()

    assert telemetry(both).measured(ENDPOINT, "blue", since) is None
    both.clock.sleep(BEHIND.total_seconds())
    assert telemetry(both).measured(ENDPOINT, "blue", since) is None
    assert both.azure.calls(since=before, **ASKED) == []

    both.clock.sleep(60)
    measured = telemetry(both).measured(ENDPOINT, "blue", since)
    assert measured is not None
    assert [(span.began, span.seconds, dict(span.answers)) for span in measured.spans] == [(since, 60.0, {"2xx": 2})]
    assert set(measured.spans[0].percentiles) == {50, 90, 95, 99}
    assert 0 < measured.spans[0].percentiles[50] <= measured.spans[0].percentiles[99] < 60_000
    assert len(both.azure.calls(since=before, **ASKED)) == 2


def test_a_watch_that_begins_within_a_minute_leaves_that_minute_out(both: Stood) -> None:
    """Nobody can tell which of its requests came before."""
    since = at_a_minute(both)
    both.serving.score(ENDPOINT, a_request(0.5))
    both.clock.sleep(360)

    assert telemetry(both).measured(ENDPOINT, "blue", since + timedelta(seconds=1)) is None
    assert telemetry(both).measured(ENDPOINT, "blue", since) is not None


def test_a_platform_that_is_further_behind_tells_nothing(both: Stood) -> None:
    """Zeros are no counts: where a minute has none at all, it is not told."""
    both.set(metrics_lag=3600)
    try:
        since = at_a_minute(both)
        both.serving.score(ENDPOINT, a_request(0.5))
        both.clock.sleep(600)
        assert telemetry(both).measured(ENDPOINT, "blue", since) is None
        both.clock.sleep(3600)
        assert telemetry(both).measured(ENDPOINT, "blue", since) is not None
    finally:
        both.set(metrics_lag=120)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_trouble_that_stays_is_told_soon(both: Stood, status: int) -> None:
    """Whoever asks is watching a deployment: seconds, not the quarter of an hour that other calls have."""
    since = at_a_minute(both)
    both.clock.sleep(600)
    both.azure.fault("answer", status=status, times=100, **METRICS)
    began = both.clock.monotonic()

    with pytest.raises(PlatformUnavailable):
        telemetry(both).measured(ENDPOINT, "blue", since)

    assert both.clock.monotonic() - began <= 10


def test_a_trouble_that_passes_is_waited_out(both: Stood) -> None:
    """Asked again, as elsewhere."""
    since = at_a_minute(both)
    both.serving.score(ENDPOINT, a_request(0.5))
    both.clock.sleep(600)
    both.azure.fault("answer", status=503, times=1, **METRICS)

    assert telemetry(both).measured(ENDPOINT, "blue", since) is not None


def test_who_may_not_read_metrics_is_told_which_action_is_missing(both: Stood, azure: Loopback) -> None:
    """The roles Reader and Monitoring Reader have it."""
    since = at_a_minute(both)
    both.clock.sleep(600)
    azure.grant(both.environ["AZURE_CLIENT_ID"], "*", denied=["Microsoft.Insights/*"])
    try:
        with pytest.raises(NotAllowed) as refused:
            telemetry(both).measured(ENDPOINT, "blue", since)
    finally:
        azure.grant(both.environ["AZURE_CLIENT_ID"], "*")
    assert "Microsoft.Insights/metrics/read" in f"{refused.value.what} {refused.value.why} {refused.value.hint}"


def a_page(*series: dict[str, Any], name: str = "RequestsPerMinute") -> dict[str, Any]:
    return {"timespan": "", "value": [{"name": {"value": name}, "timeseries": list(series)}]}


def a_series(kind: str | None, *points: tuple[datetime, object], key: str = "statuscodeclass") -> dict[str, Any]:
    named = [{"name": {"value": key, "localizedValue": key}, "value": kind}] if kind else []
    data = [{"timeStamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "average": value} for at, value in points]
    return {"metadatavalues": named, "data": data}


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ({}, None),
        ({"value": "none"}, None),
        ({"value": [None, 3, {"timeseries": {}}]}, None),
        (a_page(), None),
        (a_page(a_series("2xx")), None),
        (a_page(a_series("2xx", (datetime(2000, 1, 1, tzinfo=UTC), 7.0))), None),
        (a_page({"data": [{"timeStamp": "yesterday", "average": 3}, {"average": 3}, {"timeStamp": None}]}), None),
    ],
)
def test_an_answer_of_another_shape_is_nothing_told(both: Stood, body: object, answers: None) -> None:
    """Never a count that was not there, and never a bug's traceback."""
    since = at_a_minute(both)
    both.clock.sleep(600)
    both.azure.fault("answer", status=200, times=1, body=body, **METRICS)

    assert telemetry(both).measured(ENDPOINT, "blue", since) is answers


def test_counts_are_read_on_the_safe_side(both: Stood) -> None:
    """Halves, classes in capitals, a class that is not named, null, negative and NaN: failed ones never too many."""
    since = at_a_minute(both)
    both.clock.sleep(900)
    page = a_page(
        a_series("2XX", (since, 10.5), (since + MINUTE, None), (since + 2 * MINUTE, 5)),
        a_series("5xx", (since, 1.9), (since + MINUTE, 3), (since + 2 * MINUTE, -4)),
        a_series(None, (since, 2.0)),
        a_series("4xx", (since, 1.0), key="StatusCodeClass"),
        a_series("5xx", (since, 4.0), (since + 3 * MINUTE, "many")),
    )
    both.azure.fault("answer", status=200, times=1, body=page, **METRICS)

    measured = telemetry(both).measured(ENDPOINT, "blue", since)

    assert measured is not None
    assert [dict(span.answers) for span in measured.spans] == [
        {"2xx": 11, "5xx": 5, "unknown": 2, "4xx": 1},
        {"5xx": 3},
        {"2xx": 5},
    ]


def test_the_loopback_refuses_what_the_service_has_not(both: Stood) -> None:
    """No such metric, dimension, grain, aggregation or namespace: 400, so that a misspelt query is no silence."""
    path = f"onlineEndpoints/{ENDPOINT}/providers/Microsoft.Insights/metrics"
    good = {
        "timespan": "2026-01-01T00:00:00Z/2026-01-01T00:10:00Z",
        "interval": "PT1M",
        "metricnames": "RequestsPerMinute",
        "aggregation": "average",
    }
    assert both.workspace.arm.get(path, "2024-02-01", **good) is not None
    for name, wrong in (
        ("metricnames", "RequestsPerSecond"),
        ("interval", "PT1S"),
        ("aggregation", "total"),
        ("metricnamespace", "Microsoft.Web/sites"),
        ("$filter", "colour eq 'blue'"),
        ("timespan", "today/tomorrow"),
    ):
        with pytest.raises(Exception, match=r"."):
            both.workspace.arm.get(path, "2024-02-01", **{**good, name: wrong})


def test_each_stage_is_measured_in_its_own_workspace(
    both: Stood, azure: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend's telemetry asks where the stage's endpoint is, and not in the project's workspace."""
    environment(monkeypatch, both.environ)
    since = at_a_minute(both)
    both.serving.score(ENDPOINT, a_request(0.5))
    both.clock.sleep(600)
    address, elsewhere = vars(both.workspace.address), vars(azure.add_workspace().address)
    there = {"resource_group": address["resource_group"], "workspace": address["workspace"]}
    project = a_loaded_project(
        tmp_path,
        data={"input": "training_data", "local": "v.parquet", "azureml": "azureml:visits@latest",
              "sample": {"fraction": 0.05, "key": "row_id"}},
        stages={"dev": {"endpoint": ENDPOINT}, "prod": {"endpoint": ENDPOINT, "azureml": there}},
        backends={"azureml": dict(elsewhere)},
    )  # fmt: skip
    backend = connect_azureml(project, both.clock, lambda _: None)

    told = {stage.name: backend.telemetry(stage).measured(ENDPOINT, "blue", since) for stage in project.stages}

    assert told["dev"] is None
    assert told["prod"] is not None
    assert told["prod"].requests == 1
