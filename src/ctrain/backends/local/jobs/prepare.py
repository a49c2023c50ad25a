"""From a pipeline's graph and what we ask of it to a job's plan: nested pipelines made flat, every binding followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from ctrain.backends.local.jobs.command import BadCommand, Word, required, resolve
from ctrain.backends.local.jobs.plan import (
    JobPlan,
    Joined,
    LocalPath,
    PlannedEnvironment,
    PlannedOutput,
    PlannedStep,
    Text,
    Upstream,
    Value,
)
from ctrain.backends.local.jobs.snapshot import Snapshot, look_at
from ctrain.errors import DataError, Location, PipelineError
from ctrain.pipeline.graph import (
    Asset,
    Binding,
    CommandStep,
    Environment,
    FromParent,
    FromStep,
    Input,
    Mixed,
    Output,
    Pipeline,
    PipelineStep,
    ValueType,
)
from ctrain.pipeline.inputs import bound_inputs, local_path
from ctrain.pipeline.values import checked
from ctrain.training import Scalar, TrainingSpec

_FOLDERS = (ValueType.URI_FOLDER, ValueType.MLTABLE)


@dataclass(frozen=True)
class Surroundings:
    """What preparing asks of the platform.

    `digest` is that of a file's or folder's content, raising DataError; `environment` says what a step runs in;
    `registered` finds the files of an `azureml:` reference, or None.
    """

    digest: Callable[[Path], str]
    environment: Callable[[Environment], PlannedEnvironment]
    registered: Callable[[str, ValueType], Path | None]
    snapshots: Path
    parallel: int
    grace: float


@dataclass(frozen=True)
class Prepared:
    """`snapshots` are what the steps' code folders must hold before the plan is run, by digest."""

    plan: JobPlan
    snapshots: Mapping[str, Snapshot]


@dataclass
class _Walk:
    """What is known halfway: the steps so far, and where each scope's outputs come from."""

    pipeline: Pipeline
    around: Surroundings
    steps: list[PlannedStep] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    looked: dict[Path, Snapshot] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scope:
    """One pipeline: its prefix, its inputs' values (None: optional, unset), what its steps' outputs are."""

    prefix: str
    inputs: Mapping[str, Value | None]
    made: dict[tuple[str, str], Upstream] = field(default_factory=dict)


def prepare(pipeline: Pipeline, spec: TrainingSpec, around: Surroundings) -> Prepared:
    """The plan for this spec. Raises PipelineError, located, for what cannot be run."""
    walk = _Walk(pipeline, around)
    inputs = {
        name: _literal_or_asset(walk, value, pipeline.inputs[name])
        for name, value in bound_inputs(pipeline, spec.inputs).items()
    }
    outputs = _steps(walk, pipeline, _Scope("", inputs))
    for name, declared in pipeline.outputs.items():
        if name not in outputs:
            raise PipelineError(
                f"nothing writes the output {name!r}",
                why="no step exposes an output as it",
                hint="bind a step's output to ${{parent.outputs." + name + "}}, or remove it",
                at=declared.at,
            )
    plan = JobPlan(
        job=spec.job,
        pipeline=str(pipeline.file),
        experiment=spec.experiment,
        display_name=spec.display_name,
        tags=dict(spec.tags),
        steps=tuple(_with_wishes(walk, outputs)),
        outputs=outputs,
        parallel=around.parallel,
        grace=around.grace,
        fresh=spec.fresh or pipeline.force_rerun,
        continue_on_failure=pipeline.continue_on_step_failure,
    )
    return Prepared(plan, walk.snapshots)


def _steps(walk: _Walk, pipeline: Pipeline, scope: _Scope) -> dict[str, Upstream]:
    """Plan this pipeline's steps; what its outputs are."""
    exposed: dict[str, Upstream] = {}
    outputs: dict[str, Upstream]
    for step in pipeline.steps:
        match step:
            case CommandStep():
                outputs = _command_step(walk, step, scope)
            case PipelineStep():
                inner = _Scope(f"{scope.prefix}{step.name}.", _inner_inputs(walk, step, scope))
                outputs = _steps(walk, step.pipeline, inner)
            case _:
                assert_never(step)
        for output, source in outputs.items():
            scope.made[step.name, output] = source
        for output, name in step.exposes.items():
            if output not in outputs:
                raise _unbound(f"the step {step.name!r} has no output {output!r}", step.at)
            exposed[name] = outputs[output]
    return exposed


