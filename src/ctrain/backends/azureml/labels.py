"""What a label of an asset stands for now."""

from __future__ import annotations

from typing import Final, Literal

from ctrain.backends.azureml.bodies import text
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import UsageError

Kind = Literal["environments", "data", "models"]

VERSIONS: Final[dict[Kind, str]] = {
    "environments": "2023-04-01-preview",
    "data": "2023-04-01-preview",
    "models": "2023-08-01-preview",
}
"""The api-versions at which azure-ai-ml 1.35 reads them."""


KINDS: Final[dict[Kind, str]] = {"environments": "environment", "data": "data", "models": "model"}


def latest(workspace: AzureWorkspace, reference: str, kind: Kind) -> str:
    """`azureml:name:version` for an `azureml:name@latest`: one request. What has no such label stays as it is.

    Raises UsageError where there is none of that name: the SDK finds it out only when the job is submitted.
    """
    name, _, label = reference.removeprefix("azureml:").partition("@")
    if label != "latest":
        return reference
    found = text(workspace.arm.get(f"{kind}/{name}", VERSIONS[kind]), "properties", "latestVersion")
    if found is None:
        raise UsageError(
            f"there is no {KINDS[kind]} {name} in {workspace.address}",
            why=f"{reference} is named, and Azure ML knows none of that name",
            hint=f"correct the name, or make it with `az ml {KINDS[kind]} create`",
        )
    return f"azureml:{name}:{found}"


def asset_type(workspace: AzureWorkspace, reference: str, kind: Kind) -> str | None:
    """The type of an `azureml:name:version`, such as `uri_file` or `mlflow_model`; None where it cannot be told."""
    name, _, version = reference.removeprefix("azureml:").partition(":")
    body = workspace.arm.get(f"{kind}/{name}/versions/{version}", VERSIONS[kind])
    return text(body, "properties", "dataType" if kind == "data" else "modelType")
