"""GitHub's expression language: what stands between `${{` and `}}`.

Source: "Evaluate expressions in workflows and actions" of GitHub's documentation; actions/runner,
`src/Sdk/DTExpressions2/Expressions2` (types, coercion, precedence). Case matters in no name and no comparison.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Value = Any
"""None, a bool, a number, a string, a list or a mapping: what JSON can say."""
Function = Callable[..., Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))(?![\w.])"
    r"|'(?P<text>(?:[^']|'')*)'|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\].,*]))"
)
_HOLE = re.compile(r"\$\{\{((?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*)\}\}")
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))
STATUS = frozenset({"success", "failure", "cancelled", "always"})
"""The functions that take the place of the `success()` which every condition has otherwise."""


class BadExpression(Exception):
    """An expression that GitHub would refuse, or that we do not know."""


@dataclass(frozen=True)
class Scope:
    """What an expression may name. `exact` are the contexts whose names are the system's: `env` on Linux."""

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = field(default_factory=dict)
    exact: frozenset[str] = frozenset({"env"})

    def beside(self, **contexts: Value) -> Scope:
        """The same with these contexts added or replaced."""
        return Scope({**self.contexts, **contexts}, self.functions, self.exact)


@dataclass(frozen=True)
class _Exact(Mapping[str, Value]):
    of: Mapping[str, Value]

    def __getitem__(self, key: str) -> Value:
        return self.of[key]

    def __iter__(self) -> Any:
        return iter(self.of)

    def __len__(self) -> int:
        return len(self.of)


class _Filtered(list[Value]):
    """What `.*` made: the next name is looked up in each."""


def evaluate(text: str, scope: Scope) -> Value:
    """The value of one expression, without `${{`."""
    return _Reading(text, scope).whole()


def fill(text: str, scope: Scope) -> Value:
    """A string with its expressions replaced; a string that is one expression becomes its value as it is."""
    whole = _HOLE.fullmatch(text.strip())
    if whole:
        return evaluate(whole[1], scope)
    if "${{" in _HOLE.sub("", text):
        raise BadExpression(f"an expression does not end: {text!r}")
    return _HOLE.sub(lambda hole: as_text(evaluate(hole[1], scope)), text)


def fill_all(value: Value, scope: Scope) -> Value:
    """The same in all that is below."""
    match value:
        case str():
            return fill(value, scope)
        case Mapping():
            return {fill(key, scope): fill_all(inner, scope) for key, inner in value.items()}
        case list():
            return [fill_all(inner, scope) for inner in value]
        case _:
            return value


def holds(condition: Value, scope: Scope) -> bool:
    """Whether an `if` lets its job or step run.

    Without a status function it has `success() &&` before it. Text around `${{ }}` makes it a string, which is always
    true: nobody means that, and we refuse it.
    """
    if isinstance(condition, bool):
        condition = as_text(condition)
    text = str(condition).strip()
    whole = _HOLE.fullmatch(text)
    if not whole and "${{" in text:
        raise BadExpression(f"this condition is a text, and always true: {text!r}")
    expression = (whole[1] if whole else text).strip()
    if not expression:
        expression = "success()"
    elif not names(expression) & STATUS:
        expression = f"success() && ({expression})"
    return truth(evaluate(expression, scope))


def names(expression: str) -> set[str]:
    """The functions that it calls, in lower case."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", expression)
    return {name.lower() for name in re.findall(r"([A-Za-z_][\w-]*)\s*\(", bare)}


def truth(value: Value) -> bool:
    """False, 0, an empty string, null and NaN are not."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return not (value is None or value is False or value == "" or (not isinstance(value, bool) and value == 0))


def as_text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:.15g}" if not float(value).is_integer() else str(int(value))
        case str():
            return value
        case Mapping():
            return "Object"
        case _:
            return "Array"


def as_number(value: Value) -> float:
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case str():
            return _parsed(value.strip())
        case _:
            return math.nan


def _parsed(text: str) -> float:
    if not text:
        return 0.0
    for prefix, base in (("0x", 16), ("0o", 8)):
        if text.startswith(prefix):
            return float(int(text, base))
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) else math.nan