def _inner_inputs(walk: _Walk, step: PipelineStep, scope: _Scope) -> dict[str, Value | None]:
    return {
        name: _input(walk, declared, step.bindings.get(name), scope, step.at)
        for name, declared in step.pipeline.inputs.items()
    }


def _command_step(walk: _Walk, step: CommandStep, scope: _Scope) -> dict[str, Upstream]:
    name = scope.prefix + step.name
    inputs = {
        key: value
        for key, declared in step.inputs.items()
        if (value := _input(walk, declared, step.bindings.get(key), scope, step.at)) is not None
    }
    _check_command(step, inputs)
    code, code_digest = _code(walk, step)
    walk.steps.append(
        PlannedStep(
            name=name,
            command=step.command,
            inputs=inputs,
            outputs={key: _output(output) for key, output in step.outputs.items()},
            environment=walk.around.environment(step.environment),
            code=code,
            code_digest=code_digest,
            variables=dict(step.environment_variables),
            component=step.component,
            deterministic=step.deterministic,
            timeout=step.timeout,
        )
    )
    return {key: Upstream(name, key) for key in step.outputs}


def _check_command(step: CommandStep, inputs: Mapping[str, Value]) -> None:
    """A trial run of filling in, so that what cannot be filled in is said before anything starts."""

    def known(kind: str, name: str) -> Word | None:
        if kind == "outputs" and name in step.outputs:
            return Word("/", whole=True)
        if kind == "inputs" and name in step.inputs:
            value = inputs.get(name)
            return None if value is None else Word(value.text if isinstance(value, Text) else "/")
        raise BadCommand(f"there is no {kind.removesuffix('s')} {name!r}")

    def must_be_known(kind: str, name: str) -> Word:
        word = known(kind, name)
        if word is None:
            raise BadCommand(f"the optional input {name!r} has no value, and stands outside of $[[...]]")
        return word

    try:
        for kind, name in required(step.command):
            must_be_known(kind, name)
        resolve(step.command, known)
    except BadCommand as failure:
        raise PipelineError(
            f"the command of the step {step.name!r} cannot be filled in",
            why=str(failure),
            hint="correct the command or the value",
            at=step.at,
        ) from None


def _code(walk: _Walk, step: CommandStep) -> tuple[str, str]:
    if step.code is None:
        return "", ""
    snapshot = walk.looked.get(step.code) or look_at(step.code)
    walk.looked[step.code] = snapshot
    walk.snapshots[snapshot.digest] = snapshot
    return str(walk.around.snapshots / snapshot.digest), snapshot.digest


def _output(output: Output) -> PlannedOutput:
    return PlannedOutput(folder=output.type is not ValueType.URI_FILE, required=output.type is ValueType.URI_FILE)


def _with_wishes(walk: _Walk, outputs: Mapping[str, Upstream]) -> list[PlannedStep]:
    """The steps, knowing which of their outputs are the pipeline's: those must not be empty, and may be copied."""
    beside = walk.pipeline.file.parent
    wishes: dict[tuple[str, str], PlannedOutput] = {}
    steps = {step.name: step for step in walk.steps}
    for name, source in outputs.items():
        declared = walk.pipeline.outputs.get(name)
        path = declared.path if declared else None
        place = local_path(path, beside) if path and "${{" not in path else None
        planned = steps[source.step].outputs[source.output]
        wishes[source.step, source.output] = PlannedOutput(
            planned.folder, required=True, copy_to=str(place) if place else None
        )
    return [
        PlannedStep(
            **{
                **{key: getattr(step, key) for key in PlannedStep.__dataclass_fields__},
                "outputs": {key: wishes.get((step.name, key), output) for key, output in step.outputs.items()},
            }
        )
        for step in walk.steps
    ]


