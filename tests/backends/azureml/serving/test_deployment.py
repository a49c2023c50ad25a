"""A deployment's JSON, and what its name stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctrain.backends.azureml.bodies import Json, find, texts
from ctrain.backends.azureml.serving.deployment import (
    attempt_of,
    deployment_body,
    duration,
    request_timeout,
    spec_digest,
    stands_for,
)
from ctrain.serving import DeploymentSpec, Probe, ScoringCode
from tests.backends.azureml.serving.held_to import violations
from tests.builders import a_deployment_spec

VERSION = "2023-04-01-preview"
KIND = "workspaces/onlineEndpoints/deployments"
PLAIN = a_deployment_spec("v1-abc")


def a_body(spec: DeploymentSpec = PLAIN, **more: Any) -> Json:
    return deployment_body(spec, spec_digest(spec), location="westeurope", model="/m/versions/1", **more)


@pytest.fixture
def scored(tmp_path: Path) -> DeploymentSpec:
    """A deployment with a scoring script of its own."""
    code = tmp_path / "scoring"
    code.mkdir()
    (code / "score.py").write_text("def init(): ...")
    (tmp_path / "conda.yml").write_text("dependencies: [python=3.11]")
    return replace(PLAIN, scoring=ScoringCode(str(code), "score.py", str(tmp_path / "conda.yml")))


def test_a_model_without_code_is_all_there_is_to_say() -> None:
    """MLflow models bring their own: no code, no environment."""
    body = a_body()

    assert violations(VERSION, KIND, body) == []
    assert (find(body, "properties", "codeConfiguration"), find(body, "properties", "environmentId")) == (None, None)
    assert find(body, "properties", "endpointComputeType") == "Managed"


def test_every_setting_is_in_the_body(scored: DeploymentSpec) -> None:
    """Durations as ISO 8601, instances as the sku's capacity."""
    spec = replace(
        scored, instance_type="Standard_F4s_v2", instance_count=3, request_timeout_ms=90_500,
        max_concurrent_requests=7, environment_variables={"A": "b"}, liveness=Probe(1, 2, 3, 4, 5),
        readiness=Probe(0.5), tags={"commit": "c"},
    )  # fmt: skip
    body = a_body(spec, code="/c", environment="/e")
    properties = find(body, "properties")

    assert violations(VERSION, KIND, body) == []
    assert find(body, "sku") == {"name": "Default", "capacity": 3}
    assert find(properties, "requestSettings") == {
        "requestTimeout": "PT90.5S",
        "maxConcurrentRequestsPerInstance": 7,
    }
    assert find(properties, "livenessProbe") == {
        "initialDelay": "PT1S", "period": "PT2S", "timeout": "PT3S", "failureThreshold": 4, "successThreshold": 5,
    }  # fmt: skip
    assert find(properties, "readinessProbe", "initialDelay") == "PT0.5S"
    assert find(properties, "codeConfiguration") == {"codeId": "/c", "scoringScript": "score.py"}
    assert find(properties, "environmentVariables") == {"A": "b"}
    assert texts(body, "tags").items() >= {("ctrain.commit", "c"), ("ctrain.model", "visits"), ("ctrain.version", "1")}


def test_what_others_set_on_a_deployment_stays() -> None:
    """An autoscaler's instances, insights and collected data are not ctrain's to change."""
    scale: Json = {"scaleType": "TargetUtilization", "minInstances": 2, "maxInstances": 9}
    existing: Json = {
        "tags": {"ctrain.attempt": "2"},
        "sku": {"name": "Default", "capacity": 6},
        "properties": {"scaleSettings": scale, "appInsightsEnabled": True, "dataCollector": {"collections": {}}},
    }
    body = a_body(existing=existing)

    assert find(body, "sku", "capacity") == 6
    assert find(body, "properties", "scaleSettings") == scale
    assert find(body, "properties", "appInsightsEnabled") is True
    assert attempt_of(body) == 3


def test_the_same_spec_has_the_same_digest_wherever_it_is_and_whoever_asks(scored: DeploymentSpec) -> None:
    """Another checkout, another release, another copy of the model: the same deployment."""
    assert scored.scoring is not None
    elsewhere = Path(scored.scoring.code).parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "score.py").write_text("def init(): ...")
    moved = replace(
        scored, model_uri="azureml:visits:1", tags={"release": "other"},
        scoring=replace(scored.scoring, code=str(elsewhere)),
    )  # fmt: skip

    assert spec_digest(moved) == spec_digest(scored)
    assert stands_for(a_body(scored, code="/c")) == spec_digest(scored)


def test_another_setting_or_another_script_is_another_digest(scored: DeploymentSpec) -> None:
    """What a name stands for never changes."""
    assert scored.scoring is not None
    first = spec_digest(scored)
    (Path(scored.scoring.code) / "score.py").write_text("def init(): pass")
    others = {
        spec_digest(scored),
        spec_digest(replace(scored, max_concurrent_requests=7)),
        spec_digest(replace(scored, model_digest="other")),
        spec_digest(replace(scored, readiness=Probe(period=1))),
        spec_digest(replace(scored, scoring=replace(scored.scoring, environment="azureml:env:1"))),
    }

    assert len(others) == 5
    assert first not in others


@pytest.mark.parametrize(("seconds", "written"), [(5, "PT5S"), (0.5, "PT0.5S"), (180, "PT180S"), (1.2345, "PT1.234S")])
def test_durations_are_iso_8601(seconds: float, written: str) -> None:
    """In seconds, to the millisecond."""
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("written", "seconds"), [("PT5S", 5), ("PT1M30S", 90), ("PT3M", 180), ("PT0.5S", 0.5), ("P1D", 0), ("", 0)]
)
def test_a_request_timeout_is_read_as_azure_writes_it(written: str, seconds: float) -> None:
    """Minutes and seconds; 0 for what it is not known to write."""
    assert request_timeout({"properties": {"requestSettings": {"requestTimeout": written}}}) == seconds


def test_what_somebody_else_placed_stands_for_nothing() -> None:
    """Without our tag it is not ours, and has been placed once."""
    assert (stands_for({"tags": {"ctrain": "1"}}), attempt_of({}), attempt_of({"tags": {"ctrain.attempt": "x"}})) == (
        None, 1, 1,
    )  # fmt: skip
