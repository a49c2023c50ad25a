"""The expressions of Azure Pipelines, the same grammar at compile time, in conditions and at run time.

Source: "Expressions" of the Azure Pipelines documentation: types, conversions, functions; names without case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Any
Function = Callable[..., Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|'(?P<text>(?:[^']|'')*)'"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>[()\[\].,*]))"
)
CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "null": None}


class BadExpression(Exception):
    """An expression that Azure Pipelines would refuse, or that we do not know."""


@dataclass(frozen=True)
class Scope:
    """What an expression may name, and the status functions where there are some."""

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = field(default_factory=dict)

    def beside(self, **contexts: Value) -> Scope:
        return Scope({**self.contexts, **contexts}, self.functions)


def as_text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "True" if value else "False"
        case int() | float():
            return f"{value:g}"
        case str():
            return value
        case _:
            raise BadExpression(f"an object is no text: {value!r}")


def truth(value: Value) -> bool:
    """Null, an empty string, 0 and false are not; objects are."""
    return not (value is None or value == "" or (not isinstance(value, list | Mapping) and value in (0, False)))


def same(left: Value, right: Value) -> bool:
    """The right one as the left one's type; strings without case. What cannot be converted is not equal."""
    try:
        match left:
            case None:
                return right in (None, "")
            case bool():
                return left == truth(right)
            case int() | float():
                return float(left) == float(as_text(right) or 0)
            case str():
                return left.lower() == as_text(right).lower()
            case _:
                return left is right
    except (BadExpression, ValueError):
        return False


def _order(left: Value, right: Value) -> int:
    if isinstance(left, str):
        one, other = left.lower(), as_text(right).lower()
        return (one > other) - (one < other)
    first, second = float(left or 0), float(as_text(right) or 0)
    return (first > second) - (first < second)


def _member(value: Value, key: Value) -> Value:
    if isinstance(value, list):
        if isinstance(key, str):
            return None
        return value[int(key)] if 0 <= int(key) < len(value) else None
    if isinstance(value, Mapping):
        name = as_text(key).lower()
        return next((inner for known, inner in value.items() if str(known).lower() == name), None)
    return None


def _in(value: Value, *others: Value) -> bool:
    return any(same(value, other) for other in others)


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value not in (None, "")), None)


def _format(pattern: Value, *values: Value) -> str:
    return re.sub(r"\{(\d+)\}", lambda hole: as_text(values[int(hole[1])]), as_text(pattern))


FUNCTIONS: Mapping[str, Function] = {
    "and": lambda *values: all(map(truth, values)),
    "or": lambda *values: any(map(truth, values)),
    "not": lambda value: not truth(value),
    "xor": lambda left, right: truth(left) != truth(right),
    "eq": same,
    "ne": lambda left, right: not same(left, right),
    "gt": lambda left, right: _order(left, right) > 0,
    "ge": lambda left, right: _order(left, right) >= 0,
    "lt": lambda left, right: _order(left, right) < 0,
    "le": lambda left, right: _order(left, right) <= 0,
    "in": _in,
    "notin": lambda value, *others: not _in(value, *others),
    "contains": lambda text, part: as_text(part).lower() in as_text(text).lower(),
    "containsvalue": lambda values, one: any(
        same(one, value) for value in (values.values() if isinstance(values, Mapping) else values or ())
    ),
    "startswith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "endswith": lambda text, end: as_text(text).lower().endswith(as_text(end).lower()),
    "coalesce": _coalesce,
    "length": lambda value: len(value if isinstance(value, list | Mapping) else as_text(value)),
    "format": _format,
    "join": lambda between, values: as_text(between).join(map(as_text, values)),
    "lower": lambda text: as_text(text).lower(),
    "upper": lambda text: as_text(text).upper(),
    "trim": lambda text: as_text(text).strip(),
    "replace": lambda text, old, new: as_text(text).replace(as_text(old), as_text(new)),
    "split": lambda text, between: as_text(text).split(as_text(between)),
    "iif": lambda condition, yes, no: yes if truth(condition) else no,
    "converttojson": lambda value: json.dumps(value, indent=2),
}


def evaluate(text: str, scope: Scope) -> Value:
    """The value of one expression, without `${{` or `$[`."""
    reading = _Reading(text, scope)
    value = reading.value()
    if reading.at < len(reading.tokens):
        raise BadExpression(f"not an expression: {text!r}, from {reading.tokens[reading.at][1]!r}")
    return value


class _Reading:
    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.at = text, scope, 0
        self.tokens: list[tuple[str, str]] = []
        place, rest = 0, text.rstrip()
        while place < len(rest):
            found = _TOKEN.match(rest, place)
            if not found or found.lastgroup is None:
                raise BadExpression(f"not an expression: {text!r}, from {rest[place:]!r}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    def _sign(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign):
            self.at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise BadExpression(f"{sign!r} is missing in {self.text!r}")

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise BadExpression(f"something is missing at the end of {self.text!r}")
        self.at += 1
        return self.tokens[self.at - 1]

    def value(self) -> Value:
        value = self._term()
        while True:
            if self._sign("."):
                kind, name = self._next()
                if kind != "name":
                    raise BadExpression(f"a name is missing after a dot in {self.text!r}")
                value = _member(value, name)
            elif self._sign("["):
                value = _member(value, self.value())
                self._need("]")
            else:
                return value

    def _term(self) -> Value:
        kind, word = self._next()
        match kind:
            case "number":
                return float(word) if "." in word else int(word)
            case "text":
                return word.replace("''", "'")
            case "name" if self._sign("("):
                return self._call(word)
            case "name" if word.lower() in CONSTANTS:
                return CONSTANTS[word.lower()]
            case "name":
                for known, value in self.scope.contexts.items():
                    if known.lower() == word.lower():
                        return value
                raise BadExpression(f"unrecognized value {word!r} in {self.text!r}")
            case _:
                raise BadExpression(f"{word!r} is unexpected in {self.text!r}")

    def _call(self, name: str) -> Value:
        values: list[Value] = []
        while not self._sign(")"):
            if values:
                self._need(",")
            values.append(self.value())
        known = {**FUNCTIONS, **{key.lower(): one for key, one in self.scope.functions.items()}}
        if name.lower() not in known:
            raise BadExpression(f"unrecognized function {name!r} in {self.text!r}")
        return known[name.lower()](*values)


def status_functions(results: list[str], *, canceled: bool) -> dict[str, Function]:
    """Over the results of all dependencies, direct and indirect; a skipped one is no success and no failure."""
    good = ("Succeeded", "SucceededWithIssues")

    def succeeded(*names: str) -> bool:
        if names:
            raise BadExpression("succeeded() with names is not known here")
        return not canceled and all(result in good for result in results)

    def failed(*names: str) -> bool:
        if names:
            raise BadExpression("failed() with names is not known here")
        return "Failed" in results

    return {
        "always": lambda: True,
        "canceled": lambda: canceled,
        "succeeded": succeeded,
        "failed": failed,
        "succeededOrFailed": lambda: not canceled and all(result in (*good, "Failed") for result in results),
    }
