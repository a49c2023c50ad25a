"""From a deployment's JSON to a server: its model's files, its code, its settings.

What Azure does in a container is done in folders here. `AZUREML_MODEL_DIR` is the folder that holds the model: a
model that was registered as the folder `model` is in `$AZUREML_MODEL_DIR/model`, a file beside its name ("Deploy
and score a machine learning model by using an online endpoint" on Microsoft Learn). MLflow models without code
are given to ctrain's MLflow entry. Environments are checked to be there, and not built: servers run in the
interpreter of the loopback Azure.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from ctrain.backends.local.serving.wish import Placement
from ctrain.serving import DeploymentSpec, Probe, ScoringCode
from tests.azure.cloud import Cloud
from tests.azure.routing import Body
from tests.azure.serving.engine import GONE
from tests.azure.serving.failures import Failure
from tests.azure.serving.lookup import Files, NotThere, asset_of, environment_there
from tests.azure.serving.resources import PROBE, REQUESTS
from tests.azure.serving.rules import invalid
from tests.azure.serving.state import Endpoint

_DURATION: Final = re.compile(
    r"P(?:(?P<days>[\d.]+)D)?(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
)
_UNITS: Final = {"days": 86_400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def seconds(duration: object) -> float:
    """An ISO 8601 duration in seconds. Refuses what is none."""
    found = _DURATION.fullmatch(str(duration))
    if found is None or not any(found.groups()):
        raise invalid("Duration", f"{duration!r} is not an ISO 8601 duration such as PT5S.")
    return sum(float(found[unit]) * size for unit, size in _UNITS.items() if found[unit])


@dataclass(frozen=True)
class Plan:
    """A deployment as it was asked for, understood. `spec.model_uri` is the model's asset id."""

    endpoint: Endpoint
    spec: DeploymentSpec
    code: str | None
    environment: str | None
    mount_path: str | None

    @property
    def instance_type(self) -> str:
        return self.spec.instance_type

    @property
    def instances(self) -> int:
        return self.spec.instance_count

    @property
    def timeout_ms(self) -> float:
        return self.spec.request_timeout_ms

    @property
    def probe_seconds(self) -> Sequence[float]:
        probes = (self.spec.liveness, self.spec.readiness)
        return [one for probe in probes for one in (probe.initial_delay, probe.period, probe.timeout)]

    def same_server(self, running: Placement) -> bool:
        """Whether a running server would not notice the difference: tags and the like."""
        return replace(running.spec, tags={}) == replace(self.spec, tags={})

    async def placed(self, cloud: Cloud, folder: Path, log: list[str]) -> Placement | Failure:
        """Fetch model and code into the folder, telling so in `log`, as the storage initializer does."""
        workspace = self.endpoint.workspace
        if not environment_there(cloud, workspace, self.environment):
            return Failure("ResourceNotFound", f"The environment {self.environment} was not found.")
        files = Files(cloud, workspace)
        try:
            code = None
            if self.code is not None:
                code = folder / "code"
                uri = asset_of(cloud, workspace, "codes", self.code).uri
                await _told(log, "the code", files, uri, code)
            model = await self._model(cloud, files, folder, log)
        except NotThere as problem:
            log.append(f"Failed: {problem}")
            return Failure("BadArgument", f"Startup task failed: Unable to download user model or code: {problem}.")
        if code is not None and self.spec.scoring is not None and not (code / self.spec.scoring.script).is_file():
            return Failure("ResourceNotReady", f"The code has no file {self.spec.scoring.script}.")
        return Placement(self.spec, model, Path(sys.executable), code)

    async def _model(self, cloud: Cloud, files: Files, folder: Path, log: list[str]) -> Path:
        """What `AZUREML_MODEL_DIR` will be."""
        root = folder / "azureml-models"
        if not self.spec.model_uri:
            root.mkdir()
            return root
        found = asset_of(cloud, self.endpoint.workspace, "models", self.spec.model_uri)
        root = root / found.name / found.version
        inside = root / PurePosixPath(found.uri.rstrip("/")).name
        await _told(log, f"the model {found.name}:{found.version}", files, found.uri, inside)
        if self.code is not None:
            return root
        if not (inside / "MLmodel").is_file():
            raise NotThere(
                f"the model {found.name}:{found.version} has no MLmodel file, and there is no scoring script"
            )
        return inside


