"""What pydantic refuses, in our three sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ctrain.document import Document, Keys, nearest
from ctrain.gate import Problem
from ctrain.project.keys import names_at, names_of, takes_at

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def refusals(errors: Sequence[ErrorDetails], document: Document) -> Iterator[Problem]:
    """One problem for each place at fault, however many types were tried there.

    A key that is missing because it is misspelt is one problem, not two.
    """
    problems: dict[Keys, Problem] = {}
    missing: set[Keys] = set()
    meant: set[Keys] = set()
    for error in errors:
        loc = _untyped(error["loc"], document)
        keys = _place(loc, document)
        match error["type"]:
            case "missing":
                keys = loc
                problem = _missing(keys)
                missing.add(keys)
            case "unexpected_keyword_argument":
                problem = _unknown(keys, names_at(keys[:-1]))
                meant.add((*keys[:-1], nearest(str(keys[-1]), names_at(keys[:-1])) or ""))
            case _ if loc[-1:] == ("[key]",):
                problem = _unknown(keys, names_of(keys[:-1]))
            case _:
                problem = _wrong_value(error["input"], keys)
        problems.setdefault(keys, problem)
    for keys, problem in problems.items():
        # What could be of several types is refused by each; who wrote a section hears of what is wrong in it.
        within = any(other[: len(keys)] == keys and len(other) > len(keys) for other in problems)
        if keys not in missing & meant and not within:
            yield problem


def dotted(keys: Keys) -> str:
    """`triggers.main.deploy[0]`. A key that would not print as one short word is quoted."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{_word(key)}" for key in keys).removeprefix(".")


def _word(key: str) -> str:
    return key if key.isprintable() and len(key) <= 60 else repr(key[:60])


def _untyped(loc: Keys, document: Document) -> Keys:
    """The location without the names of types that stand in its midst: keys of the file, and at the end one more."""
    value: object = document.value
    kept: list[str | int] = []
    for place, key in enumerate(loc):
        match value:
            case dict() if key in value:
                value = value[str(key)]
            case list() if isinstance(key, int) and key < len(value):
                value = value[key]
            case _ if place < len(loc) - 1 and key != "[key]":
                continue
            case _:
                pass
        kept.append(key)
    return tuple(kept)


def _place(loc: Keys, document: Document) -> Keys:
    """As much of the location as stands in the file; the rest of it names types that were tried."""
    value: object = document.value
    for depth, key in enumerate(loc):
        match value:
            case dict() if key in value:
                value = value[str(key)]
            case list() if isinstance(key, int) and key < len(value):
                value = value[key]
            case _:
                return loc[:depth]
    return loc


def _unknown(keys: Keys, known: Sequence[str]) -> Problem:
    meant = nearest(str(keys[-1]), known)
    return Problem(
        keys,
        f"`{dotted(keys)}` is not a known key",
        f"{_section(keys)} takes {', '.join(known)}",
        f"did you mean `{meant}`?" if meant else "remove it",
    )


def _missing(keys: Keys) -> Problem:
    hint = f"add `{keys[-1]}:` with {_article(takes_at(keys))}"
    return Problem(keys, f"`{dotted(keys)}` is missing", f"{_section(keys)} needs it", hint)


def _section(keys: Keys) -> str:
    return f"`{dotted(keys[:-1])}`" if keys[:-1] else "the file"


def _wrong_value(given: object, keys: Keys) -> Problem:
    takes = takes_at(keys)
    what = f"`{dotted(keys)}` must be {_article(takes)}"
    if given is None:
        return Problem(keys, what, "nothing is written there", "write a value, or remove the key")
    choices = takes.removeprefix("one of ").split(", ") if takes.startswith("one of ") else []
    meant = nearest(str(given), choices)
    if meant:
        return Problem(keys, what, f"it is {shown(given)}", f"did you mean `{meant}`?")
    match given, takes:
        case (int() | float(), "text"):
            hint = "put it in quotes"
        case (str(), "number" | "whole number" | "true or false"):
            hint = "write it without quotes" if _plain(given) else f"write {_article(takes)}"
        case (str() | int() | float(), _) if takes.startswith("list of"):
            hint = f"write `[{given}]`"
        case (_, "section"):
            hint = f"nest {', '.join(names_at(keys))} below it"
        case _:
            hint = f"write {_article(takes)}"
    return Problem(keys, what, f"it is {shown(given)}", hint)


def shown(given: object) -> str:
    """A value as a person would name it, in at most 40 characters of its own."""
    match given:
        case bool():
            return str(given).lower()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str():
            return f"the text {given[:37] + '...' if len(given) > 40 else given!r}"
        case _:
            return f"the number {given}"[:60]


def _article(takes: str) -> str:
    return takes if takes.startswith(("one of", "text", "true")) else f"a {takes}"


def _plain(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), str)
    except ValueError:
        return False
