"""What Azure's agent reads out of the lines that a step prints.

Source: azure-pipelines-agent `Command.cs`, `CommandStringConvertor.cs`, `WorkerCommandManager.cs`,
`TaskCommandExtension.cs`, `TaskRestrictionsExtension.cs`; "Logging commands" and "Formatting commands" of the docs.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.ci.runner.github_log import Annotation

_ESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%"))
_AREAS: Mapping[str, frozenset[str]] = {
    "task": frozenset(
        {"addattachment", "complete", "debug", "logdetail", "logissue", "prependpath", "setendpoint", "setprogress"}
        | {"setsecret", "settaskvariable", "setvariable", "uploadfile", "uploadsummary", "issue"}
    ),
    "build": frozenset({"addbuildtag", "updatebuildnumber", "uploadlog", "uploadsummary"}),
    "artifact": frozenset({"associate", "upload"}),
    "results": frozenset({"publish"}),
}
RESTRICTED = frozenset(
    {"complete", "debug", "logdetail", "logissue", "prependpath", "setprogress", "setsecret", "settaskvariable"}
    | {"setvariable"}
)
"""Of `task`, those that a step with `commands: restricted` may still give."""
_FORMATS = re.compile(r"##\[(group|endgroup|section|command|error|warning|debug)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """One logging command, as it was understood."""

    area: str
    event: str
    properties: dict[str, str]
    data: str


@dataclass(frozen=True)
class Target:
    """What a step's `target` lets it do; all where it says nothing."""

    restricted: bool = False
    settable: tuple[str, ...] | None = None

    def may_set(self, name: str) -> bool:
        return self.settable is None or any(fnmatch.fnmatch(name.lower(), one.lower()) for one in self.settable)


def parse(line: str) -> Command | None:
    """The command that a line holds, anywhere in it."""
    start = line.find("##vso[")
    end = line.find("]", start) if start >= 0 else -1
    if end < 0:
        return None
    name, _, rest = line[start + 6 : end].partition(" ")
    words = [word for word in name.split(".") if word]
    if len(words) != 2:
        return None
    pairs = (part.split("=", 1) for part in rest.split(";") if part)
    properties = {pair[0].lower(): _plain(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] and pair[1]}
    return Command(words[0].lower(), words[1].lower(), properties, _plain(line[end + 1 :]))


def format_of(line: str) -> str | None:
    """What the page makes of a line that begins with a formatting command."""
    found = _FORMATS.match(line.lstrip())
    return found[1].lower() if found else None


def _plain(text: str) -> str:
    for written, meant in _ESCAPES:
        text = text.replace(written, meant)
    return text


@dataclass
class Log:
    """A job's log, and what its commands did. `set_variable` takes name, value, whether it is an output, a secret."""

    set_variable: Callable[[str, str, bool, bool], bool]
    """Returns False where the variable may not be changed."""
    lines: list[str] = field(default_factory=list)
    masks: set[str] = field(default_factory=set)
    annotations: list[Annotation] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    refused: list[Command] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    opened: int = 0
    result: str = ""
    """What the step that runs said of itself, or `Failed` by a command that went wrong."""
    target: Target = Target()

    def begin_step(self, target: Target) -> None:
        self.target, self.result, self.opened = target, "", 0

    def hear(self, line: str) -> None:
        """A line that a step printed."""
        command = parse(line)
        if command is None:
            if format_of(line) == "group":
                self.opened += 1
            elif format_of(line) == "endgroup":
                self.opened = max(0, self.opened - 1)
            self.write(line)
            return
        if command.area not in _AREAS:
            self.write(f"##[warning]no such command: {command.area}")
        elif command.event not in _AREAS[command.area]:
            self.result = "Failed"
        elif self.target.restricted and (command.area != "task" or command.event not in RESTRICTED):
            self.refused.append(command)
            self.write(f"##[warning]{command.area}.{command.event} is not allowed in restricted mode")
        else:
            self._obey(command)

    def write(self, line: str) -> None:
        self.lines.append(self.masked(line))

    def masked(self, text: str) -> str:
        for secret in sorted(self.masks, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _obey(self, command: Command) -> None:
        said = command.properties
        allowed = True
        match command.event:
            case "setvariable":
                allowed = self._variable(command)
            case "prependpath":
                allowed = self.target.may_set("PATH")
                if allowed:
                    self.paths = [one for one in self.paths if one != command.data] + [command.data]
            case "setsecret":
                self.masks.add(command.data)
            case "logissue" | "issue":
                place = (said.get("sourcepath", ""), said.get("linenumber", ""))
                text = self.masked(command.data)
                self.annotations.append(Annotation(said.get("type", ""), text, said.get("code", ""), *place))
                self.write(f"##[{said.get('type')}]{command.data}")
            case "complete":
                self.result = said.get("result", "")
            case "uploadsummary" if Path(command.data).is_file():
                self.summaries.append(self.masked(Path(command.data).read_text(encoding="utf-8")))
            case "uploadsummary":
                self.result = "Failed"
            case "addbuildtag":
                self.tags.append(command.data)
            case _:
                pass
        (self.commands if allowed else self.refused).append(command)

    def _variable(self, command: Command) -> bool:
        said = command.properties
        name = said.get("variable", "")
        secret, output = (said.get(key, "").lower() == "true" for key in ("issecret", "isoutput"))
        if not name:
            self.result = "Failed"
            return False
        if secret:
            self.masks.add(command.data)
        if not self.target.may_set(name):
            self.write(f"##[warning]the variable {name} may not be set here")
            return False
        if not self.set_variable(name, command.data, output, secret):
            self.result = "Failed"
            return False
        return True
