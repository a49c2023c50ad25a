"""What `ctrain.yaml` may say: these dataclasses are the file's shape, key by key.

Settings that belong to a noun (`gate`, `smoke`, `rollout`, `data`) are defined there and only nested here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ctrain.data import SampleSpec
from ctrain.gate import EvaluationSettings, GateSettings
from ctrain.rollout import DeploymentSettings, RolloutSettings
from ctrain.serving import AuthMode, WorkspaceAddress
from ctrain.smoke import SmokeSettings
from ctrain.training import Scalar

BackendName = Literal["local", "azureml"]


class Trigger(StrEnum):
    """Why we run."""

    PULL_REQUEST = "pull_request"
    MAIN = "main"
    SCHEDULE = "schedule"
    DRIFT = "drift"
    MANUAL = "manual"


OnCancel = Literal["detach", "cancel"]
"""What becomes of a training whose run is interrupted."""


class DataUse(StrEnum):
    """What a trigger trains on."""

    SAMPLE = "sample"
    FULL = "full"


@dataclass(frozen=True)
class DataSettings:
    """The data set, where it is on each backend, and what a sample of it is.

    `input` names the pipeline input that takes it. `local` is a path relative to `ctrain.yaml`.
    """

    input: str
    local: str
    azureml: str | None = None
    sample: SampleSpec | None = None


@dataclass(frozen=True)
class ModelSettings:
    """`output` names the pipeline's model output.

    `champion_input` names the pipeline input that takes the champion's model, where the pipeline has it.
    """

    name: str
    output: str
    champion_input: str = "champion"


@dataclass(frozen=True)
class TriggerSettings:
    """What a trigger does. See `ctrain.project.project` for what it means to leave a key out."""

    data: DataUse | None = None
    deploy: tuple[str, ...] | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    on_cancel: OnCancel | None = None


@dataclass(frozen=True)
class StageWorkspace:
    """The stage's workspace on Azure ML. What is left out comes from `backends.azureml`."""

    subscription_id: str | None = None
    resource_group: str | None = None
    workspace: str | None = None


@dataclass(frozen=True)
class StageSettings:
    """An endpoint, and what it takes to get there. What `deployment` leaves out comes from the top level's.

    `azureml` names another workspace than the project's; `auth_mode` and `identity` (resource ids of user-assigned
    identities) are what the endpoint gets there when ctrain creates it.
    """

    endpoint: str
    approval: Literal["none", "required"] = "none"
    smoke: SmokeSettings = field(default_factory=SmokeSettings)
    deployment: DeploymentSettings = field(default_factory=DeploymentSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    azureml: StageWorkspace | None = None
    auth_mode: AuthMode = "key"
    identity: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocalSettings:
    """The embedded platform: the environments its steps run in, the cores it uses (None: all), its folder."""

    environments: Literal["current", "build"] = "current"
    cores: int | None = None
    home: str | None = None


@dataclass(frozen=True)
class AzureMLSettings:
    """Which workspace.

    `registry` names the Azure ML registry through which models go to stages in other workspaces; without it they are
    copied. `compute` is where samples are made, by default where the pipeline runs.
    """

    subscription_id: str
    resource_group: str
    workspace: str
    registry: str | None = None
    compute: str | None = None

    @property
    def address(self) -> WorkspaceAddress:
        return WorkspaceAddress(self.subscription_id, self.resource_group, self.workspace)


@dataclass(frozen=True)
class BackendsSettings:
    """One section a backend, so that one file serves them all."""

    local: LocalSettings = field(default_factory=LocalSettings)
    azureml: AzureMLSettings | None = None


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """The whole file, as written. `branch` is the one whose pushes are the trigger `main`."""

    project: str
    pipeline: str
    branch: str = "main"
    data: DataSettings
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    model: ModelSettings
    evaluation: EvaluationSettings
    gate: GateSettings
    triggers: Mapping[Trigger, TriggerSettings] = field(default_factory=dict)
    stages: Mapping[str, StageSettings] = field(default_factory=dict)
    deployment: DeploymentSettings = field(default_factory=DeploymentSettings)
    backend: BackendName = "local"
    backends: BackendsSettings = field(default_factory=BackendsSettings)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, and taken on by what is nested here
