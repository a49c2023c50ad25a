"""What Azure's SDK has against a pipeline's YAML, made readable: where it stands, what is wrong, and what to write.

The SDK says it as a page of text with JSON in it (`_validate_and_raise_if_failed`'s callers, azure-ai-ml 1.35.2): each
error has a path and a message, and the message is what each of the schemas says that the step might have been written
in, as Python prints its lists and dicts. Of those we keep what the schema says that fits best.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.bodies import Json, find, items, text
from ctrain.document import Document, Plain, nearest, read_document
from ctrain.errors import CtrainError, Location, PipelineError

SCHEMA: Final = "https://aka.ms/ml-cli-v2-job-pipeline-yaml-reference"

_NOT_IN_SET: Final = re.compile(r"Value '?(?P<value>.*?)'? passed is not in set \[(?P<choices>[^]]*)\]")
_NOT_OF_TYPE: Final = re.compile(r"Not a valid (?P<kind>[\w ]+)\.")
_NOISE: Final = ("Value passed is not a data binding string", "TypeError:", "Traceback")
_UNKNOWN: Final = "Unknown field."
_MISSING: Final = "Missing data for required field."
_NO_REFERENCE: Final = "In order to specify an existing"
_UNTOLD: Final = {"_schema", "value", "None"}
"""Keys of the SDK's messages that stand for no key of the file."""


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong. `keys` lead to it from the top of the file; `choices` are what could be written."""

    keys: tuple[str, ...]
    words: str
    value: str = ""
    choices: tuple[str, ...] = ()

    @property
    def cost(self) -> int:
        """How far the schema that says it is from what was meant: one for another kind of thing misses its keys."""
        if self.words == _MISSING or (self.choices and self.keys in {("type",), ("component", "type")}):
            return 3
        if self.words.startswith(_NO_REFERENCE):
            return 4
        return 2 if self.words == _UNKNOWN or (not self.keys and _NOT_OF_TYPE.match(self.words)) else 1


def complaints(page: str) -> tuple[Complaint, ...]:
    """What a page of the SDK's says, the telling things only; nothing for a page that is of another kind."""
    start = page.find("{")
    try:
        body: Json = json.JSONDecoder().raw_decode(page[start:])[0] if start >= 0 else {}
    except ValueError:
        return ()
    found = [
        replace(inner, keys=(*tuple((text(one, "path") or "").split(".")), *inner.keys))
        for one in (*items(body, "errors"), *items(body, "warnings"))
        for inner in _best(_alternatives(text(one, "message") or ""), mapping=isinstance(find(one, "value"), dict))
    ]
    # A step that is wrong in any way is no `component` step either, and the SDK says that, too.
    telling = [one for one in found if not _is_of_every_step(one)]
    return tuple(dict.fromkeys(telling or found))


def _is_of_every_step(one: Complaint) -> bool:
    return one.keys[-1:] == ("component",) and (one.words == _MISSING or one.words.startswith(_NO_REFERENCE))


def _alternatives(message: str) -> list[object]:
    """The message's parts, which `; ` joins: what Python printed as it was, the rest as text."""
    parts: list[object] = []
    held = ""
    for part in message.split("; "):
        held = f"{held}; {part}" if held else part
        if held[:1] not in "{[":
            parts.append(held)
            held = ""
            continue
        try:
            parts.append(ast.literal_eval(held))
            held = ""
        except (ValueError, SyntaxError):
            continue
    return parts


def _best(alternatives: Sequence[object], *, mapping: bool = False) -> list[Complaint]:
    """The complaints of the schemas that fit best. `mapping`: it is one, so that no scalar was meant."""
    read = [told for one in alternatives if (told := list(_read(one)))]
    if mapping and any(one.keys for told in read for one in told):
        read = [told for told in read if any(one.keys for one in told)]
    if not read:
        return []
    least = min(map(_cost, read))
    return _merged([one for told in read if _cost(told) == least for one in told])


def _cost(told: Sequence[Complaint]) -> int:
    return sum(one.cost for one in told)


