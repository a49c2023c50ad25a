"""The file's shape as a pydantic-core validator.

This is what `pydantic.TypeAdapter(ProjectFile)` builds as well (a test holds the two to the same answers); but
importing pydantic and letting it inspect our 14 dataclasses takes 85 ms of the 400 ms that `ctrain plan` has,
and its core alone takes 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import EnumMeta, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic_core import SchemaValidator, core_schema

from ctrain.project.settings import ProjectFile

_SCALARS: Mapping[object, core_schema.CoreSchema] = {
    str: core_schema.str_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    float: core_schema.float_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
}


@cache
def validator() -> SchemaValidator:
    """What reads a `ProjectFile` from JSON."""
    return validator_of(ProjectFile)


def validator_of(kind: type) -> SchemaValidator:
    """What reads such a dataclass from JSON."""
    return SchemaValidator(_schema(kind))


def _schema(kind: object) -> core_schema.CoreSchema:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, EnumMeta) and issubclass(kind, StrEnum):
        return core_schema.enum_schema(kind, list(kind), sub_type="str")
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_schema(kind)
    return _generic_schema(get_origin(kind), get_args(kind))


def _generic_schema(origin: object, inner: tuple[object, ...]) -> core_schema.CoreSchema:
    if origin is Literal:
        return core_schema.literal_schema([*inner])
    if origin is tuple:
        return core_schema.tuple_schema([_schema(inner[0])], variadic_item_index=0)
    if origin is Mapping:
        return core_schema.dict_schema(_schema(inner[0]), _schema(inner[1]))
    if origin in (Union, UnionType):
        choices = [_schema(choice) for choice in inner if choice is not NoneType]
        only = choices[0] if len(choices) == 1 else core_schema.union_schema([*choices])
        return core_schema.nullable_schema(only) if NoneType in inner else only
    raise TypeError(f"a setting cannot be of type {origin}")


def _dataclass_schema(kind: type) -> core_schema.CoreSchema:
    hints = get_type_hints(kind)
    shapes = [core_schema.dataclass_field(item.name, _with_default(item, hints[item.name])) for item in fields(kind)]
    arguments = core_schema.dataclass_args_schema(kind.__name__, shapes, extra_behavior="forbid")
    return core_schema.dataclass_schema(kind, arguments, [item.name for item in fields(kind)], frozen=True)


def _with_default(item: Field[Any], kind: object) -> core_schema.CoreSchema:
    if item.default is not MISSING:
        return core_schema.with_default_schema(_schema(kind), default=item.default)
    if item.default_factory is not MISSING:
        return core_schema.with_default_schema(_schema(kind), default_factory=item.default_factory)
    return _schema(kind)
