"""A stage as it is configured: its endpoint, its deployments, and how traffic moves to a new one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from ctrain.bake import BakeSettings
from ctrain.serving import AuthMode, DeploymentSpec, Probe, ScoringCode, WorkspaceAddress
from ctrain.smoke import SmokeSettings
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


Strategy = Literal["direct", "blue_green", "canary"]


@dataclass(frozen=True)
class RolloutSettings:
    """How live traffic moves to a version whose smoke tests have passed.

    `direct` gives it all of it; `blue_green` as well, and watches it for `bake` before it is promoted; `canary` goes by
    `steps`, percentages that grow up to 100, and watches each of them for `bake`. `mirror` percent of the live requests
    are copied to it before that, for as long, and its answers are dropped. What is watched is judged by `judge`.
    """

    strategy: Strategy = "direct"
    steps: tuple[int, ...] = (10, 50, 100)
    bake: str = "0s"
    mirror: int = 0
    judge: BakeSettings = field(default_factory=BakeSettings)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose

    @property
    def shares(self) -> tuple[int, ...]:
        """The percentages that the new version gets, in order; the last one is 100."""
        return self.steps if self.strategy == "canary" else (100,)

    @property
    def bake_seconds(self) -> float:
        return 0.0 if self.strategy == "direct" else seconds_of(self.bake)

    @property
    def watches(self) -> int:
        """How often a version is watched on its way, mirrored traffic included."""
        return (len(self.shares) + bool(self.mirror)) if self.bake_seconds > 0 else 0

    @property
    def at_least(self) -> float:
        """Seconds that a promotion takes, whatever else it takes."""
        return self.watches * self.bake_seconds


_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh])", re.ASCII)


def seconds_of(duration: str) -> float:
    """Of `90s`, `5m`, `1.5h` or `5h30m`. Raises ValueError for anything else."""
    if not duration or _DURATION.sub("", duration):
        raise ValueError(f"{duration!r} is no duration: write a number and s, m or h, such as 5m")
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in _DURATION.findall(duration))


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
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    workspace: WorkspaceAddress | None = None
    auth_mode: AuthMode = "key"
    identity: tuple[str, ...] = ()

    @property
    def lock(self) -> str:
        """The lock that whoever changes the endpoint holds."""
        where = f"{self.workspace.workspace}/" if self.workspace else ""
        return f"endpoint/{where}{self.endpoint}"
