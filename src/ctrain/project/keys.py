"""The keys that `ctrain.yaml` may have, read from the settings dataclasses."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import EnumMeta, StrEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ctrain.document import Keys
from ctrain.gate.settings import Margin
from ctrain.project.settings import ProjectFile
from ctrain.rollout import Step
from ctrain.training import Scalar

ANY = "<name>"
"""Stands for a key that the user chooses: the name of a stage, of a metric, of a parameter."""

_WORDS: Mapping[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Scalar: "text, number, true or false",
    Margin: "number, or percentage in quotes",
    int | Step: "whole number, or section of traffic, bake and pause",
}


_UNIONS = (Union, types.UnionType)


@dataclass(frozen=True)
class KnownKey:
    """A key with what it takes, in words. `default` is None for a required key, and for one that is absent unless
    given; `section` says that it holds further keys."""

    keys: Keys
    takes: str
    required: bool
    default: object
    section: bool


def known_keys() -> Iterator[KnownKey]:
    """Every key there is, in the order in which the settings declare them."""
    yield from _under(ProjectFile, ())


def names_at(keys: Keys) -> tuple[str, ...]:
    """The known keys of the section that `keys` lead to; none where it takes any names, or holds a value."""
    kind = _section_of(_kind_at(keys))
    return tuple(item.name for item in fields(kind)) if isinstance(kind, type) and is_dataclass(kind) else ()


def names_of(keys: Keys) -> tuple[str, ...]:
    """The names that the mapping at `keys` takes, where they are a fixed choice: the triggers."""
    kind = _kind_at(keys)
    names = get_args(kind)[0] if get_origin(kind) is Mapping else None
    return tuple(names) if isinstance(names, EnumMeta) and issubclass(names, StrEnum) else ()


def takes_at(keys: Keys) -> str:
    """What the value at `keys` must be, in words."""
    return words(_kind_at(keys))


def words(kind: object) -> str:
    """A type as a person would say it."""
    kind = _unwrapped(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(item) for item in arguments)
    if origin is tuple:
        return f"list of {words(arguments[0])}"
    if origin is Mapping:
        return f"mapping of names to {words(arguments[1])}"
    return "section" if is_dataclass(kind) else "value"


def _kind_at(keys: Keys) -> object:
    kind: object = ProjectFile
    for key in keys:
        kind = _section_of(_unwrapped(kind))
        origin = get_origin(kind)
        if origin in (tuple, Mapping):
            kind = get_args(kind)[0 if origin is tuple else 1]
        elif isinstance(kind, type) and is_dataclass(kind):
            kind = _hints(kind).get(str(key), object)
        else:
            return object
    return _unwrapped(kind)


def _section_of(kind: object) -> object:
    """The one of several kinds that has keys below it; else the kind itself."""
    return next((item for item in get_args(kind) if is_dataclass(item)), kind) if get_origin(kind) in _UNIONS else kind


def _under(kind: type, keys: Keys) -> Iterator[KnownKey]:
    hints = _hints(kind)
    for item in fields(kind):
        inner, path = _unwrapped(hints[item.name]), (*keys, item.name)
        section = inner
        if get_origin(inner) is Mapping and is_dataclass(get_args(inner)[1]):
            section, path = get_args(inner)[1], (*path, ANY)
        nested = isinstance(section, type) and is_dataclass(section)
        yield KnownKey(path, words(section), _required(item), None if nested else _default(item), nested)
        if isinstance(section, type) and nested:
            yield from _under(section, path)


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _default(item: Field[Any]) -> object:
    if item.default is not MISSING:
        return item.default
    return item.default_factory() if item.default_factory is not MISSING else None


def _unwrapped(kind: object) -> object:
    """`X` out of `X | None`, `X | Y` out of `X | Y | None`."""
    if get_origin(kind) in _UNIONS:
        return Union[tuple(item for item in get_args(kind) if item is not types.NoneType)]  # noqa: UP007  of a tuple
    return kind


@cache
def _hints(kind: type) -> Mapping[str, object]:
    return get_type_hints(kind)
