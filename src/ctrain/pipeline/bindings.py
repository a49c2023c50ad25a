"""What the inputs of a pipeline's steps are bound to: looked up, checked against what the inputs take."""

from __future__ import annotations

from ctrain.pipeline.cursor import Cursor
from ctrain.pipeline.expressions import FromStepInput, Reference, has_expression, pieces
from ctrain.pipeline.graph import Asset, Binding, FromParent, FromStep, Input, Mixed, ValueType
from ctrain.pipeline.scope import Scope, single
from ctrain.pipeline.values import INPUT_KEYS, asset, checked


def bindings(scope: Scope, step: str) -> dict[str, Binding]:
    """What the step's inputs are bound to; those that keep their default, or stay without a value, are absent."""
    draft = scope.drafts[step]
    made: dict[str, Binding] = {}
    for name, value in draft.given.items():
        binding = bound(scope, step, scope.input_of(step, name, value))
        if binding is not None:
            made[name] = binding
    for name in scope.input_names(step):
        wanted = scope.input_of(step, name, draft.cursor)
        if name not in made and not wanted.optional and wanted.default is None:
            raise (draft.given.get(name) or draft.cursor.get("inputs") or draft.cursor).refuse(
                f"the step {step!r} lacks its input {name!r}",
                why=f"{name!r} is required by its component, and has no default",
                hint=f"add `{name}:` under its `inputs:`",
            )
    return made


def bound(scope: Scope, step: str, wanted: Input) -> Binding | None:
    """What this input is bound to, else its default; None where it stays without a value."""
    given = scope.drafts[step].given.get(wanted.name)
    if given is None:
        return wanted.default
    if isinstance(given.value, dict):
        given.only(INPUT_KEYS, "an input")
        inner = given.get("value") or given.get("path")
        if inner is None:
            raise given.refuse(
                f"the input {wanted.name!r} has no value", why="it has neither `path` nor `value`", hint="add one"
            )
        given = inner
    if isinstance(given.value, str) and has_expression(given.value):
        with scope.asking(step, wanted.name, given):
            return _expression(scope, wanted, given)
    if wanted.type.literal:
        return checked(given.scalar(), wanted, given.at)
    return asset(given, wanted.type, must_exist=True)


def _expression(scope: Scope, wanted: Input, given: Cursor) -> Binding | None:
    if found := single(given):
        return _followed(scope, found, wanted, given)
    if wanted.type is not ValueType.STRING:
        raise given.refuse(
            f"the input {wanted.name!r} mixes text and expressions",
            why=f"its type is {wanted.type}, and only a string can be put together",
            hint="bind it to one expression, or pass the parts as inputs of their own",
        )
    parts = [piece if isinstance(piece, str) else _part(scope, piece, wanted, given) for piece in pieces(given.text())]
    return Mixed(tuple(part for part in parts if part != ""))


def _part(scope: Scope, piece: Reference, wanted: Input, at: Cursor) -> str | FromParent | FromStep:
    match _followed(scope, piece, wanted, at):
        case FromParent() | FromStep() as found:
            return found
        case Mixed() | Asset():
            raise at.refuse(
                "this expression cannot stand inside text", why="it is not one value", hint="bind it on its own"
            )
        case None:
            return ""
        case value:
            return str(value)


def _followed(scope: Scope, source: Reference, wanted: Input, at: Cursor) -> Binding | None:
    match scope.resolved(source, at):
        case FromParent(name) as found:
            _takes(wanted, scope.inputs[name], at)
            return found
        case FromStep(step, output) as found:
            _same_kind(scope.output_of(step, output, at).type, wanted, at)
            return found
        case FromStepInput(step, name):
            other = scope.input_of(step, name, at)
            _same_kind(other.type, wanted, at)
            value = bound(scope, step, other)
            return checked(value, wanted, at.at) if isinstance(value, str | int | float) else value


def _takes(wanted: Input, source: Input, at: Cursor) -> None:
    """Whether a pipeline's input can be what a step's input is bound to.

    An optional one without a default cannot feed a required one: as `_validate_pipeline_optional...` of azure-ai-ml's
    `entities/_component/pipeline_component.py` has it.
    """
    _same_kind(source.type, wanted, at)
    if isinstance(source.default, str | int | float):
        checked(source.default, wanted, source.at)
    elif source.default is None and source.optional and not wanted.optional and wanted.default is None:
        raise at.refuse(
            f"the input {wanted.name!r} needs a value, and {source.name!r} may have none",
            why=f"{source.name!r} is optional, and {wanted.name!r} is required",
            hint="make both optional, or give the optional one a default",
        )


def _same_kind(source: ValueType, wanted: Input, at: Cursor) -> None:
    if source.literal is not wanted.type.literal:
        raise at.refuse(
            f"the input {wanted.name!r} is of type {wanted.type}",
            why=f"it is bound to a {source}",
            hint="bind it to something of its type, or change its type",
        )
