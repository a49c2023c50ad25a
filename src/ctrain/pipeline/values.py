"""Declared inputs and outputs, and whether a value is one that an input takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from ctrain.document import nearest
from ctrain.errors import Location, PipelineError
from ctrain.pipeline.cursor import Cursor
from ctrain.pipeline.expressions import is_name
from ctrain.pipeline.graph import Asset, Input, Output, ValueType
from ctrain.training import Scalar

INPUT_KEYS = frozenset(
    {"type", "description", "optional", "default", "enum", "min", "max", "mode", "path", "value"}
    | {"datastore", "path_on_compute", "name", "version", "intellectual_property"}
)
OUTPUT_KEYS = frozenset(
    {"type", "description", "mode", "path", "name", "version", "datastore", "early_available", "is_control"}
    | {"intellectual_property"}
)


def value_type(cursor: Cursor) -> ValueType:
    """The type that a declaration names. `path` is the schema's old word for `uri_folder`."""
    word = cursor.text().lower()
    if word == "path":
        return ValueType.URI_FOLDER
    if word not in list(ValueType):
        known = [kind.value for kind in ValueType]
        meant = nearest(word, known)
        raise cursor.refuse(
            f"there is no type {cursor.text()!r}",
            why=f"the types are {', '.join(known)}",
            hint=f"did you mean {meant!r}?" if meant else "name one of them",
        )
    return ValueType(word)


def literal_type(value: Scalar) -> ValueType:
    """What a bare value in YAML is."""
    match value:
        case bool():
            return ValueType.BOOLEAN
        case int():
            return ValueType.INTEGER
        case float():
            return ValueType.NUMBER
        case str():
            return ValueType.STRING
        case _:
            assert_never(value)


def checked(value: Scalar, wanted: Input, at: Location) -> Scalar:
    """The value as the type of this (literal) input, within its `enum`, `min` and `max`.

    Text that reads as the type is taken, as `Input._parse` in azure-ai-ml's `entities/_inputs_outputs/input.py`
    does; a number that is given for text becomes its digits. Raises PipelineError, located at `at`.
    """
    made = _as_type(value, wanted.type)
    if made is None:
        raise PipelineError(
            f"{value!r} is not a value for the input {wanted.name!r}",
            why=f"{wanted.name!r} is of type {wanted.type}",
            hint=f"give it {_EXAMPLES[wanted.type]}",
            at=at,
        )
    if wanted.enum and made not in wanted.enum:
        raise PipelineError(
            f"{value!r} is not a value for the input {wanted.name!r}",
            why=f"its enum is {', '.join(map(str, wanted.enum))}",
            hint="choose one of them",
            at=at,
        )
    low, high = wanted.minimum, wanted.maximum
    outside = isinstance(made, int | float) and ((low is not None and made < low) or (high is not None and made > high))
    if outside:
        bounds = " and ".join([f"min is {low:g}"] * (low is not None) + [f"max is {high:g}"] * (high is not None))
        raise PipelineError(
            f"{value!r} is not a value for the input {wanted.name!r}", why=f"its {bounds}", hint="stay within", at=at
        )
    return made


_EXAMPLES = {
    ValueType.INTEGER: "a whole number",
    ValueType.NUMBER: "a finite number",
    ValueType.BOOLEAN: "true or false",
    ValueType.STRING: "text",
}


def _as_type(value: Scalar, kind: ValueType) -> Scalar | None:
    """None where the value does not read as that type."""
    if kind is ValueType.STRING:
        return str(value)
    if kind is ValueType.BOOLEAN:
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())
    number = _number(value)
    if number is not None and kind is ValueType.INTEGER:
        return int(number) if number == int(number) else None
    return number


def _number(value: Scalar) -> int | float | None:
    if isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, int) else int(value) if _digits(value) else float(value)
        return number if math.isfinite(number) else None
    except (ValueError, OverflowError):
        return None


def _digits(value: str | float) -> bool:
    return isinstance(value, str) and value.strip().removeprefix("-").isdecimal()


def asset(cursor: Cursor, kind: ValueType, *, must_exist: bool) -> Asset:
    """The asset that a path names: local ones become absolute; `azureml:`, `https://` and the like stay as they are."""
    text = cursor.text()
    if is_remote(text):
        return Asset(text, kind)
    path = cursor.existing("file or folder") if must_exist else cursor.path()
    if must_exist and ((kind in _FOLDERS and path.is_file()) or (kind is ValueType.URI_FILE and path.is_dir())):
        raise cursor.refuse(
            f"{text} is a {'folder' if path.is_dir() else 'file'}",
            why=f"the input is of type {kind}",
            hint="name a file" if kind is ValueType.URI_FILE else "name a folder, or use another type",
        )
    return Asset(str(path), kind)


