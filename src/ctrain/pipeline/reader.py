"""Reading a pipeline: a pipeline job's YAML, or a pipeline component's, and all that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ctrain.pipeline import steps as reading_steps
from ctrain.pipeline.cursor import Cursor, did_you_mean
from ctrain.pipeline.graph import Asset, FromParent, Input, OtherStep, Output, Pipeline, PipelineStep, Step, ValueType
from ctrain.pipeline.order import cycle, runnable
from ctrain.pipeline.reading import Reading
from ctrain.pipeline.scope import Draft, Scope
from ctrain.pipeline.values import (
    OUTPUT_KEYS,
    asset,
    checked,
    declared_inputs,
    job_input,
    require_name,
    value_type,
)

_KEYS = frozenset(
    {"$schema", "type", "name", "version", "display_name", "description", "experiment_name", "tags", "properties"}
    | {"compute", "settings", "inputs", "outputs", "jobs", "component", "identity", "services", "is_deterministic"}
    | {
        "creation_context",
        "id",
        "status",
        "log_files",
        "intellectual_property",
        "latest_version",
        "resources",
        "limits",
    }
)
_DEEPEST = 16


def read_pipeline(file: Path, *, local: bool = True) -> Pipeline:
    """Read and check a pipeline job (or component) in the schema of the Azure ML CLI v2.

    With `local`, what only Azure ML itself can run is refused: steps that are not commands or pipelines, components
    in a registry, containers to be built, images that are not Python ones, several processes. Without it these
    are let through, and steps of such kinds are in `Pipeline.others`.

    Local assets among the pipeline's own inputs are not looked at, as others may be put in their place.
    Raises PipelineError, with file and line.
    """
    top = file.absolute()
    top = top.parent.resolve() / top.name
    reading = Reading(local=local)
    root = reading.open(top)
    kind = root.text_of("type")
    if (kind or "pipeline").lower() != "pipeline" or not ({"jobs", "component"} & root.mapping().keys()):
        raise (root.get("type") or root).refuse(
            f"{file.name} is not a pipeline",
            why=f"its type is {kind}" if kind and kind != "pipeline" else "it has no `jobs:`",
            hint="name a file with `type: pipeline` and `jobs:`",
        )
    return _read(root, replace(reading, within=(top,)), job=True)


def _read(root: Cursor, reading: Reading, *, job: bool) -> Pipeline:
    root.only(_KEYS, "a pipeline")
    if job and root.get("component"):
        return _of_component(root, reading)
    inputs = _job_inputs(root) if job else declared_inputs(root)
    scope = Scope(inputs, *_outputs(root), _drafts(root, reading))
    steps = [reading_steps.finish(draft, scope, reading) for draft in scope.drafts.values()]
    ordered = _in_order(steps, root)
    outputs = _made_outputs(scope, steps, root)
    bare = {name for name, entry in root.items("inputs") if job and not isinstance(entry.value, dict)}
    settings = root.get("settings")
    return Pipeline(
        file=root.document.file,
        inputs=_typed_by_use(inputs, bare, steps),
        outputs=outputs,
        steps=tuple(step for step in ordered if not isinstance(step, OtherStep)),
        code=reading.sources.digest(reading.within[0].parent),
        experiment=root.text_of("experiment_name"),
        display_name=root.text_of("display_name"),
        force_rerun=_force_rerun(root, settings, reading),
        continue_on_step_failure=_goes_on(settings),
        others=tuple(step for step in ordered if isinstance(step, OtherStep)),
    )


def _job_inputs(root: Cursor) -> dict[str, Input]:
    return {name: job_input(name, entry) for name, entry in root.items("inputs")}


def _force_rerun(root: Cursor, settings: Cursor | None, reading: Reading) -> bool:
    """A pipeline that says of itself that it gives other results each time is never reused either."""
    if settings is None:
        return not root.flag_of("is_deterministic", default=True)
    for hook in ("on_init", "on_finalize"):
        at = settings.get(hook)
        if at:
            reading.local_only(at, f"{hook} cannot be run here", why="it is not a step", hint="make it a step")
    return settings.flag_of("force_rerun", default=False) or not root.flag_of("is_deterministic", default=True)


def _goes_on(settings: Cursor | None) -> bool:
    return settings.flag_of("continue_on_step_failure", default=True) if settings else True


def _drafts(root: Cursor, reading: Reading) -> dict[str, Draft]:
    drafts = {name: reading_steps.draft(name, cursor, reading, _nested) for name, cursor in root.items("jobs")}
    if not drafts:
        raise (root.get("jobs") or root).refuse(
            "the pipeline has no steps", why="there is nothing to run", hint="add steps under `jobs:`"
        )
    return drafts


def _nested(body: Cursor, reading: Reading) -> Pipeline:
    """A pipeline component's file, read once however many steps use it."""
    file = body.document.file
    if file in reading.within:
        ring = [*reading.within[reading.within.index(file) :], file]
        raise body.refuse(
            f"the pipeline {file.name} is a part of itself",
            why=" -> ".join(one.name for one in ring),
            hint="remove one of these steps",
        )
    if len(reading.within) > _DEEPEST:
        raise body.refuse("pipelines are nested too deeply", why=f"{_DEEPEST} levels is the limit", hint="flatten them")
    if file not in reading.pipelines:
        inside = reading.inside(file)
        inside.sources.files.add(file)
        reading.pipelines[file] = (_read(body, inside, job=False), inside.sources)
    pipeline, sources = reading.pipelines[file]
    reading.sources.absorb(sources)
    return pipeline