def _merged(found: Sequence[Complaint]) -> list[Complaint]:
    """One for each place; what several schemas would take there, together."""
    made: dict[tuple[str, ...], Complaint] = {}
    for one in found:
        known = made.get(one.keys)
        if known is None:
            made[one.keys] = one
        elif known.choices and one.choices:
            made[one.keys] = replace(known, choices=tuple(dict.fromkeys((*known.choices, *one.choices))))
    return list(made.values())


def _read(told: object, keys: tuple[str, ...] = ()) -> Iterator[Complaint]:
    match told:
        case str() if not told.startswith(_NOISE):
            choice = _NOT_IN_SET.search(told)
            if choice:
                choices = tuple(re.findall(r"'([^']*)'", choice["choices"]))
                yield Complaint(keys, told, choice["value"], choices)
            else:
                yield Complaint(keys, told)
        case list():
            yield from (replace(one, keys=(*keys, *one.keys)) for one in _best(told))
        case dict():
            for key, inner in told.items():
                yield from _read(inner, keys if str(key) in _UNTOLD else (*keys, str(key)))
        case _:
            return


def refused(file: Path, page: str) -> PipelineError:
    """The error for a pipeline that the SDK cannot read: the first thing that is wrong, where it stands, and how many
    more there are."""
    found = complaints(page)
    if not found:
        first = " ".join(page.partition("{")[0].split())[:300].rstrip(":. ")
        return PipelineError(
            f"Azure ML's SDK cannot read {file.name}", why=first or "it does not say why",
            hint=f"compare it with {SCHEMA}", at=Location(file, 1),
        )  # fmt: skip
    one, others = found[0], found[1:]
    at, name = _place(file, one.keys), ".".join(one.keys)
    more = f"; also wrong: {', '.join('.'.join(other.keys) for other in others[:5])}" if others else ""
    what, why, hint = _told(one, name)
    return PipelineError(what, why=why + more, hint=hint, at=at)


def _told(one: Complaint, name: str) -> tuple[str, str, str]:
    kind = _NOT_OF_TYPE.match(one.words)
    schema = f"compare it with {SCHEMA}"
    if one.choices:
        close = nearest(one.value, one.choices)
        hint = f"did you mean {close!r}?" if close else "write one of them, or remove it"
        return f"{name} cannot be {one.value!r}", f"it may be {', '.join(one.choices)}", hint
    if kind:
        wanted = f"{'an' if kind['kind'][0] in 'aeiou' else 'a'} {kind['kind']}"
        return f"{name} is of the wrong type", f"Azure ML takes {wanted} there", f"write {wanted}"
    if one.words == _UNKNOWN:
        return f"there is no {name}", "Azure ML's SDK does not know that key", f"correct or remove it; {schema}"
    if one.words == _MISSING and one.keys[-1:] == ("component",):
        step = ".".join(one.keys[:-1])
        why = "it fits no kind of step, and Azure's SDK does not say why: a value may be of a wrong type"
        return f"Azure ML cannot read {step}", why, f"look at its keys one by one; {schema}"
    if one.words == _MISSING:
        return f"{name} is missing", "Azure ML needs it", f"write it; {schema}"
    words = " ".join(one.words.split())[:300].rstrip(".")
    return f"Azure ML does not take {name}", f"its SDK says: {words}", schema


def _place(file: Path, keys: Sequence[str]) -> Location:
    """Where that stands: in the component's own file where the keys lead through one."""
    try:
        document = read_document(file, PipelineError)
        return _found(document, tuple(keys))
    except CtrainError:
        return Location(file, 1)


def _found(document: Document, keys: tuple[str, ...]) -> Location:
    value: Plain = document.value
    for count, key in enumerate(keys):
        value = value.get(key) if isinstance(value, dict) else None
        if key == "component" and isinstance(value, str) and keys[count + 1 :]:
            inner = document.file.parent / value.removeprefix("file:")
            if inner.is_file():
                return _found(read_document(inner, PipelineError), keys[count + 1 :])
    return document.at(*keys)
