"""What a training names: computes, environments, data, the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.addresses import DataAsset, RegistryData, StorePath, data_address
from ctrain.backends.azureml.bodies import number, text
from ctrain.backends.azureml.examination.checks import checked, unchecked
from ctrain.backends.azureml.workspace import WORKSPACES, AzureWorkspace
from ctrain.errors import DataError, PipelineError, PlatformUnavailable, UsageError
from ctrain.pipeline import read_pipeline
from ctrain.pipeline.graph import CommandStep, Pipeline, PipelineStep
from ctrain.project import Project
from ctrain.verdict import Finding

COMPUTES: Final = "2023-08-01-preview"
ASSETS: Final = "2023-04-01-preview"
"""The api-versions at which azure-ai-ml 1.35 reads computes, and data and environments."""

_MANAGED: Final = {"serverless", "local"}
_REFERENCE: Final = re.compile(r"azureml:(?P<name>[\w.-]+)(?::(?P<version>[\w.-]+)|@(?P<label>[\w.-]+))?")


def training(project: Project, workspace: AzureWorkspace) -> Iterator[Finding]:
    """All that the pipeline and the file name in the project's workspace."""
    try:
        pipeline = read_pipeline(project.pipeline, local=False)
    except PipelineError:
        yield unchecked("computes", "the pipeline cannot be read")
    else:
        for name in compute_names(project):
            yield checked(f"compute {name}", partial(_compute, workspace, name))
        for reference in environment_names(pipeline):
            yield _environment(workspace, reference)
    yield checked("data", lambda: _data(workspace, project.data_reference("azureml")))
    named = project.backends.azureml.registry if project.backends.azureml else None
    if named:
        yield checked(f"registry {named}", partial(_registry, workspace, named))


def compute_names(project: Project) -> Sequence[str]:
    """The clusters that the pipeline's file and ctrain.yaml name, each once; expressions are left out."""
    import yaml

    body = yaml.safe_load(Path(project.pipeline).read_text())
    jobs = body.get("jobs") if isinstance(body, dict) else None
    steps = list(jobs.values()) if isinstance(jobs, dict) else []
    settings = body.get("settings") if isinstance(body, dict) else None
    written = [one.get("compute") for one in (body, *steps) if isinstance(one, dict)]
    written.append(settings.get("default_compute") if isinstance(settings, dict) else None)
    own = project.backends.azureml.compute if project.backends.azureml else None
    names = [str(one).removeprefix("azureml:") for one in (*written, own) if one]
    return [name for name in dict.fromkeys(names) if "{{" not in name and name not in _MANAGED]


def _compute(workspace: AzureWorkspace, name: str) -> str:
    body = workspace.arm.get(f"computes/{name}", COMPUTES)
    if body is None:
        hint = f"make it with `az ml compute create`, or name one of {_known(workspace)}"
        raise PipelineError(f"there is no compute {name}", why=f"{workspace.address} has none of that name", hint=hint)
    state = text(body, "properties", "provisioningState")
    if state != "Succeeded":
        hint = "look at it in the Studio; it must be Succeeded"
        raise PlatformUnavailable(f"the compute {name} cannot be used", why=f"its state is {state}", hint=hint)
    nodes = number(body, "properties", "properties", "scaleSettings", "maxNodeCount")
    if nodes == 0:
        hint = f"az ml compute update --name {name} --max-instances 1"
        raise PlatformUnavailable(f"the compute {name} cannot be used", why="it may have no nodes", hint=hint)
    size = text(body, "properties", "properties", "vmSize") or text(body, "properties", "computeType") or ""
    return f"{size}, up to {nodes:.0f} nodes" if nodes is not None else size


def _known(workspace: AzureWorkspace) -> str:
    names = (text(body, "name") or "" for body in workspace.arm.list("computes", COMPUTES))
    return ", ".join(sorted(names)) or "none yet"


def environment_names(pipeline: Pipeline) -> Sequence[str]:
    """The environments that steps name, at any depth, each once."""
    names: list[str] = []
    for step in pipeline.steps:
        match step:
            case CommandStep(environment=environment) if environment.reference:
                names.append(environment.reference)
            case PipelineStep(pipeline=inner):
                names.extend(environment_names(inner))
            case _:
                pass
    return list(dict.fromkeys(names))


def _environment(workspace: AzureWorkspace, reference: str) -> Finding:
    subject = f"environment {reference.removeprefix('azureml:')}"
    named = _REFERENCE.fullmatch(reference)
    if named is None:
        return unchecked(subject, "it is in a registry, which Azure ML asks when the job starts")
    return checked(subject, partial(_asset, workspace, "environments", *named.group("name", "version", "label")))


def _asset(workspace: AzureWorkspace, kind: str, name: str, version: str | None, label: str | None) -> str:
    """A version that is named, or the latest. Raises UsageError where there is none."""
    if version is None:
        container = workspace.arm.get(f"{kind}/{name}", ASSETS)
        version = text(container, "properties", "latestVersion") if label in {"latest", None} else None
        if version is None:
            why = f"{workspace.address} has no version of it" + (f" labelled {label}" if label else "")
            raise UsageError(f"there is no {name}", why=why, hint=f"create it, or correct the name ({kind})")
        return f"the latest is {version}"
    if workspace.arm.get(f"{kind}/{name}/versions/{version}", ASSETS) is None:
        why = f"{workspace.address} has no version {version} of it"
        raise UsageError(f"there is no {name}:{version}", why=why, hint=f"create it, or correct the name ({kind})")
    return f"version {version} is there"


def _data(workspace: AzureWorkspace, reference: str) -> str:
    address = data_address(reference)
    match address:
        case DataAsset(name, version, label):
            return f"{reference}: {_asset(workspace, 'data', name, version, label)}"
        case StorePath(store, _):
            if workspace.arm.get(f"datastores/{store}", WORKSPACES) is None:
                why = f"{workspace.address} has no datastore {store}"
                raise DataError(f"{reference} cannot be read", why=why, hint="correct `data.azureml` in ctrain.yaml")
            return f"the datastore {store} is there"
        case RegistryData(registry, name, version, _):
            return f"{name}:{version} in the registry {registry}, which Azure ML asks when the job starts"


def _registry(workspace: AzureWorkspace, name: str) -> str:
    body = workspace.region.get(f"registrymanagement/v1.0/registries/{name}/discovery")
    if body is None:
        hint = "correct `backends.azureml.registry` in ctrain.yaml, or ask for a role on it"
        raise UsageError(f"there is no registry {name}", why="Azure ML finds none of that name for us", hint=hint)
    return f"in {text(body, 'primaryRegion') or 'a region that it does not tell'}"