_FOLDERS = (ValueType.URI_FOLDER, ValueType.MLTABLE, ValueType.MLFLOW_MODEL)


def is_remote(text: str) -> bool:
    """`azureml:...`, or a URI of a scheme that is not `file`; a drive letter is not a scheme."""
    scheme = text.partition(":")[0] if ":" in text else ""
    return scheme == "azureml" or ("://" in text and len(scheme) > 1 and scheme != "file")


def declared_input(name: str, cursor: Cursor) -> Input:
    """An input that a component declares: `{type, optional, default, enum, min, max}`."""
    require_name(name, cursor, "input")
    cursor.only(INPUT_KEYS, "an input")
    kind = _required_type(cursor, f"the input {name!r}")
    made = Input(
        name,
        kind,
        cursor.at,
        optional=cursor.flag_of("optional", default=False),
        minimum=_bound(cursor, "min"),
        maximum=_bound(cursor, "max"),
    )
    made = replace(made, enum=_enum(cursor, made))
    given = cursor.get("default")
    if given is None:
        return made
    if kind.literal:
        return replace(made, default=checked(given.scalar(), made, given.at))
    return replace(made, default=asset(given, kind, must_exist=False))


def job_input(name: str, cursor: Cursor) -> Input:
    """An input of a pipeline job: a bare literal, `{value: ...}`, or `{type, path, mode}`; its value is its default.

    An asset without a path is left for the trainer to fill. Its local path is looked at when it is used: another
    may be put in its place.
    """
    require_name(name, cursor, "input")
    if cursor.value is None:
        raise cursor.refuse(
            f"the input {name!r} has no value", why="a pipeline job gives its inputs", hint="give it a value"
        )
    if not isinstance(cursor.value, dict):
        value = cursor.scalar()
        return Input(name, literal_type(value), cursor.at, default=value)
    cursor.only(INPUT_KEYS, "an input")
    given = cursor.get("value")
    if given:
        value = given.scalar()
        return Input(name, literal_type(value), cursor.at, default=value)
    path = cursor.get("path")
    if path:
        named = cursor.get("type")
        kind = value_type(named) if named else ValueType.URI_FOLDER
        if kind.literal:
            raise path.refuse(
                f"the input {name!r} has a path", why=f"its type {kind} has none", hint="write the value itself"
            )
        return Input(name, kind, cursor.at, default=asset(path, kind, must_exist=False))
    return declared_input(name, cursor)


def declared_output(name: str, cursor: Cursor) -> Output:
    """An output that a component declares."""
    require_name(name, cursor, "output")
    cursor.only(OUTPUT_KEYS, "an output")
    return Output(name, _required_type(cursor, f"the output {name!r}"), cursor.at, path=cursor.text_of("path"))


def require_name(name: str, cursor: Cursor, what: str) -> None:
    if not is_name(name):
        raise cursor.refuse(
            f"{name!r} is no name for an {what}",
            why="names are letters, digits and _, and start with no digit",
            hint=f"rename the {what}",
        )


def declared_inputs(component: Cursor) -> Mapping[str, Input]:
    return {name: declared_input(name, entry) for name, entry in component.items("inputs")}


def declared_outputs(component: Cursor) -> Mapping[str, Output]:
    return {name: declared_output(name, entry) for name, entry in component.items("outputs")}


def _required_type(cursor: Cursor, whose: str) -> ValueType:
    named = cursor.get("type")
    if named is None:
        raise cursor.refuse(f"{whose} has no type", why="its type says what may be put in", hint="add `type:`")
    return value_type(named)


def _bound(cursor: Cursor, key: str) -> float | None:
    given = cursor.get(key)
    if given is None:
        return None
    number = _number(given.scalar())
    if number is None:
        raise given.wrong("a number")
    return float(number)


def _enum(cursor: Cursor, of: Input) -> tuple[Scalar, ...]:
    given = cursor.get("enum")
    if given is None:
        return ()
    if not isinstance(given.value, list):
        raise given.wrong("a list of values")
    if not of.type.literal:
        raise given.refuse(
            f"the input {of.name!r} has an enum", why=f"its type {of.type} has no values to list", hint="remove it"
        )
    items = (given.child(place, item) for place, item in enumerate(given.value))
    return tuple(checked(item.scalar(), of, item.at) for item in items)
