"""A step of a pipeline: first what it runs (a draft), then, once all its neighbours are known, the step itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ctrain.pipeline.bindings import bindings
from ctrain.pipeline.components import (
    STEP_KEYS,
    Command,
    environment_variables,
    read_command,
    refuse_many_processes,
    timeout,
)
from ctrain.pipeline.cursor import Cursor, did_you_mean
from ctrain.pipeline.environments import read_environment, require_python
from ctrain.pipeline.expressions import (
    FromStepInput,
    Own,
    ToParent,
    Unknown,
    is_step_name,
    pieces,
    references,
    without_optional_parts,
)
from ctrain.pipeline.graph import (
    Binding,
    CommandStep,
    FromParent,
    FromStep,
    Mixed,
    OtherStep,
    Output,
    Pipeline,
    PipelineStep,
    Step,
)
from ctrain.pipeline.reading import Reading
from ctrain.pipeline.scope import Draft, Scope, unknown_expression

# Kinds of steps that only Azure ML itself runs. Source: `PipelineJobsField` in azure-ai-ml's
# `_schema/pipeline/pipeline_component.py`, and `NodeType`, `ControlFlowType` in `constants/_component.py`.
OTHER_KINDS = frozenset(
    {"sweep", "parallel", "spark", "automl", "data_transfer", "import", "do_while", "if_else", "parallel_for"}
    | {"flow", "flow_parallel", "finetuning", "distillation"}
)
KINDS = ("command", "pipeline")

ReadPipeline = Callable[[Cursor, Reading], Pipeline]


def draft(name: str, cursor: Cursor, reading: Reading, read_pipeline: ReadPipeline) -> Draft:
    """Read what the step runs. `read_pipeline` reads a pipeline component's file."""
    if not is_step_name(name):
        raise cursor.refuse(
            f"{name!r} is no name for a step",
            why="names are letters, digits and _, and start with no digit",
            hint="rename the step",
        )
    given = {key: value for key, value in cursor.items("inputs") if value.value is not None}
    kind, component = cursor.get("type"), cursor.get("component")
    word = kind.text().lower() if kind else None
    if kind and word in OTHER_KINDS:
        return Draft(name, cursor, _other(name, cursor, reading, kind, word), given)
    if kind and word not in KINDS:
        raise kind.refuse(
            f"there is no step of type {kind.text()!r}",
            why="a step is a command or a pipeline",
            hint=did_you_mean(kind.text(), {*KINDS, *OTHER_KINDS}, "name one of them"),
        )
    if component is None:
        return Draft(name, cursor, _inline(cursor, word, reading), given)
    if "command" in cursor.mapping():
        raise component.refuse(
            f"the step {name!r} has both a component and a command", why="only one could run", hint="remove one"
        )
    cursor.only(STEP_KEYS, "a step")
    if isinstance(component.value, str) and _registered(component):
        return Draft(name, cursor, _other(name, cursor, reading, component, "component"), given)
    body = component
    if isinstance(component.value, str):
        body = reading.open(component.existing("component file"), component)
    kind_of = _kind_of(body, word, component)
    if kind_of in OTHER_KINDS:
        return Draft(name, cursor, _other(name, cursor, reading, body.get("type") or body, kind_of), given)
    if kind_of == "command":
        return Draft(name, cursor, read_command(body, reading), given)
    if body is component:
        raise component.refuse(
            "a pipeline component cannot stand inline", why="the schema has it in a file of its own", hint="move it"
        )
    return Draft(name, cursor, read_pipeline(body, reading), given)


def _inline(cursor: Cursor, word: str | None, reading: Reading) -> Command:
    if "command" in cursor.mapping() and word != "pipeline":
        return read_command(cursor, reading, inline=True)
    raise cursor.refuse(
        f"the step {cursor.keys[-1]!r} says not what it runs",
        why="it has no component" if word == "pipeline" else "it has neither a component nor a command",
        hint="add `component: ./FILE.yml`" + ("" if word == "pipeline" else ", or `command:`"),
    )


def _registered(component: Cursor) -> bool:
    """Whether a component is named that a workspace or a registry has: `azureml:...`, or a bare `name:version`."""
    text = component.text()
    if text.startswith(("azureml:", "/subscriptions/")):
        return True
    return ":" in text and not text.startswith("file:") and not component.path().exists()


def _kind_of(body: Cursor, word: str | None, component: Cursor) -> str:
    """What the component is: as it says, else as it looks. It has to be what the step says, where that says it."""
    said = body.text_of("type")
    kind = said.lower() if said else "pipeline" if "jobs" in body.mapping() else "command"
    if kind in OTHER_KINDS:
        return kind
    if kind not in KINDS or (word or kind) != kind:
        raise component.refuse(
            f"the component is of type {kind}",
            why=f"the step is of type {word}" if kind in KINDS else "a component is a command or a pipeline",
            hint=f"write `type: {kind}` in the step" if kind in KINDS else "name another component",
        )
    return kind


def _other(name: str, cursor: Cursor, reading: Reading, at: Cursor, kind: str) -> OtherStep:
    what, why = f"the step {name!r} is of type {kind}", f"{kind} is what the local backend cannot do"
    if kind == "component":
        what, why = f"the component {at.text()} is not on this machine", "it is in a workspace or registry of Azure ML"
    reading.local_only(at, what, why=why, hint="use command components from files, or run on Azure ML")
    found = (piece for text in _texts(cursor) for piece in references(text))
    after = [piece.step for piece in found if isinstance(piece, FromStep | FromStepInput)]
    exposes = {
        output: piece.name
        for output, entry in cursor.items("outputs")
        for text in _texts(entry)
        for piece in pieces(text)
        if isinstance(piece, ToParent)
    }
    return OtherStep(name, cursor.at, kind, tuple(dict.fromkeys(after)), exposes)