async def _told(log: list[str], what: str, files: Files, uri: str, target: Path) -> None:
    log.append(f"Downloading {what}.")
    await asyncio.to_thread(files.download, uri, target)
    log.append("Downloaded.")


def plan(endpoint: Endpoint, name: str, body: Body) -> Plan:
    """Understand a PUT's body. Refuses what the service refuses at once."""
    sent, sku = body["properties"], body.get("sku") or {}
    requests = {**REQUESTS, **_given(sent.get("requestSettings"))}
    code = sent.get("codeConfiguration") or {}
    model_id = str(sent.get("model") or "")
    capacity = sku.get("capacity")
    model, version = _named(model_id)
    spec = DeploymentSpec(
        name=name,
        model=model,
        model_version=version,
        model_digest=model_id,
        model_uri=model_id,
        scoring=ScoringCode(str(code.get("codeId") or ""), str(code["scoringScript"]))
        if code.get("scoringScript")
        else None,
        instance_type=str(sent.get("instanceType") or "Standard_F4s_v2"),
        instance_count=capacity if isinstance(capacity, int) else 1,
        request_timeout_ms=round(seconds(requests["requestTimeout"]) * 1000),
        max_concurrent_requests=int(requests["maxConcurrentRequestsPerInstance"] or 1),
        environment_variables={str(n): str(v) for n, v in (sent.get("environmentVariables") or {}).items()},
        liveness=_probe(sent.get("livenessProbe")),
        readiness=_probe(sent.get("readinessProbe")),
    )
    _check(endpoint, spec, sent)
    return Plan(endpoint, spec, code.get("codeId") or None, sent.get("environmentId"), sent.get("modelMountPath"))


def _check(endpoint: Endpoint, spec: DeploymentSpec, sent: Body) -> None:
    if not re.fullmatch(r"standard_\w+", spec.instance_type, re.IGNORECASE):
        raise invalid("VmSize", f"The instance type {spec.instance_type} is not supported for online deployments.")
    if spec.scoring is not None and not sent.get("environmentId"):
        raise _no_image()
    if spec.scoring is None and spec.model_uri:
        cloud = endpoint.workspace.cloud
        try:
            found = asset_of(cloud, endpoint.workspace, "models", spec.model_uri)
        except NotThere:
            return  # told by the operation: "Unable to download user model"
        if found.kind != "mlflow_model" and not sent.get("environmentId"):
            raise _no_image()


def _no_image() -> Exception:
    """What comes of a deployment that has nothing to run in: Azure/azure-sdk-for-python#33598."""
    field = "InferenceContainerConfiguration.ServingContainer.Image"
    return invalid(field, "'Image' must not be empty.", "InferencingClientCreateDeploymentFailed")


def _probe(sent: Body | None) -> Probe:
    told = {**PROBE, **_given(sent)}
    return Probe(
        seconds(told["initialDelay"]),
        seconds(told["period"]),
        seconds(told["timeout"]),
        int(told["failureThreshold"]),
        int(told["successThreshold"]),
    )


def _given(settings: Body | None) -> Body:
    return {name: value for name, value in (settings or {}).items() if value is not None}


def _named(model_id: str) -> tuple[str, int]:
    found = re.search(r"/models/([^/]+)/versions/([^/]+)/?\Z", model_id)
    name, version = (found[1], found[2]) if found else ("model", "1")
    return name, int(version) if version.isdecimal() else 1


def cause(problem: str) -> Failure:
    """Why a server that was really started did not come up, as the service tells it."""
    if problem == GONE:
        return Failure("OperationCanceled", f"Operation was canceled: {GONE}.")
    return Failure("ResourceNotReady", f"User container has crashed or terminated: {problem.splitlines()[0]}.")
