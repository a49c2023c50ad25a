"""How a version takes over one stage's endpoint: a pure decision over what is wanted and what is.

`next_step` looks at what is observed now and at what the ledger remembers, and names the one next action. The verb
does it and looks again, so that a run that was killed, run again or raced goes on from what is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from ctrain.serving import (
    AuthMode,
    Deployment,
    DeploymentSpec,
    DeploymentState,
    Endpoint,
    Probe,
    ScoringCode,
    Traffic,
    WorkspaceAddress,
)
from ctrain.smoke import SmokeSettings
from ctrain.verdict import Outcome
from ctrain.version import ModelVersion


@dataclass(frozen=True)
class DeploymentSettings:
    """How a stage runs its deployments; names, units and defaults as in Azure ML's deployment schema."""

    instance_type: str = "Standard_DS3_v2"
    instance_count: int = 1
    request_timeout_ms: int = 5000
    max_concurrent_requests: int = 1
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    scoring: ScoringCode | None = None
    liveness: Probe = field(default_factory=Probe)
    readiness: Probe = field(default_factory=Probe)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose


def deployment_of(version: ModelVersion, settings: DeploymentSettings, code: str = "") -> DeploymentSpec:
    """What a stage should run for this version. Its name says the version, and changes with settings and scoring code.

    `code` is the content digest of the scoring code, empty where there is none. Names keep to Azure ML's rule for
    deployments: at most 32 characters, lower-case letters, digits and dashes.
    """
    scoring = settings.scoring
    # Where the checkout is on this machine must not make it another deployment: only names and content count.
    plain = asdict(replace(settings, scoring=None)) | {"script": scoring.script if scoring else "", "code": code}
    told = json.dumps([version.name, version.digest, plain], sort_keys=True)
    mark = hashlib.sha256(told.encode()).hexdigest()[:8]
    return DeploymentSpec(
        name=f"v{version.version}-{mark}",
        model=version.name,
        model_version=version.version,
        model_digest=version.digest,
        model_uri=version.uri,
        scoring=settings.scoring,
        instance_type=settings.instance_type,
        instance_count=settings.instance_count,
        request_timeout_ms=settings.request_timeout_ms,
        max_concurrent_requests=settings.max_concurrent_requests,
        environment_variables=settings.environment_variables,
        liveness=settings.liveness,
        readiness=settings.readiness,
        tags={
            "commit": version.lineage.commit,
            "release": version.lineage.release,
            "job": version.lineage.job,
            "digest": version.digest,
        },
    )


@dataclass(frozen=True)
class Stage:
    """An endpoint in a workspace, in the order dev, test, prod.

    With `approval: required` only `ctrain deploy --to` goes there. `workspace` is where the endpoint is on Azure ML,
    None for the project's own; `auth_mode` and `identity` (resource ids of user-assigned identities; none: the system's
    own) are what a new endpoint there gets.
    """

    name: str
    endpoint: str
    approval: Literal["none", "required"] = "none"
    smoke: SmokeSettings = field(default_factory=SmokeSettings)
    deployment: DeploymentSettings = field(default_factory=DeploymentSettings)
    workspace: WorkspaceAddress | None = None
    auth_mode: AuthMode = "key"
    identity: tuple[str, ...] = ()

    @property
    def lock(self) -> str:
        """The lock that whoever changes the endpoint holds."""
        where = f"{self.workspace.workspace}/" if self.workspace else ""
        return f"endpoint/{where}{self.endpoint}"


@dataclass(frozen=True)
class Rollout:
    """What is wanted: this deployment at 100% of the endpoint's traffic."""

    endpoint: str
    target: DeploymentSpec


@dataclass(frozen=True)
class Seen:
    """What is: the endpoint as observed, and what the ledger remembers of this rollout.

    `before` is the split when the rollout began (None until that was recorded); `smoked` and `proven` are the
    outcomes of the smoke tests by name and through the endpoint; `rejected` says why the target was given up.
    """

    endpoint: Endpoint | None
    before: Traffic | None = None
    smoked: Outcome | None = None
    proven: Outcome | None = None
    rejected: str | None = None
    overdue: bool = False


@dataclass(frozen=True)
class Create:
    """Bring the endpoint into being, or back up."""