def _texts(cursor: Cursor) -> list[str]:
    match cursor.value:
        case str() as text:
            return [text]
        case dict() as entries:
            return [text for key, value in entries.items() for text in _texts(cursor.child(key, value))]
        case list() as items:
            return [text for place, item in enumerate(items) for text in _texts(cursor.child(place, item))]
        case _:
            return []


def finish(made: Draft, scope: Scope, reading: Reading) -> Step | OtherStep:
    """The step, bound. Raises PipelineError for whatever in it is not what it can be."""
    match made.made:
        case OtherStep() as other:
            _check_after(other, made, scope)
            return other
        case Pipeline() as pipeline:
            return PipelineStep(made.name, made.cursor.at, pipeline, bindings(scope, made.name), _exposes(made, scope))
        case Command() as command:
            return _command_step(made, command, scope, reading)


def _check_after(other: OtherStep, made: Draft, scope: Scope) -> None:
    for step in other.after:
        scope.resolved(FromStepInput(step, ""), made.cursor)


def _command_step(made: Draft, command: Command, scope: Scope, reading: Reading) -> CommandStep:
    component = command.body if command.body is not made.cursor else None
    own = made.cursor.get("environment") if component else None
    environment = read_environment(own, reading) if own else command.environment
    if environment is None:
        raise made.cursor.refuse(
            f"the step {made.name!r} has no environment",
            why="neither it nor its component says what to run in",
            hint="add `environment:`",
        )
    require_python(environment, command.command.text(), reading)
    refuse_many_processes(made.cursor, component, reading)
    bound = bindings(scope, made.name)
    inputs = {name: scope.input_of(made.name, name, made.cursor) for name in scope.input_names(made.name)}
    outputs = {name: scope.output_of(made.name, name, made.cursor) for name in scope.output_names(made.name)}
    step = CommandStep(
        name=made.name,
        at=made.cursor.at,
        command=command.command.text(),
        inputs=inputs,
        outputs=_placed(outputs, made, scope),
        bindings=bound,
        exposes=_exposes(made, scope),
        environment=environment,
        code=command.code,
        environment_variables=environment_variables(made.cursor, component, reading),
        component=command.label,
        deterministic=command.deterministic,
        timeout=timeout(made.cursor, component),
    )
    _refuse_literal_outputs(step, reading)
    _check_command(step, command.command)
    return step


def _placed(outputs: Mapping[str, Output], made: Draft, scope: Scope) -> dict[str, Output]:
    """The outputs, with the place that the step's YAML asks for."""
    placed = dict(outputs)
    for name, entry in made.cursor.items("outputs"):
        path = entry.get("path") if isinstance(entry.value, dict) else None
        if path and name in placed and scope.exposed(entry) is None:
            placed[name] = replace(placed[name], path=path.text())
    return placed


def _exposes(made: Draft, scope: Scope) -> dict[str, str]:
    found = {}
    for name, entry in made.cursor.items("outputs"):
        scope.output_of(made.name, name, entry)
        target = scope.exposed(entry)
        if target:
            found[name] = target
    return found


def _refuse_literal_outputs(step: CommandStep, reading: Reading) -> None:
    for output in step.outputs.values():
        if output.type.literal:
            reading.local_only_at(
                output.at,
                f"the output {output.name!r} is a {output.type}",
                why="a step hands on files and folders here, not values",
                hint="write the value to a file, with `type: uri_file`",
            )


def _check_command(step: CommandStep, command: Cursor) -> None:
    """Each expression in the command names an input or output of the step's."""
    for piece in references(step.command):
        match piece:
            case Own("inputs", name) if name in step.inputs:
                continue
            case Own("outputs", name) if name in step.outputs:
                continue
            case Own(side, name):
                known = step.inputs if side == "inputs" else step.outputs
                raise command.refuse(
                    f"the command uses ${{{{{side}.{name}}}}}",
                    why=f"there is no {side.removesuffix('s')} {name!r}",
                    hint=did_you_mean(name, list(known), f"declare it under `{side}:`"),
                )
            case Unknown(text):
                raise unknown_expression(text, command)
            case _:
                raise command.refuse(
                    "the command names things outside of its step",
                    why="a command has only its own inputs and outputs",
                    hint="declare an input, bind it there, and use ${{inputs.NAME}} here",
                )
    _check_optional_parts(step, command)


def _check_optional_parts(step: CommandStep, command: Cursor) -> None:
    always = without_optional_parts(step.command)
    if "$[[" in always:
        raise command.refuse(
            "an optional part of the command does not end", why="there is a `$[[` without `]]`", hint="close it"
        )
    for piece in references(always):
        if isinstance(piece, Own) and piece.side == "inputs":
            used = step.inputs[piece.name]
            if used.optional and used.default is None and piece.name not in step.bindings:
                raise command.refuse(
                    f"the command needs the optional input {piece.name!r}",
                    why="it has no value here, and the command uses it outside of `$[[...]]`",
                    hint=f"write $[[--{piece.name} ${{{{inputs.{piece.name}}}}}]]",
                )


def waits_for(step: Step | OtherStep) -> frozenset[str]:
    """The names of the steps whose outputs it uses."""
    match step:
        case OtherStep(after=after):
            return frozenset(after)
        case CommandStep(bindings=bound) | PipelineStep(bindings=bound):
            return frozenset(part.step for part in _flat(bound.values()) if isinstance(part, FromStep))


def _flat(bound: Iterable[Binding]) -> Iterable[Binding | FromParent | FromStep]:
    for one in bound:
        if isinstance(one, Mixed):
            yield from one.parts
        else:
            yield one
