"""Command components: from a file of their own, inline under `component:`, or as the inline command job of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctrain.pipeline.cursor import Cursor
from ctrain.pipeline.environments import read_environment
from ctrain.pipeline.expressions import has_expression
from ctrain.pipeline.graph import Environment, Input, Output
from ctrain.pipeline.reading import Reading
from ctrain.pipeline.values import declared_inputs, declared_outputs, is_remote

COMPONENT_KEYS = frozenset(
    {"$schema", "type", "name", "version", "display_name", "description", "tags", "properties", "id"}
    | {"is_deterministic", "inputs", "outputs", "command", "code", "environment", "environment_variables"}
    | {"resources", "distribution", "limits", "queue_settings", "additional_includes", "intellectual_property"}
    | {"creation_context", "latest_version"}
)
STEP_KEYS = COMPONENT_KEYS | {"component", "compute", "identity", "services", "comment", "experiment_name", "settings"}

# What torch.distributed asks for where a single process stands for the whole job; port 0 is any free one.
# Source: "Environment variable initialization" in https://pytorch.org/docs/stable/distributed.html
_ONE_PROCESS = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "NODE_RANK": "0",
    "WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "0",
}


@dataclass(frozen=True)
class Command:
    """A command component as read. `inputs` and `outputs` are None for an inline job, whose are told by their use."""

    label: str
    body: Cursor
    command: Cursor
    code: Path | None
    environment: Environment | None
    deterministic: bool
    inputs: Mapping[str, Input] | None = None
    outputs: Mapping[str, Output] | None = None


def read_command(body: Cursor, reading: Reading, *, inline: bool = False) -> Command:
    """`body` is the component's mapping, or with `inline` the step's own."""
    body.only(STEP_KEYS if inline else COMPONENT_KEYS, "a step" if inline else "a command component")
    command = body.get("command")
    if command is None:
        raise body.refuse(
            "this component has no command", why="a command component is what it runs", hint="add `command:`"
        )
    if not command.text().strip():
        raise command.refuse("the command is empty", why="there is nothing to run", hint="write the command")
    environment = body.get("environment")
    _refuse_includes(body, reading)
    return Command(
        label="" if inline else _label(body),
        body=body,
        command=command,
        code=_code(body, reading),
        environment=read_environment(environment, reading) if environment else None,
        deterministic=body.flag_of("is_deterministic", default=True),
        inputs=None if inline else declared_inputs(body),
        outputs=None if inline else declared_outputs(body),
    )


def _label(body: Cursor) -> str:
    name = body.text_of("name") or (body.document.file.stem if not body.keys else "")
    version = body.text_of("version")
    return f"{name}:{version}" if name and version else name


def _code(body: Cursor, reading: Reading) -> Path | None:
    code = body.get("code")
    if code is None:
        return None
    text = code.text()
    if is_remote(text) or text.startswith("git+"):
        reading.local_only(
            code, f"the code {text} is not on this machine", why="it would have to be fetched", hint="name a folder"
        )
        return None
    path = code.existing("code folder")
    reading.sources.code[path] = code.at
    return path


def _refuse_includes(body: Cursor, reading: Reading) -> None:
    includes = body.get("additional_includes")
    if includes and includes.value:
        reading.local_only(
            includes,
            "additional_includes cannot be merged into the code here",
            why="a step runs in its code folder as it is",
            hint="let `code:` name a folder that holds them all, and leave the rest out with .amlignore",
        )


def environment_variables(step: Cursor, component: Cursor | None, reading: Reading) -> dict[str, str]:
    """The component's, and over them the step's; and those that a single-process job of PyTorch expects."""
    made: dict[str, str] = {}
    for source in (component, step):
        for name, value in source.items("environment_variables") if source else ():
            text = "" if value.value is None else str(value.scalar())
            if has_expression(text):
                reading.local_only(
                    value,
                    f"the environment variable {name} has an expression",
                    why="only Azure ML itself fills them in there",
                    hint="hand the value over as an argument of the command",
                )
            made[name] = text
    distribution = _effective("distribution", step, component)
    if distribution and (distribution.text_of("type") or "").lower() == "pytorch" and reading.local:
        made = {**_ONE_PROCESS, **made}
    return made


def refuse_many_processes(step: Cursor, component: Cursor | None, reading: Reading) -> None:
    """One instance with one process is run as any command; more are refused, and Ray altogether."""
    resources = _effective("resources", step, component)
    distribution = _effective("distribution", step, component)
    one = [resources.get("instance_count")] if resources else []
    if distribution:
        kind = distribution.text_of("type") or ""
        if kind.lower() not in ("pytorch", "mpi", "tensorflow"):
            reading.local_only(
                distribution,
                f"a {kind or 'nameless'} distribution cannot be run here",
                why="a step is one process on this machine",
                hint="remove it, or run on Azure ML",
            )
        one += [distribution.get("process_count_per_instance"), distribution.get("worker_count")]
    none = [distribution.get("parameter_server_count")] if distribution else []
    for allowed, counts in ((1, one), (0, none)):
        for count in counts:
            if count and count.value != allowed:
                reading.local_only(
                    count,
                    f"{count.keys[-1]} {count.value} is more than this machine runs",
                    why="a step is one process here",
                    hint=f"set it to {allowed}, or run on Azure ML",
                )


def timeout(step: Cursor, component: Cursor | None) -> int | None:
    """`limits.timeout`, in seconds."""
    limits = _effective("limits", step, component)
    given = limits.get("timeout") if limits else None
    if given is None:
        return None
    if isinstance(given.value, str) and has_expression(given.value):
        return None
    if isinstance(given.value, bool) or not isinstance(given.value, int) or given.value <= 0:
        raise given.wrong("a whole number of seconds")
    return given.value


def _effective(key: str, step: Cursor, component: Cursor | None) -> Cursor | None:
    """What the step says, else what its component does."""
    return step.get(key) or (component.get(key) if component else None)
