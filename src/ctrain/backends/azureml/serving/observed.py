"""What Azure tells of endpoints and deployments, as ctrain's nouns. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ctrain.backends.azureml.bodies import Json, needed, text, texts
from ctrain.backends.azureml.cloud import Cloud
from ctrain.backends.azureml.serving.deployment import DIGEST, MODEL, PREFIX, VERSION
from ctrain.backends.azureml.serving.endpoint import AUTH_MODES, shares, state_of
from ctrain.serving import AuthMode, Deployment, DeploymentState, Endpoint, WorkspaceAddress

_MODEL_ID: Final = re.compile(
    r"/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)/?$|^azureml:(?P<n>[^:/]+):(?P<v>.+)$"
)

STATES: Final = {
    "Creating": DeploymentState.CREATING,
    "Updating": DeploymentState.UPDATING,
    "Scaling": DeploymentState.SUCCEEDED,  # the instances that are there go on serving while their number changes
    "Succeeded": DeploymentState.SUCCEEDED,
    "Failed": DeploymentState.FAILED,
    "Canceled": DeploymentState.FAILED,
    "Deleting": DeploymentState.DELETING,
}
"""Azure's provisioning states. One that is not among them is under way."""


@dataclass(frozen=True)
class Trouble:
    """Why a deployment failed, with the end of its log below; `again` says that placing it again may help."""

    error: str
    again: bool = False


def name_of(body: Json) -> str:
    """In lower case: Azure compares names without case. A nested resource's name may come as endpoint/name."""
    return needed(body, "name").rpartition("/")[2].lower()


def auth_mode_of(body: Json) -> AuthMode:
    """How the endpoint knows who asks; a key where Azure does not say."""
    said = (text(body, "properties", "authMode") or "Key").lower()
    return next((mode for mode, spelled in AUTH_MODES.items() if spelled.lower() == said), "key")


def deployment_of(body: Json, trouble: Trouble | None = None, log: str | None = None) -> Deployment:
    """The model is told by the tags of `place`; for somebody else's deployment, by the model's id."""
    state = STATES.get(state_of(body), DeploymentState.UPDATING)
    if trouble is not None and trouble.again:
        state = DeploymentState.CANCELED
    tags = texts(body, "tags")
    model, version = _model_of(text(body, "properties", "model") or "")
    said = tags.get(VERSION, "")
    return Deployment(
        name=name_of(body),
        state=state,
        ready=state is DeploymentState.SUCCEEDED,
        model=tags.get(MODEL) or model,
        model_version=int(said) if said.isdecimal() else version,
        model_digest=tags.get(DIGEST, ""),
        error=trouble.error if trouble is not None else None,
        log=log,
        tags={key.removeprefix(PREFIX): value for key, value in tags.items()},
    )


def _model_of(model_id: str) -> tuple[str, int]:
    """Name and version in a model's id; 0 for a version that is no number."""
    found = _MODEL_ID.search(model_id)
    if found is None:
        return model_id, 0
    name, version = found["name"] or found["n"], found["version"] or found["v"]
    return name, int(version) if version.isdecimal() else 0


def endpoint_of(body: Json, deployments: Iterable[Deployment], workspace: WorkspaceAddress, cloud: Cloud) -> Endpoint:
    """It runs once it has been provisioned, and goes on serving while it is changed."""
    name = name_of(body)
    return Endpoint(
        name=name,
        scoring_url=text(body, "properties", "scoringUri") or "",
        running=state_of(body) in {"Succeeded", "Updating"},
        traffic=shares(body),
        mirror=shares(body, "mirrorTraffic"),
        deployments={one.name: one for one in deployments},
        key_command=key_command(name, auth_mode_of(body), workspace, cloud),
        route_command=route_command(name, workspace),
    )


def key_command(endpoint: str, mode: AuthMode, workspace: WorkspaceAddress, cloud: Cloud) -> str:
    """A shell command that prints what an endpoint takes as `Authorization: Bearer`."""
    if mode == "aad_token":
        resource = cloud.ml_scope.removesuffix("/.default")
        return f"az account get-access-token --resource {resource} --query accessToken --output tsv"
    query = "primaryKey" if mode == "key" else "accessToken"
    return f"az ml online-endpoint get-credentials {_at(endpoint, workspace)} --query {query} --output tsv"


def route_command(endpoint: str, workspace: WorkspaceAddress) -> str:
    """A shell command that takes `name=percent` words; az itself wants them as one."""
    update = f'az ml online-endpoint update {_at(endpoint, workspace)} --traffic "$*"'
    return f"sh -c {shlex.quote(update)} traffic"


def _at(endpoint: str, workspace: WorkspaceAddress) -> str:
    named = {
        "name": endpoint,
        "workspace-name": workspace.workspace,
        "resource-group": workspace.resource_group,
        "subscription": workspace.subscription_id,
    }
    return " ".join(f"--{option} {shlex.quote(value)}" for option, value in named.items())


def studio_link(endpoint: str, arm_id: str, cloud: Cloud) -> str:
    """The endpoint's page in the Studio, which has its deployments and their logs."""
    studio = cloud.ml_scope.removeprefix("https://").removesuffix("/.default")
    return f"https://{studio}/endpoints/realtime/{endpoint}/detail?wsid={arm_id}"