@dataclass(frozen=True)
class Begin:
    """Record what is to be placed, and the split that a failure must restore."""

    deployment: str
    before: Traffic


@dataclass(frozen=True)
class Place:
    """Put the target beside what serves, at 0%."""

    spec: DeploymentSpec


@dataclass(frozen=True)
class Wait:
    """The target is not ready yet."""

    deployment: str


@dataclass(frozen=True)
class Smoke:
    """Ask the target: by name, or (`live`) through the endpoint."""

    deployment: str
    live: bool


@dataclass(frozen=True)
class Shift:
    """Set the split of the live traffic."""

    traffic: Traffic


@dataclass(frozen=True)
class Reject:
    """Give the target up; what follows restores the stage."""

    deployment: str
    why: str


@dataclass(frozen=True)
class Remove:
    """Take a deployment away that carries no traffic."""

    deployment: str
    why: str


@dataclass(frozen=True)
class Done:
    """The target serves, proven; the one that served before is kept for a rollback."""


@dataclass(frozen=True)
class Restored:
    """The target was given up, and the stage serves what it served."""

    why: str


@dataclass(frozen=True)
class Stuck:
    """The target was given up, and what served before cannot take the traffic back. A person must act."""

    why: str


Action = Create | Begin | Place | Wait | Smoke | Shift | Reject | Remove | Done | Restored | Stuck


def next_step(rollout: Rollout, seen: Seen) -> Action:
    """The one next action. Only `Done`, `Restored` and `Stuck` are final."""
    if seen.endpoint is None or not seen.endpoint.running:
        return Create()
    endpoint, name = seen.endpoint, rollout.target.name
    if seen.before is None:
        return Begin(name, live(endpoint.traffic))
    if seen.rejected is not None:
        return _restore(endpoint, name, seen.before, seen.rejected)
    target = endpoint.deployments.get(name)
    if target is None or target.state is DeploymentState.CANCELED:
        return Place(rollout.target)
    if target.state is DeploymentState.FAILED:
        # In a line: what may follow is the end of the log, which is recorded with the rejection.
        return Reject(name, (target.error or "the platform says that the deployment failed").partition("\n")[0])
    if not target.healthy:
        return Reject(name, "it did not become ready in time") if seen.overdue else Wait(name)
    return _take_over(endpoint, name, seen)


def _take_over(endpoint: Endpoint, name: str, seen: Seen) -> Action:
    if live(endpoint.traffic) != {name: 100}:
        match seen.smoked:
            case None:
                return Smoke(name, live=False)
            case Outcome.PASS:
                return Shift({other: 0 for other in endpoint.traffic if other != name} | {name: 100})
            case outcome:
                return Reject(name, f"its smoke tests ended in {outcome}")
    match seen.proven:
        case None:
            return Smoke(name, live=True)
        case Outcome.PASS:
            return _tidy(endpoint, name, seen.before or {})
        case outcome:
            return Reject(name, f"the smoke tests through the endpoint ended in {outcome}")


def _tidy(endpoint: Endpoint, name: str, before: Traffic) -> Action:
    """Keep what served before this rollout. Where nothing new took over, nothing is in the way."""
    if name in before:
        return Done()
    for other in sorted(_to_stay(endpoint)):
        if other != name and other not in before:
            return Remove(other, "it is older than the one that is kept for a rollback")
    return Done()


def _restore(endpoint: Endpoint, name: str, before: Traffic, why: str) -> Action:
    if live(endpoint.traffic) != before:
        if all(_healthy(endpoint.deployments.get(other)) for other in before):
            return Shift(dict.fromkeys(endpoint.traffic, 0) | dict(before))
        return Stuck(why)
    if name in _to_stay(endpoint) and name not in before:
        return Remove(name, "it was given up")
    return Restored(why)


def _to_stay(endpoint: Endpoint) -> set[str]:
    """Those that are not on their way out already: nobody has to wait for the end of them."""
    return {name for name, one in endpoint.deployments.items() if one.state is not DeploymentState.DELETING}


def _healthy(deployment: Deployment | None) -> bool:
    return deployment is not None and deployment.healthy


def live(traffic: Traffic) -> dict[str, int]:
    """The split without those that carry nothing."""
    return {name: percent for name, percent in sorted(traffic.items()) if percent > 0}
