"""Reading JSON that Azure sent: what is asked for, or a clean no; never a KeyError from somebody else's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from ctrain.errors import PlatformUnavailable

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Json: TypeAlias = Mapping[str, JsonValue]
"""A JSON object. Read with the functions here, and made into a frozen value at once."""


def find(body: JsonValue, *path: str) -> JsonValue:
    """What is at that path, or None where any part of it is absent or no object. Keys are compared as Azure does,
    without regard to case."""
    for key in path:
        if not isinstance(body, Mapping):
            return None
        body = body[key] if key in body else next((v for k, v in body.items() if k.lower() == key.lower()), None)
    return body


def section(body: JsonValue, *path: str) -> Json:
    """The object at that path; empty where there is none."""
    found = find(body, *path)
    return found if isinstance(found, Mapping) else {}


def items(body: JsonValue, *path: str) -> Sequence[JsonValue]:
    """The list at that path; empty where there is none."""
    found = find(body, *path)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def text(body: JsonValue, *path: str) -> str | None:
    """The string at that path, or None where there is none."""
    found = find(body, *path)
    return found if isinstance(found, str) else None


def number(body: JsonValue, *path: str) -> float | None:
    """The number at that path, or None where there is none. A true or false is no number."""
    found = find(body, *path)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def texts(body: JsonValue, *path: str) -> Mapping[str, str]:
    """The strings of the object at that path (tags, properties); values that are no strings are left out."""
    return {key: value for key, value in section(body, *path).items() if isinstance(value, str)}


def listed(body: JsonValue) -> Sequence[Json]:
    """The objects of a page of a list. Raises PlatformUnavailable for what is no page: nothing there would look like an
    empty list, and what is there like gone."""
    found = find(body, "value")
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise PlatformUnavailable(
            "Azure's answer could not be used",
            why="it was asked for a list, and gave none",
            hint="try again; a proxy in between may have answered",
        )
    return [one for one in found if isinstance(one, Mapping)]


def needed(body: JsonValue, *path: str) -> str:
    """The string at that path. Raises PlatformUnavailable where Azure left it out."""
    found = text(body, *path)
    if not found:
        raise PlatformUnavailable(
            "Azure's answer could not be used",
            why=f"it has no {'.'.join(path)}",
            hint="try again; if it stays, tell us the version of ctrain and what you asked for",
        )
    return found