def same(left: Value, right: Value) -> bool:
    """Equal as GitHub sees it: strings without case, types that differ as numbers, lists by identity."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if isinstance(left, list | Mapping) or isinstance(right, list | Mapping):
        return left is right
    return as_number(left) == as_number(right) if type(left) is not type(right) else bool(left == right)


def _less(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() < right.upper()
    return as_number(left) < as_number(right)


def _compare(sign: str, left: Value, right: Value) -> bool:
    match sign:
        case "==":
            return same(left, right)
        case "!=":
            return not same(left, right)
        case "<":
            return _less(left, right)
        case ">":
            return _less(right, left)
        case "<=":
            return _less(left, right) or same(left, right)
        case _:
            return _less(right, left) or same(left, right)


class _Reading:
    """One reading of a text: what is read is evaluated at once, but what `&&` and `||` leave out is only parsed."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope
        self.tokens = list(self._split())
        self.at = 0

    def _split(self) -> Any:
        place, rest = 0, self.text.rstrip()
        while place < len(rest):
            found = _TOKEN.match(rest, place)
            if not found:
                raise BadExpression(f"not an expression: {self.text!r}, from {rest[place:]!r}")
            yield found.lastgroup, found[found.lastgroup or 0]
            place = found.end()

    def whole(self) -> Value:
        value = self.level(0, live=True)
        if self.at < len(self.tokens):
            raise BadExpression(f"not an expression: {self.text!r}, from {self.tokens[self.at][1]!r}")
        return value

    def sign(self, *signs: str) -> str | None:
        if self.at < len(self.tokens):
            kind, word = self.tokens[self.at]
            if kind == "sign" and word in signs:
                self.at += 1
                return str(word)
        return None

    def need(self, sign: str) -> None:
        if not self.sign(sign):
            raise BadExpression(f"{sign!r} is missing in {self.text!r}")

    def level(self, depth: int, *, live: bool) -> Value:
        if depth == len(_LEVELS):
            return self.unary(live=live)
        left = self.level(depth + 1, live=live)
        while sign := self.sign(*_LEVELS[depth]):
            if sign in ("&&", "||"):
                goes_on = truth(left) is (sign == "&&")
                right = self.level(depth + 1, live=live and goes_on)
                left = right if goes_on else left
            else:
                right = self.level(depth + 1, live=live)
                left = _compare(sign, left, right) if live else None
        return left

    def unary(self, *, live: bool) -> Value:
        if self.sign("!"):
            return not truth(self.unary(live=live))
        value = self.term(live=live)
        while sign := self.sign(".", "["):
            if sign == ".":
                value = self._star(value) if self.sign("*") else self._property(value, self._name())
            elif self.sign("*"):
                self.need("]")
                value = self._star(value)
            else:
                key = self.level(0, live=live)
                self.need("]")
                value = self._index(value, key)
        return value

    def _name(self) -> str:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "name":
            self.at += 1
            return str(self.tokens[self.at - 1][1])
        raise BadExpression(f"a name is missing after a dot in {self.text!r}")

    def term(self, *, live: bool) -> Value:
        if self.sign("("):
            value = self.level(0, live=live)
            self.need(")")
            return value
        if self.at >= len(self.tokens):
            raise BadExpression(f"something is missing at the end of {self.text!r}")
        kind, word = self.tokens[self.at]
        self.at += 1
        match kind:
            case "number":
                return as_number(word)
            case "text":
                return word.replace("''", "'")
            case "name" if self.sign("("):
                return self._call(word, live=live)
            case "name":
                return self._context(word)
            case _:
                raise BadExpression(f"{word!r} is unexpected in {self.text!r}")

    def _context(self, name: str) -> Value:
        constants: dict[str, Value] = {
            "null": None,
            "true": True,
            "false": False,
            "NaN": math.nan,
            "Infinity": math.inf,
        }
        if name in constants:
            return constants[name]
        for known, value in self.scope.contexts.items():
            if known.lower() == name.lower():
                return _Exact(value) if known in self.scope.exact else value
        raise BadExpression(f"there is no {name!r} here: {self.text!r} (there are {', '.join(self.scope.contexts)})")

    def _call(self, name: str, *, live: bool) -> Value:
        arguments: list[Value] = []
        while not self.sign(")"):
            if arguments:
                self.need(",")
            arguments.append(self.level(0, live=live))
        known = {**FUNCTIONS, **{key.lower(): value for key, value in self.scope.functions.items()}}
        if name.lower() not in known:
            raise BadExpression(f"there is no function {name!r} here: {self.text!r}")
        return known[name.lower()](*arguments) if live else None

    def _property(self, value: Value, name: str) -> Value:
        if isinstance(value, _Filtered):
            return _Filtered(found for inner in value if (found := self._property(inner, name)) is not None)
        if isinstance(value, _Exact):
            return value.of.get(name)
        if isinstance(value, Mapping):
            return next((inner for key, inner in value.items() if str(key).lower() == name.lower()), None)
        return None

    def _index(self, value: Value, key: Value) -> Value:
        if isinstance(value, list) and not isinstance(key, str):
            place = as_number(key)
            return value[int(place)] if place.is_integer() and 0 <= place < len(value) else None
        return self._property(value, as_text(key))

    def _star(self, value: Value) -> Value:
        return _Filtered(value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ())


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, list):
        return any(same(item, what) for item in where)
    return as_text(what).lower() in as_text(where).lower()


def _format(pattern: Value, *values: Value) -> str:
    def hole(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if not found[1] or int(found[1]) >= len(values):
            raise BadExpression(f"format has no value for {found[0]!r} in {pattern!r}")
        return as_text(values[int(found[1])])

    return re.sub(r"\{\{|\}\}|\{(\d*)\}|[{}]", hole, as_text(pattern))


def _join(values: Value, between: Value = ",") -> str:
    return as_text(between).join(as_text(value) for value in values) if isinstance(values, list) else as_text(values)


def _from_json(text: Value) -> Value:
    try:
        return json.loads(as_text(text))
    except ValueError as problem:
        raise BadExpression(f"fromJSON: {problem} in {text!r}") from problem


def _to_json(value: Value) -> str:
    return json.dumps(value, indent=2, default=lambda inner: dict(inner) if isinstance(inner, Mapping) else str(inner))


FUNCTIONS: Mapping[str, Function] = {
    "contains": _contains,
    "startswith": lambda text, start: as_text(text).lower().startswith(as_text(start).lower()),
    "endswith": lambda text, end: as_text(text).lower().endswith(as_text(end).lower()),
    "format": _format,
    "join": _join,
    "tojson": _to_json,
    "fromjson": _from_json,
}


def status_functions(results: Sequence[str], *, cancelled: bool) -> dict[str, Function]:
    """success(), failure(), cancelled(), always(), over what went before: steps of a job, or all ancestors of a job."""
    return {
        "success": lambda: not cancelled and all(result == "success" for result in results),
        "failure": lambda: not cancelled and "failure" in results,
        "cancelled": lambda: cancelled,
        "always": lambda: True,
    }
