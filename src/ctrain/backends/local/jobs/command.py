"""A step's command line: `${{...}}` and `$[[...]]` filled in, values kept from becoming shell syntax.

Azure ML puts a value into the command as it is and lets bash read the result: a value with spaces needs quotes around
its expression, and without them becomes several words. We keep to that, so that what runs here runs there, with one
difference: the characters of a value never act as syntax. `$(...)`, `;`, `*` or a quote in a value stay what they are,
wherever the expression stands: bare, in quotes of either kind, in `$(...)`, or in a here-document. One level of
shell is guarded: in `bash -c "... ${{inputs.x}}"` the inner bash reads the value again, here as on Azure ML.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

_EXPRESSION = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w.-]+?)\s*\}\}")
_ANY_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
_HARMLESS = re.compile(r"[\w@%+=:,./-]*", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)

# Quotings within which nothing acts but what ends them; those that end as they begin and may hold expansions.
_INERT = {"single": "'", "ansi": "'", "comment": "\n"}
_PAIRS = {"`": "tick", '"': "double"}


class BadCommand(ValueError):
    """This command cannot be filled in; the message says why."""


@dataclass(frozen=True)
class Word:
    """A value for an expression. A whole one (a path) is one word even where it stands bare and has spaces."""

    text: str
    whole: bool = False


def expressions(command: str) -> list[tuple[str, str]]:
    """The (`inputs` | `outputs`, name) pairs that the command asks for. Raises BadCommand for any other expression."""
    for found in _ANY_EXPRESSION.finditer(command):
        if not _EXPRESSION.fullmatch(found[0]):
            raise BadCommand(f"the expression {found[0]} has no meaning in a command")
    return [(kind, name) for kind, name in _EXPRESSION.findall(command)]


def required(command: str) -> list[tuple[str, str]]:
    """Those outside of `$[[...]]`."""
    return expressions(_OPTIONAL.sub("", command))


def resolve(command: str, value: Callable[[str, str], Word | None]) -> str:
    """The text for `bash -c`. `value(kind, name)` is None for an optional input without a value.

    A `$[[...]]` part stays if all its expressions have a value. Raises BadCommand where a value cannot be put safely.
    """
    expressions(command)

    def part(found: re.Match[str]) -> str:
        known = all(value(kind, name) is not None for kind, name in _EXPRESSION.findall(found[1]))
        return found[1] if known else ""

    text = _OPTIONAL.sub(part, command)
    shell = _Reader()
    made: list[str] = []
    place = 0
    for found in _EXPRESSION.finditer(text):
        made.append(text[place : found.start()])
        shell.feed(text[place : found.start()])
        word = value(found[1], found[2])
        if word is not None:
            made.append(shell.put(word, found[0]))
            shell.word_start = False
        place = found.end()
    return "".join([*made, text[place:]])


@dataclass
class _HereDocument:
    """`line` is what its last line has so far."""

    end: str
    literal: bool
    tabs: bool
    line: str = ""


class _Reader:
    """Follows bash's quoting through a text, as far as it decides how a value must be written at the end of it.

    Source: bash(1), QUOTING, EXPANSION and Here Documents.
    """

    def __init__(self) -> None:
        self.stack: list[str | _HereDocument] = ["plain"]
        self.word_start = True
        self.waiting: list[_HereDocument] = []

    def feed(self, text: str) -> None:
        place = 0
        while place < len(text):
            place += self.step(text, place)

    def step(self, text: str, at: int) -> int:
        """Take what stands at `at`; how many characters that were."""
        char, top = text[at], self.stack[-1]
        if isinstance(top, _HereDocument):
            return self.in_here(top, text, at)
        if char == "\\" and top not in ("single", "comment"):
            self.word_start = False
            return 2
        if top in _INERT:
            if char == _INERT[top]:
                self.stack.pop()
            if char != "\n" or top != "comment":
                return 1
        return self.in_expansion(text, at) or self.in_words(text, at)

    def in_expansion(self, text: str, at: int) -> int:
        """What means the same in words and in double quotes; 0 where it is not that."""
        top = self.stack[-1]
        if text.startswith("$((", at):
            self.stack.append("arithmetic")
            return 3
        if text.startswith("$(", at):
            self.stack.append("paren")
            self.word_start = True
            return 2
        if text[at] in _PAIRS:
            kind = _PAIRS[text[at]]
            self.stack.pop() if top == kind else self.stack.append(kind)
            self.word_start = False
            return 1
        if top == "arithmetic" and text.startswith("))", at):
            self.stack.pop()
            return 2
        return 1 if top in ("arithmetic", "double") else 0

    def in_words(self, text: str, at: int) -> int:
        char, start = text[at], self.word_start
        self.word_start = char in " \t\n;&|("
        if text.startswith("$'", at):
            self.stack.append("ansi")
            return 2
        match char:
            case "'":
                self.stack.append("single")
            case "#" if start:
                self.stack.append("comment")
            case "(" if self.stack[-1] in ("paren", "group"):
                self.stack.append("group")
            case ")" if self.stack[-1] in ("paren", "group"):
                self.stack.pop()
            case "\n" if self.waiting:
                self.stack.append(self.waiting.pop(0))
            case "<" if text.startswith("<<", at) and not text.startswith("<<<", at):
                return self.here_document(text, at)
            case "<" if text.startswith("<<<", at):
                return 3
        return 1

    def here_document(self, text: str, at: int) -> int:
        found = re.compile(r"<<(-?)[ \t]*([^\s;&|<>()]+)").match(text, at)
        if not found:
            return 2
        quoted = any(mark in found[2] for mark in "'\"\\")
        end = re.sub(r"['\"\\]", "", found[2])
        self.waiting.append(_HereDocument(end, literal=quoted, tabs=bool(found[1])))
        return found.end() - at

    def in_here(self, document: _HereDocument, text: str, at: int) -> int:
        char = text[at]
        if char == "\n":
            line, document.line = document.line, ""
            if (line.lstrip("\t") if document.tabs else line) == document.end:
                self.stack.pop()
                self.word_start = True
                if self.waiting:
                    self.stack.append(self.waiting.pop(0))
            return 1
        document.line += char
        if document.literal:
            return 1
        if text.startswith("$(", at):
            self.stack.append("paren")
            return 2
        return 2 if char == "\\" else 1

    def put(self, word: Word, expression: str) -> str:
        """How the value is written here."""
        text = word.text
        if "\0" in text:
            raise BadCommand(f"the value of {expression} has a NUL character, which no command line can carry")
        if "tick" in self.stack and not _HARMLESS.fullmatch(text):
            raise BadCommand(f"the value of {expression} cannot be put safely between backticks; write $(...) instead")
        match self.stack[-1]:
            case _HereDocument() as document:
                return _in_here(word, document, expression)
            case "single":
                return text.replace("'", "'\\''")
            case "ansi":
                return text.replace("\\", "\\\\").replace("'", "\\'")
            case "double":
                return re.sub(r'([\\"$`])', r"\\\1", text)
            case "comment":
                return text.replace("\n", " ")
            case "arithmetic":
                return _in_arithmetic(text, expression)
            case _:
                return (
                    shlex.quote(text)
                    if word.whole
                    else " ".join(shlex.quote(part) for part in re.split("[ \t\n]+", text) if part)
                )


def _in_arithmetic(text: str, expression: str) -> str:
    """bash evaluates what stands there once more, names and subscripts included: only a number is just a number."""
    if not _NUMBER.fullmatch(text):
        raise BadCommand(f"the value of {expression} stands in $((...)) and is not a number")
    return text


def _in_here(word: Word, document: _HereDocument, expression: str) -> str:
    if "\n" in word.text:
        raise BadCommand(f"the value of {expression} has several lines and stands in a here-document")
    document.line += word.text
    return word.text if document.literal else re.sub(r"([\\$`])", r"\\\1", word.text)
