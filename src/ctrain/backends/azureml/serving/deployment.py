"""A deployment's JSON, and the digest of what its name stands for. Pure but for reading the scoring code's content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.bodies import Json, JsonValue, number, section, text, texts
from ctrain.backends.azureml.serving.endpoint import OWNER
from ctrain.digest import tree_digest
from ctrain.serving import DeploymentSpec, Probe

PREFIX: Final = f"{OWNER}."
"""What ctrain's tags begin with, on deployments as on models."""

SPEC: Final = f"{PREFIX}spec"
MODEL: Final = f"{PREFIX}model"
VERSION: Final = f"{PREFIX}version"
DIGEST: Final = f"{PREFIX}digest"
ATTEMPT: Final = f"{PREFIX}attempt"

_KEPT: Final = ("scaleSettings", "appInsightsEnabled", "dataCollector", "egressPublicNetworkAccess")
"""What others may have set on a deployment that is there, and ctrain has no say in."""


def spec_digest(spec: DeploymentSpec) -> str:
    """64 hex digits for what the name stands for: the model, the settings, the content of the scoring code.

    Where the model is and who asked for it (tags) do not count.
    """
    scoring = spec.scoring
    told = asdict(spec) | {"model_uri": "", "tags": {}, "scoring": None}
    if scoring is not None:
        environment = scoring.environment or ""
        if environment and not environment.startswith("azureml:"):
            environment = tree_digest(Path(environment))
        told["scoring"] = [tree_digest(Path(scoring.code)), scoring.script, environment]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def deployment_body(
    spec: DeploymentSpec,
    digest: str,
    *,
    location: str,
    model: str,
    code: str | None = None,
    environment: str | None = None,
    existing: Json | None = None,
) -> Json:
    """The body of a PUT. `model`, `code` and `environment` are asset ids.

    Where one of that name exists (it failed), what others may have set on it stays: instances, scaling, insights.
    """
    properties: dict[str, JsonValue] = {
        "endpointComputeType": "Managed",
        "model": model,
        "environmentVariables": dict(spec.environment_variables),
        "instanceType": spec.instance_type,
        "scaleSettings": {"scaleType": "Default"},
        "appInsightsEnabled": False,
        "requestSettings": {
            "requestTimeout": duration(spec.request_timeout_ms / 1000),
            "maxConcurrentRequestsPerInstance": spec.max_concurrent_requests,
        },
        "livenessProbe": _probe(spec.liveness),
        "readinessProbe": _probe(spec.readiness),
        "properties": {},
    }
    if spec.scoring is not None and code is not None:
        properties["codeConfiguration"] = {"codeId": code, "scoringScript": spec.scoring.script}
    if environment is not None:
        properties["environmentId"] = environment
    before = section(existing, "properties")
    properties |= {key: before[key] for key in _KEPT if before.get(key) is not None}
    capacity = number(existing, "sku", "capacity")
    return {
        "location": location,
        "tags": _tags(spec, digest, attempt_of(existing) + 1 if existing else 1),
        "sku": {"name": "Default", "capacity": int(capacity) if capacity else spec.instance_count},
        "properties": properties,
    }


def _tags(spec: DeploymentSpec, digest: str, attempt: int) -> dict[str, str]:
    own = {OWNER: "1", SPEC: digest, MODEL: spec.model, VERSION: str(spec.model_version), DIGEST: spec.model_digest}
    return {**_short({f"{PREFIX}{key}": value for key, value in spec.tags.items()}), **own, ATTEMPT: str(attempt)}


def _short(tags: Mapping[str, str]) -> dict[str, str]:
    """Within ARM's limit of 256 characters a value. Source: "Use tags to organize your Azure resources"."""
    return {key: value[:256] for key, value in tags.items() if value}


def attempt_of(body: Json | None) -> int:
    """How often it was placed so far, by its tag."""
    said = texts(body, "tags").get(ATTEMPT, "1")
    return int(said) if said.isdecimal() else 1


def stands_for(body: Json) -> str | None:
    """The digest of the spec that a deployment was placed for, or None where ctrain did not place it."""
    return texts(body, "tags").get(SPEC)


def request_timeout(body: Json) -> float:
    """Seconds after which the platform gives a request up, as far as its usual form (PT5S) tells; else 0."""
    said = (text(body, "properties", "requestSettings", "requestTimeout") or "").removeprefix("PT")
    minutes, found, rest = said.partition("M")
    seconds = (rest if found else said).removesuffix("S")
    try:
        return (float(minutes) * 60 if found else 0.0) + (float(seconds) if seconds else 0.0)
    except ValueError:
        return 0.0


def duration(seconds: float) -> str:
    """ISO 8601: PT90S, PT0.5S."""
    return f"PT{seconds:.3f}".rstrip("0").rstrip(".") + "S"


def _probe(probe: Probe) -> Json:
    return {
        "initialDelay": duration(probe.initial_delay),
        "period": duration(probe.period),
        "timeout": duration(probe.timeout),
        "failureThreshold": probe.failure_threshold,
        "successThreshold": probe.success_threshold,
    }