def _input(walk: _Walk, declared: Input, binding: Binding | None, scope: _Scope, at: Location) -> Value | None:
    """What a step's or an inner pipeline's input is bound to; None for an optional one that is unset."""
    value: Value | None
    match binding:
        case None:
            value = None
        case FromParent(name):
            if name not in scope.inputs:
                raise _unbound(f"the pipeline has no input {name!r}", at)
            value = scope.inputs[name]
        case FromStep(step, output):
            value = _made(scope, step, output, at)
        case Mixed(parts):
            value = _joined(scope, parts, at)
        case _:
            value = _literal_or_asset(walk, binding, declared)
    if value is None and declared.default is not None:
        value = _literal_or_asset(walk, declared.default, declared)
    if value is None and not declared.optional:
        raise PipelineError(
            f"the input {declared.name!r} has no value",
            why="it is required, has no default, and nothing is bound to it",
            hint="bind it, or declare it `optional: true`",
            at=at,
        )
    if isinstance(value, Text) and declared.type.literal:
        return Text(str(checked(value.text, declared, at)))
    return value


def _made(scope: _Scope, step: str, output: str, at: Location) -> Upstream:
    if (step, output) not in scope.made:
        raise _unbound(f"there is no output {output!r} of a step {step!r} before this one", at)
    return scope.made[step, output]


def _joined(scope: _Scope, parts: tuple[str | FromParent | FromStep, ...], at: Location) -> Value:
    made: list[Text | LocalPath | Upstream] = []
    for part in parts:
        match part:
            case str():
                made.append(Text(part))
            case FromStep(step, output):
                made.append(_made(scope, step, output, at))
            case FromParent(name):
                value = scope.inputs.get(name)
                made.extend(value.parts if isinstance(value, Joined) else () if value is None else (value,))
    if all(isinstance(part, Text) for part in made):
        return Text("".join(part.text for part in made if isinstance(part, Text)))
    return Joined(tuple(made))


def _literal_or_asset(walk: _Walk, value: Scalar | Asset | None, declared: Input) -> Value | None:
    """Literals become their text, booleans `True` and `False`, as azure-ai-ml writes them."""
    match value:
        case None:
            return None
        case Asset():
            return _asset(walk, value, declared)
        case _ if declared.type.literal:
            return Text(str(checked(value, declared, declared.at)))
        case _:
            return _asset(walk, Asset(str(value), declared.type), declared)


def _asset(walk: _Walk, asset: Asset, declared: Input) -> Value:
    path = local_path(asset.uri, walk.pipeline.file.parent)
    if path is None:
        path = walk.around.registered(asset.uri, asset.type)
    if path is None:
        raise PipelineError(
            f"the input {declared.name!r} is not on this machine",
            why=f"{asset.uri} is neither a local path nor registered in the local platform",
            hint="set the input to a local path, or register the asset first",
            at=declared.at,
        )
    if not path.exists():
        raise PipelineError(
            f"the input {declared.name!r} does not exist",
            why=f"there is nothing at {path}",
            hint="correct the path; a relative one counts from the YAML file it stands in",
            at=declared.at,
        )
    if declared.type is ValueType.URI_FILE and not path.is_file():
        raise _wrong_kind(declared, path, "a file", "folder")
    if declared.type in _FOLDERS and not path.is_dir():
        raise _wrong_kind(declared, path, "a folder", "file")
    try:
        return LocalPath(str(path), walk.around.digest(path))
    except DataError as failure:
        raise PipelineError(failure.what, why=failure.why, hint=failure.hint, at=declared.at) from None


def _wrong_kind(declared: Input, path: Path, wanted: str, found: str) -> PipelineError:
    return PipelineError(
        f"the input {declared.name!r} must be {wanted}",
        why=f"it is declared {declared.type}, and {path} is a {found}",
        hint=f"give it {wanted}, or correct its type",
        at=declared.at,
    )


def _unbound(what: str, at: Location) -> PipelineError:
    return PipelineError(what, why="a binding refers to it", hint="correct the binding", at=at)
