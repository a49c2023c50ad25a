"""An endpoint and its deployments: what we want placed, what is observed, what was asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Traffic = Mapping[str, int]
"""Percent of live requests by deployment name. Sums to 100, or to 0 before a stage has served."""


AuthMode = Literal["key", "aml_token", "aad_token"]
"""How an endpoint knows who asks, as Azure ML spells it. The embedded platform has keys only."""


@dataclass(frozen=True)
class WorkspaceAddress:
    """Where an Azure ML workspace is."""

    subscription_id: str
    resource_group: str
    workspace: str

    def __str__(self) -> str:
        return f"{self.workspace} in {self.resource_group}"


class DeploymentState(StrEnum):
    """The provisioning states of Azure ML deployments that we act upon.

    `CANCELED` is for one that did not come up for no fault of its own: placing it again may help.
    """

    CREATING = "Creating"
    UPDATING = "Updating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    DELETING = "Deleting"


@dataclass(frozen=True)
class Probe:
    """When a deployment counts as alive or ready; seconds. Defaults are those of Azure ML's schema.

    Source: ProbeSettings in Microsoft's "managed online deployment YAML schema" page.
    """

    initial_delay: float = 10.0
    period: float = 10.0
    timeout: float = 2.0
    failure_threshold: int = 30
    success_threshold: int = 1


@dataclass(frozen=True)
class ScoringCode:
    """A user's own scoring script (`init()`/`run()`), for models that are not served as MLflow models."""

    code: str
    script: str
    environment: str | None = None


@dataclass(frozen=True)
class DeploymentSpec:
    """What a deployment should be. Its name is derived from all of this, so that placing twice is placing once."""

    name: str
    model: str
    model_version: int
    model_digest: str
    model_uri: str
    scoring: ScoringCode | None = None
    instance_type: str = "Standard_DS3_v2"
    instance_count: int = 1
    request_timeout_ms: int = 5000
    max_concurrent_requests: int = 1
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    liveness: Probe = field(default_factory=Probe)
    readiness: Probe = field(default_factory=Probe)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A deployment as observed. `ready` is what its readiness probe says now."""

    name: str
    state: DeploymentState
    ready: bool
    model: str
    model_version: int
    model_digest: str
    restarts: int = 0
    error: str | None = None
    log: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        return self.state is DeploymentState.SUCCEEDED and self.ready

    @property
    def leaving(self) -> bool:
        """Whether it is on its way out already."""
        return self.state is DeploymentState.DELETING

    @property
    def ours(self) -> bool:
        """Whether ctrain placed it: only then it says what its model's digest is."""
        return bool(self.model_digest)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as observed. `scoring_url` ends in `/score`. `running` is false when its process is down.

    The commands are shell commands for a person: `key_command` prints the key, which we never print; `start_command`
    brings it up where it is down; `route_command`, given `name=percent` words, sets its traffic without ctrain.
    """

    name: str
    scoring_url: str
    running: bool
    traffic: Traffic = field(default_factory=dict)
    mirror: Traffic = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    key_command: str = ""
    start_command: str = "ctrain run"
    route_command: str = ""


@dataclass(frozen=True)
class Request:
    """One scoring request. `deployment` addresses one by name, past the traffic split."""

    body: bytes
    deployment: str | None = None
    content_type: str = "application/json"
    timeout: float = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back. `deployment` is who answered, by the response header; `seconds` is the whole round trip.

    Azure answers 424 for whatever the model's server said but 200; `model_status` is what it said then.
    """

    status: int
    body: bytes
    seconds: float
    deployment: str | None = None
    model_status: int | None = None
