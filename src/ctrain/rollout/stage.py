"""A stage as it is configured: its endpoint, its deployments, and how traffic moves to a new one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from ctrain.rollout.strategy import RolloutSettings
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
