"""What GitHub's runner reads out of the lines that a step prints, and out of the files that it writes.

Source: actions/runner `src/Runner.Common/ActionCommand.cs`, `src/Runner.Worker/ActionCommandManager.cs`,
`src/Runner.Worker/FileCommandManager.cs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

COMMANDS = frozenset(
    [
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    ]
)
_DISABLED = frozenset({"set-env", "add-path"})
"""Refused since 2020: the step fails."""
_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_LEGACY = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))
_BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What .NET's TrimStart takes off."""


class BadFile(Exception):
    """An environment file that the runner refuses; the step fails."""


@dataclass(frozen=True)
class Command:
    """One workflow command, as it was understood."""

    name: str
    properties: dict[str, str]
    data: str


@dataclass(frozen=True)
class Annotation:
    """An error, a warning or a notice; `file` and `line` are empty where none was named."""

    level: str
    text: str
    title: str = ""
    file: str = ""
    line: str = ""


def parse(line: str, registered: frozenset[str] = COMMANDS) -> Command | None:
    """The command in a line: `::name key=value::data` after leading blanks, or `##[name key=value]data` anywhere."""
    return _parse_v2(line, registered) or _parse_v1(line, registered)


def _parse_v2(line: str, registered: frozenset[str]) -> Command | None:
    text = line.lstrip(_BLANK)
    if not text.startswith("::"):
        return None
    end = text.find("::", 2)
    if end < 0:
        return None
    name, _, rest = text[2:end].partition(" ")
    if name.lower() not in registered:
        return None
    return Command(name.lower(), _properties(rest.strip(), ",", _PROPERTY), _plain(text[end + 2 :], _DATA))


def _parse_v1(line: str, registered: frozenset[str]) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start) if start >= 0 else -1
    if end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    if name.lower() not in registered:
        return None
    return Command(name.lower(), _properties(rest, ";", _LEGACY), _plain(line[end + 1 :], _LEGACY))


def _properties(text: str, between: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in text.split(between) if part)
    return {pair[0].lower(): _plain(pair[1], escapes) for pair in pairs if len(pair) == 2 and pair[0] and pair[1]}


def _plain(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for written, meant in escapes:
        text = text.replace(written, meant)
    return text


@dataclass
class Log:
    """A job's log: what people see, and what commands did. Masks hold for the whole job."""

    lines: list[str] = field(default_factory=list)
    masks: set[str] = field(default_factory=set)
    annotations: list[Annotation] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    opened: int = 0
    commands: list[Command] = field(default_factory=list)
    """Every command that was obeyed."""
    outputs: dict[str, str] = field(default_factory=dict)
    """By `set-output`, of the step that runs."""
    failed: bool = False
    """Whether the step that runs gave a command that is refused."""
    stop: str | None = None

    def begin_step(self) -> None:
        """The runner stops to listen for a token with the step that set it."""
        self.outputs, self.failed, self.stop, self.opened = {}, False, None, 0

    def hear(self, line: str) -> None:
        """A line that a step printed."""
        registered = COMMANDS | ({self.stop.lower()} if self.stop else set())
        command = parse(line, registered)
        if command is not None and self.stop is not None:
            if command.name == self.stop.lower():
                self.stop = None
            command = None
        if command is None:
            self.write(line)
        else:
            self.commands.append(command)
            self._obey(command)

    def write(self, line: str) -> None:
        """A line for people, secrets masked."""
        self.lines.append(self.masked(line))

    def masked(self, text: str) -> str:
        for secret in sorted(self.masks, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _obey(self, command: Command) -> None:
        match command.name:
            case "add-mask":
                self.masks |= {
                    part.strip() for part in [command.data, *re.split(r"[\r\n]", command.data)] if part.strip()
                }
            case "error" | "warning" | "notice":
                said = command.properties
                self.annotations.append(
                    Annotation(
                        command.name,
                        self.masked(command.data),
                        self.masked(said.get("title", "")),
                        said.get("file", ""),
                        said.get("line", ""),
                    )
                )
                self.write(f"{command.name.title()}: {command.data}")
            case "group":
                self.groups.append(self.masked(command.data))
                self.opened += 1
                self.write(f"> {command.data}")
            case "endgroup":
                self.opened = max(0, self.opened - 1)
            case "stop-commands":
                if not command.data or command.data.lower() in (COMMANDS | {"pause-logging"}):
                    self.failed = True
                else:
                    self.stop = command.data
            case "set-output":
                self.outputs[command.properties.get("name", "")] = command.data
            case name if name in _DISABLED:
                self.failed = True
                self.write(f"Error: the `{name}` command is disabled")
            case _:
                pass


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """The names and values of GITHUB_OUTPUT or GITHUB_ENV: `name=value`, or `name<<end`, lines, `end`."""
    lines = text.split("\n")
    unended = lines.pop() or None
    place = 0
    while place < len(lines) or unended is not None:
        if place < len(lines):
            line = lines[place]
        else:
            line, unended = unended or "", None
        place += 1
        if not line:
            continue
        name, equals, value = line.partition("=")
        key, heredoc, end = line.partition("<<")
        if equals and (not heredoc or len(name) < len(key)):
            yield name, value
        elif heredoc:
            if not key or not end:
                raise BadFile(f"Invalid format {line!r}: name and delimiter must not be empty")
            if end in lines[place:]:
                last = lines.index(end, place)
            elif unended == end:
                last, unended = len(lines), None
            else:
                raise BadFile(f"Invalid value. Matching delimiter not found {end!r}")
            yield key, "\n".join(lines[place:last])
            place = last + 1
        else:
            raise BadFile(f"Invalid format {line!r}")