def _of_component(root: Cursor, reading: Reading) -> Pipeline:
    """A job that is one pipeline component with its inputs given: the component, with these as its defaults."""
    if root.get("jobs"):
        raise root.child("jobs", None).refuse(
            "a pipeline job has either jobs or a component", why="both are given", hint="remove one"
        )
    made = reading_steps.draft("component", _as_step(root), reading, _nested).made
    if not isinstance(made, Pipeline):
        raise root.child("component", None).refuse(
            "the component is not a pipeline", why="a pipeline job runs one", hint="name a pipeline component"
        )
    inputs = dict(made.inputs)
    for name, entry in root.items("inputs"):
        if name not in inputs:
            raise entry.refuse(
                f"the component has no input {name!r}", why="it is given", hint=did_you_mean(name, inputs, "remove it")
            )
        inputs[name] = _filled(inputs[name], entry)
    return replace(
        made,
        file=root.document.file,
        inputs=inputs,
        outputs=_replaced_outputs(made, root),
        code=reading.sources.digest(reading.within[0].parent),
        experiment=root.text_of("experiment_name"),
        display_name=root.text_of("display_name") or made.display_name,
        force_rerun=made.force_rerun or _force_rerun(root, root.get("settings"), reading),
        continue_on_step_failure=_goes_on(root.get("settings")),
    )


def _replaced_outputs(made: Pipeline, root: Cursor) -> dict[str, Output]:
    """The component's outputs, with the places that the job asks for."""
    outputs = dict(made.outputs)
    for name, given in _outputs(root)[0].items():
        if name not in outputs:
            raise (
                root.child("outputs", None)
                .child(name, None)
                .refuse(
                    f"the component has no output {name!r}",
                    why="the job names it",
                    hint=did_you_mean(name, outputs, "remove it"),
                )
            )
        outputs[name] = replace(outputs[name], path=given.path or outputs[name].path)
    return outputs


def _as_step(root: Cursor) -> Cursor:
    kept = {key: value for key, value in root.mapping().items() if key in ("type", "component")}
    return replace(root, value=kept)


