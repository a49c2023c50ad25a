"""The `${{...}}` expressions, and the `$[[...]]` optional parts of a command, as text is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ctrain.pipeline.graph import FromParent, FromStep

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_NAME}(?:\.{_NAME})*"


@dataclass(frozen=True)
class FromStepInput:
    """`${{parent.jobs.STEP.inputs.NAME}}`: what that step's input is bound to."""

    step: str
    name: str


@dataclass(frozen=True)
class ToParent:
    """`${{parent.outputs.NAME}}`: the output of the pipeline that a step's output is."""

    name: str


@dataclass(frozen=True)
class Own:
    """`${{inputs.NAME}}` or `${{outputs.NAME}}`: in a command, the step's own."""

    side: str
    name: str


@dataclass(frozen=True)
class Unknown:
    """An expression of no form that the schema has; `text` is what stands between the braces."""

    text: str


Reference = FromParent | FromStep | FromStepInput | ToParent | Own | Unknown

# Names may have dots: an input group is written flat, as `group.member`.
# Source: `VALID_KEY_PATTERN` in azure-ai-ml's `constants/_component.py`.
_FORMS = re.compile(
    rf"parent\.inputs\.(?P<parent_input>{_DOTTED})"
    rf"|parent\.outputs\.(?P<parent_output>{_DOTTED})"
    rf"|parent\.jobs\.(?P<step>{_NAME})\.(?P<side>inputs|outputs)\.(?P<name>{_DOTTED})"
    rf"|(?P<own>inputs|outputs)\.(?P<own_name>{_DOTTED})"
)


def is_name(text: str) -> bool:
    """A name that an input or output may have."""
    return re.fullmatch(_DOTTED, text) is not None


def is_step_name(text: str) -> bool:
    """As `is_valid_node_name` in azure-ai-ml's `_utils/utils.py`, and capitals, which the service takes."""
    return re.fullmatch(_NAME, text) is not None


def reference(text: str) -> Reference:
    """What stands between `${{` and `}}`, understood."""
    found = _FORMS.fullmatch(text)
    match found.groupdict() if found else None:
        case {"parent_input": str(name)}:
            return FromParent(name)
        case {"parent_output": str(name)}:
            return ToParent(name)
        case {"step": str(step), "side": "inputs", "name": str(name)}:
            return FromStepInput(step, name)
        case {"step": str(step), "name": str(name)}:
            return FromStep(step, name)
        case {"own": str(side), "own_name": str(name)}:
            return Own(side, name)
        case _:
            return Unknown(text)


def has_expression(text: str) -> bool:
    return "${{" in text


def pieces(text: str) -> Iterator[str | Reference]:
    """Literal text and references in turn; empty text is left out. An opening without its end is `Unknown`."""
    end = 0
    for found in _EXPRESSION.finditer(text):
        if between := text[end : found.start()]:
            yield between
        yield reference(found[1])
        end = found.end()
    rest = text[end:]
    if "${{" in rest:
        yield Unknown(rest[rest.index("${{") :].splitlines()[0])
    elif rest:
        yield rest


def references(text: str) -> Iterator[Reference]:
    return (piece for piece in pieces(text) if not isinstance(piece, str))


def without_optional_parts(command: str) -> str:
    """The command as it is when no optional input is given."""
    return _OPTIONAL.sub("", command)
