"""Endpoints and deployments as they are kept, and how their traffic becomes visible late."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.azure.cloud import Cloud, Workspace
from tests.azure.routing import Body, Call
from tests.azure.serving.engine import ServedEndpoint
from tests.azure.serving.failures import Fate
from tests.azure.serving.operations import Operation
from tests.azure.serving.rules import BUSY, busy, missing

Shares = dict[str, int]

OWN: Final = ("azureml.onlineendpointid", "AzureAsyncOperationUri")
"""Entries of `properties.properties` that are the service's; clients send them back as they read them."""


@dataclass(eq=False)
class Deployment:
    """One deployment. `body` is the last accepted PUT; `came_up` says that it has been ready once."""

    name: str
    body: Body
    created: str
    modified: str
    state: str = "Creating"
    operation: Operation | None = None
    came_up: bool = False
    storage_log: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Body:
        settings: Body = self.body["properties"]
        return settings

    @property
    def instances(self) -> int:
        return int((self.body.get("sku") or {}).get("capacity") or 1)


@dataclass
class Lag:
    """The split before the last change: shown by `reads` GETs more, routed until `until`."""

    traffic: Shares
    mirror: Shares
    reads: int
    until: float | None = None


@dataclass(eq=False)
class Endpoint:
    """One endpoint. `body` is the last accepted PUT, its names of traffic as they were sent.

    `came_up` says that it has been there once: a change that fails leaves it serving.
    """

    workspace: Workspace
    name: str
    body: Body
    created: str
    modified: str
    served: ServedEndpoint
    primary_key: str
    secondary_key: str
    host: str
    state: str = "Creating"
    came_up: bool = False
    busy_until: float = 0.0
    operation: Operation | None = None
    lag: Lag | None = None
    deployments: dict[str, Deployment] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    principal_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def arm_id(self) -> str:
        return f"{self.workspace.arm_id}/onlineEndpoints/{self.name}"

    @property
    def auth_mode(self) -> str:
        return str(self.body["properties"].get("authMode", "Key"))

    @property
    def scoring_url(self) -> str:
        return f"https://{self.host}/score"

    @property
    def traffic(self) -> Shares:
        return dict(self.body["properties"].get("traffic") or {})

    @property
    def mirror(self) -> Shares:
        return dict(self.body["properties"].get("mirrorTraffic") or {})

    def deployment(self, name: str) -> Deployment:
        """Refuses a name that is not there."""
        found = self.deployments.get(name.lower())
        if found is None:
            raise missing()
        return found

    def ready(self) -> set[str]:
        """Names, in lower case, of deployments that can take traffic."""
        return {name for name, one in self.deployments.items() if one.came_up and one.state != "Deleting"}

    def check_idle(self, act: str) -> None:
        """Refuses with 409 while something is being done to it, or seems to be still."""
        if self.state in BUSY:
            raise busy(act, self.state)
        if self.workspace.cloud.clock.time() < self.busy_until:
            raise busy(act, "Updating")

    def shown(self) -> tuple[Shares, Shares]:
        """Traffic and mirror as a GET tells them; asking uses up the lag."""
        lag = self.lag
        if lag is not None:
            if self.state in BUSY:
                return lag.traffic, lag.mirror
            if lag.reads > 0:
                lag.reads -= 1
                return lag.traffic, lag.mirror
        return self.traffic, self.mirror

    def routed(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Traffic and mirror as the front door applies them, by the deployments' own names."""
        lag = self.lag
        late = lag is not None and (lag.until is None or self.workspace.cloud.clock.time() < lag.until)
        traffic, mirror = (lag.traffic, lag.mirror) if lag is not None and late else (self.traffic, self.mirror)
        return self._named(traffic), self._named(mirror)

    def share(self, deployment: str) -> tuple[int, int]:
        """Live and mirrored percentage of a deployment, as configured."""
        traffic, mirror = ({name.lower(): share for name, share in s.items()} for s in (self.traffic, self.mirror))
        return traffic.get(deployment.lower(), 0), mirror.get(deployment.lower(), 0)

    def _named(self, shares: Shares) -> Shares:
        return {
            self.deployments[name.lower()].name if name.lower() in self.deployments else name: share
            for name, share in shares.items()
        }


class Region:
    """Names of endpoints are taken for a whole region, whatever the workspace."""

    def __init__(self, cloud: Cloud) -> None:
        self.endpoints: dict[tuple[str, str], Endpoint] = {}

    def find(self, region: str, name: str) -> Endpoint | None:
        return self.endpoints.get((region.lower(), name.lower()))


class Endpoints:
    """The endpoints of one workspace, by name in lower case."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self._region = cloud.part(Region)
        self.workspace = workspace
        self.endpoints: dict[str, Endpoint] = {}

    def find(self, name: str) -> Endpoint | None:
        return self.endpoints.get(name.lower())

    def add(self, endpoint: Endpoint) -> None:
        self.endpoints[endpoint.name.lower()] = endpoint
        self._region.endpoints[self.workspace.location.lower(), endpoint.name.lower()] = endpoint

    def forget(self, endpoint: Endpoint) -> None:
        self.endpoints.pop(endpoint.name.lower(), None)
        self._region.endpoints.pop((self.workspace.location.lower(), endpoint.name.lower()), None)


def endpoint_of(cloud: Cloud, call: Call) -> Endpoint:
    """The endpoint that the path names. Refuses as the service does."""
    found = cloud.workspace(call).part(Endpoints).find(call.params["endpoint"])
    if found is None:
        raise missing()
    return found


@dataclass
class Planned:
    """A fate that waits for `times` operations of its kind; `endpoint` and `deployment` narrow which (lower case)."""

    kind: str
    fate: Fate
    times: int = 1
    endpoint: str = ""
    deployment: str = ""


class Settings:
    """What tests set for the whole cloud. Durations are the cloud's own (`endpoint.create` ...)."""

    def __init__(self, cloud: Cloud) -> None:
        self.reset()
        cloud.on_reset(self.reset)

    def reset(self) -> None:
        """As it is when nobody has set anything."""
        self.stale_reads = 1
        self.routing_lag = 0.2
        """Virtual seconds for which the front door keeps to the old split after a change has succeeded."""
        self.busy_after = 0.0
        """Virtual seconds for which an endpoint's changes are refused as Updating, after GET says Succeeded: seen in
        Azure/azure-sdk-for-net#36961."""
        self.token_lifetime = 86_400.0
        """Seconds, half of them until it should be refreshed: as recorded."""
        self.endpoints_limit = 100
        """Endpoints a subscription may have in a region. Source: "Manage and increase quotas for resources"."""
        self.metrics_lag = 120.0
        """Virtual seconds after its end until Azure Monitor tells of a minute."""
        self.planned: list[Planned] = []

    def fate(self, kind: str, endpoint: str, deployment: str = "") -> Fate:
        """What is planned for this operation, used up by asking; nothing out of the ordinary otherwise."""
        for plan in self.planned:
            narrowed = (plan.endpoint in ("", endpoint.lower())) and (plan.deployment in ("", deployment.lower()))
            if plan.kind == kind and narrowed:
                plan.times -= 1
                if plan.times <= 0:
                    self.planned.remove(plan)
                return plan.fate
        return Fate()