def _filled(declared: Input, entry: Cursor) -> Input:
    given = entry
    if isinstance(entry.value, dict):
        inner = entry.get("value") or entry.get("path")
        if inner is None:
            return declared
        given = inner
    if declared.type.literal:
        return replace(declared, default=checked(given.scalar(), declared, given.at))
    return replace(declared, default=asset(given, declared.type, must_exist=False))


def _outputs(root: Cursor) -> tuple[dict[str, Output], frozenset[str]]:
    """The pipeline's outputs, and the names of those that do not say their type."""
    outputs, untyped = {}, set()
    for name, entry in root.items("outputs"):
        require_name(name, entry, "output")
        if entry.value is None:
            untyped.add(name)
            outputs[name] = Output(name, ValueType.URI_FOLDER, entry.at)
            continue
        if isinstance(entry.value, str):
            raise entry.refuse(
                f"the output {name!r} of the pipeline is text",
                why="which step makes it is said there, not here",
                hint=f"leave it empty, and write {name}: ${{{{parent.outputs.{name}}}}} under the step's outputs",
            )
        entry.only(OUTPUT_KEYS, "an output")
        named = entry.get("type")
        if named is None:
            untyped.add(name)
        kind = value_type(named) if named else ValueType.URI_FOLDER
        outputs[name] = Output(name, kind, entry.at, path=entry.text_of("path"))
    return outputs, frozenset(untyped)


def _made_outputs(scope: Scope, steps: Iterable[Step | OtherStep], root: Cursor) -> dict[str, Output]:
    """The outputs with the types of what makes them; each has to be made by one step."""
    outputs, makers = dict(scope.outputs), dict[str, str]()
    for step in steps:
        for own, name in step.exposes.items():
            if name in makers:
                raise scope.drafts[step.name].cursor.refuse(
                    f"the pipeline's output {name!r} has two makers",
                    why=f"both {makers[name]} and {step.name}.{own} are bound to it",
                    hint="bind one of them to another output",
                )
            makers[name] = f"{step.name}.{own}"
            if name in scope.untyped:
                kind = scope.output_of(step.name, own, scope.drafts[step.name].cursor).type
                outputs[name] = replace(outputs[name], type=kind)
    for name, entry in root.items("outputs"):
        if name not in makers:
            raise entry.refuse(
                f"nothing makes the pipeline's output {name!r}",
                why="no step's output is bound to it",
                hint=f"write ${{{{parent.outputs.{name}}}}} for the output of the step that makes it",
            )
    return outputs


def _typed_by_use(inputs: Mapping[str, Input], bare: set[str], steps: Iterable[Step | OtherStep]) -> dict[str, Input]:
    """A job's bare literals with the type of what uses them, where all uses agree: `1` for a number may become 0.5."""
    uses: dict[str, set[ValueType]] = {name: set() for name in bare}
    for step in steps:
        if isinstance(step, OtherStep):
            continue
        wanted = step.pipeline.inputs if isinstance(step, PipelineStep) else step.inputs
        for name, binding in step.bindings.items():
            if isinstance(binding, FromParent) and binding.name in uses:
                uses[binding.name].add(wanted[name].type)
    typed = dict(inputs)
    for name, kinds in uses.items():
        default = inputs[name].default
        if len(kinds) == 1 and default is not None and not isinstance(default, Asset):
            made = replace(inputs[name], type=kinds.pop())
            typed[name] = replace(made, default=checked(default, made, made.at))
    return typed


def _in_order(steps: list[Step | OtherStep], root: Cursor) -> list[Step | OtherStep]:
    by_name = {step.name: step for step in steps}
    after = {step.name: reading_steps.waits_for(step) for step in steps}
    names = runnable(after)
    left = [step.name for step in steps if step.name not in set(names)]
    if left:
        ring = cycle(after, left)
        raise (
            root.child("jobs", None)
            .child(ring[0], None)
            .refuse(
                "steps wait for each other",
                why=" -> ".join(ring) + " (each uses an output of the next)",
                hint="break it",
            )
        )
    return [by_name[name] for name in names]
