"""From a submitted job back to the files of a pipeline, as the local engine reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from tests.azure.routing import Body, Refused

ONLY_STEP: Final = "job"
"""The step that stands for a command job."""

_COMPONENT_KEYS: Final = (
    *("type", "name", "version", "display_name", "description", "is_deterministic", "inputs", "outputs", "command"),
    *("environment_variables", "resources", "distribution", "limits"),
)
_NODE_KEYS: Final = ("environment_variables", "resources", "distribution", "limits")
_EXPRESSION: Final = re.compile(r"\$\{\{.*\}\}")


class Source(Protocol):
    """Where the parts of a job are fetched from. Each method blocks, and raises Refused for what is not there."""

    def resource(self, arm_id: str) -> Body:
        """The resource of that id."""
        ...

    def code(self, arm_id: str) -> Path:
        """The folder of that code asset."""
        ...

    def asset(self, uri: str, kind: str) -> Path:
        """The file or folder that an input names."""
        ...


@dataclass
class Rebuilt:
    """A pipeline's file, and what only the submission knows of it.

    `components` maps a step's name to its component's id; `types` a step's (name, output) to the output's type.
    """

    file: Path
    components: dict[str, str] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class _Work:
    source: Source
    folder: Path
    rebuilt: Rebuilt
    written: dict[str, Path] = field(default_factory=dict)


def rebuild(properties: Body, folder: Path, source: Source) -> Rebuilt:
    """Write the pipeline into `folder`. Fetches all that it needs. Raises Refused for what is missing."""
    import yaml

    work = _Work(source, folder, Rebuilt(folder / "pipeline.yml"))
    (folder / "components").mkdir(parents=True, exist_ok=True)
    pipeline = str(properties["jobType"]).lower() == "pipeline"
    document = _pipeline(work, properties) if pipeline else _command(work, properties)
    work.rebuilt.file.write_text(yaml.safe_dump(document, sort_keys=False))
    return work.rebuilt


def _pipeline(work: _Work, properties: Body) -> Body:
    settings = {key: value for key, value in (properties.get("settings") or {}).items() if not key.startswith("_")}
    document: Body = {
        "type": "pipeline",
        "inputs": {name: _given(work, value) for name, value in (properties.get("inputs") or {}).items()},
        "outputs": {
            name: {"type": value.get("jobOutputType", "uri_folder")}
            for name, value in (properties.get("outputs") or {}).items()
        },
        "settings": {key: settings[key] for key in ("force_rerun", "continue_on_step_failure") if key in settings},
    }
    component = properties.get("componentId")
    if component:
        return {**document, "component": _component(work, component, "")}
    return {**document, "jobs": _nodes(work, properties.get("jobs") or {}, "")}


def _nodes(work: _Work, nodes: Mapping[str, Body], around: str) -> Body:
    return {name: _node(work, node, f"{around}{name}") for name, node in nodes.items()}


def _node(work: _Work, node: Body, name: str) -> Body:
    if node.get("type", "command") not in ("command", "pipeline"):
        raise Refused(400, "UserError", f"The loopback Azure runs no step of type {node.get('type')!r}.")
    component = node["componentId"]
    work.rebuilt.components[name] = component
    outputs = {key: value.get("value") for key, value in (node.get("outputs") or {}).items() if value.get("value")}
    return {
        "type": node.get("type", "command"),
        "component": _component(work, component, f"{name}."),
        "inputs": {key: _given(work, value) for key, value in (node.get("inputs") or {}).items()},
        "outputs": outputs,
        **{key: node[key] for key in _NODE_KEYS if node.get(key)},
    }


def _component(work: _Work, component: str, inside: str) -> str:
    """The path of the component's file, seen from a file in the folder. `inside` ends with a dot."""
    import yaml

    spec = work.source.resource(component)["properties"]["componentSpec"]
    for name, output in (spec.get("outputs") or {}).items():
        work.rebuilt.types[inside.removesuffix("."), name] = output.get("type", "uri_folder")
    document: Body = {key: spec[key] for key in _COMPONENT_KEYS if spec.get(key) is not None}
    if spec.get("type") == "pipeline":
        document["jobs"] = _nodes(work, spec.get("jobs") or {}, inside)
    elif component not in work.written:
        document |= _code_and_environment(work, spec.get("code"), spec.get("environment"))
    if component not in work.written:
        work.written[component] = work.folder / "components" / f"{len(work.written)}.yml"
        work.written[component].write_text(yaml.safe_dump(document, sort_keys=False))
    return str(work.written[component])


def _code_and_environment(work: _Work, code: str | None, environment: Any) -> Body:
    made: Body = {}
    if code:
        made["code"] = str(work.source.code(code))
    if environment:
        made["environment"] = _environment(work, environment)
    return made


def _environment(work: _Work, environment: Any) -> Any:
    """What the environment's version says; one of a registry stays a reference."""
    if not isinstance(environment, str) or "/environments/" not in environment or "registries" in environment:
        return environment
    properties = work.source.resource(environment)["properties"]
    if not (properties.get("image") or properties.get("condaFile")):
        return f"azureml:{environment.split('/environments/')[1].replace('/versions/', ':')}"
    made: Body = {"image": properties["image"]} if properties.get("image") else {}
    if properties.get("condaFile"):
        conda = work.folder / "components" / f"conda-{len(list(work.folder.rglob('conda-*')))}.yml"
        conda.write_text(properties["condaFile"])
        made["conda_file"] = str(conda)
    return made


def _given(work: _Work, value: Any) -> Any:
    """An input's value: a literal, a binding, or an asset, which is fetched."""
    if not isinstance(value, dict):
        return value
    kind = value.get("jobInputType") or value.get("job_input_type") or "literal"
    if kind == "literal":
        return value["value"]
    uri = value.get("uri") or ""
    if _EXPRESSION.search(uri):
        return uri
    return {"type": kind, "path": str(work.source.asset(uri, kind))}


def _command(work: _Work, properties: Body) -> Body:
    """A pipeline of one step."""
    import yaml

    inputs = {name: _given(work, value) for name, value in (properties.get("inputs") or {}).items()}
    outputs = {
        name: {"type": value.get("jobOutputType", "uri_folder")}
        for name, value in (properties.get("outputs") or {}).items()
    }
    limits = properties.get("limits") or {}
    component: Body = {
        "type": "command",
        "command": properties["command"],
        "inputs": {
            name: {"type": value["type"] if isinstance(value, dict) else "string"} for name, value in inputs.items()
        },
        "outputs": outputs,
        "environment_variables": properties.get("environmentVariables") or {},
        **({"limits": {"timeout": _seconds(limits["timeout"])}} if limits.get("timeout") else {}),
        **_code_and_environment(work, properties.get("codeId"), properties.get("environmentId")),
    }
    file = work.folder / "components" / "job.yml"
    file.write_text(yaml.safe_dump(component, sort_keys=False))
    work.rebuilt.types.update({(ONLY_STEP, name): output["type"] for name, output in outputs.items()})
    bound = {name: "${{parent.outputs." + name + "}}" for name in outputs}
    given = {name: value if isinstance(value, dict) else str(value) for name, value in inputs.items()}
    step = {"type": "command", "component": str(file), "inputs": given, "outputs": bound}
    return {"type": "pipeline", "outputs": outputs, "jobs": {ONLY_STEP: step}}


def _seconds(duration: str) -> int:
    """Of an ISO 8601 duration of days, hours, minutes and seconds."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?", duration)
    if not found:
        raise Refused(400, "UserError", f"{duration!r} is no duration.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
