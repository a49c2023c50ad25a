"""The CI as it runs us: folds in its log, annotations at lines of files, masks, step outputs, a job summary."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

from ctrain.cli import terminal
from ctrain.cli.ci import commands
from ctrain.cli.ci.commands import one_line

Level = Literal["error", "warning", "notice"]

ANNOTATIONS = 10
"""How many of each level GitHub shows of a step. Source: its REST reference of check runs, on annotations."""

SUMMARY = 1 << 20
"""Bytes that GitHub takes as the summary of a step. Source: "Adding a job summary"."""


@dataclass(frozen=True)
class Note:
    """Something to be shown at a line of a file; without a file, of the whole. `text` may have several lines."""

    level: Level
    title: str
    text: str
    file: Path | None = None
    line: int = 1
    column: int = 0


class Host(Protocol):
    """What every CI can do in some way. None of it may fail: what we do matters more than how it is shown."""

    def fold(self, title: str) -> None:
        """Begin a part of the log that can be folded, after ending the one before."""
        ...

    def unfold(self) -> None:
        """End that part, if one was begun."""
        ...

    def annotate(self, note: Note) -> None: ...

    def mask(self, secret: str) -> None:
        """Make the CI take this out of its log. It is taken out of what we print ourselves in any case."""
        ...

    def put(self, name: str, value: str) -> None:
        """A step output."""
        ...

    def summarize(self, markdown: str) -> None:
        """Add to what the CI shows of this job."""
        ...

    def first(self, text: str) -> bool:
        """Whether no verb of this job has said this yet; it counts as said now."""
        ...


class Nowhere:
    """No CI: a person at a terminal, or a CI that we know nothing of."""

    def fold(self, title: str) -> None:
        pass

    def unfold(self) -> None:
        pass

    def annotate(self, note: Note) -> None:
        pass

    def mask(self, secret: str) -> None:
        terminal.hide(secret)

    def put(self, name: str, value: str) -> None:
        pass

    def summarize(self, markdown: str) -> None:
        pass

    def first(self, text: str) -> bool:  # noqa: ARG002
        return True


@dataclass
class GitHub:
    """GitHub Actions: workflow commands, and environment files."""

    env: Mapping[str, str] = field(repr=False)  # a token may be in it
    folded: bool = False
    shown: Counter[Level] = field(default_factory=Counter)

    def fold(self, title: str) -> None:
        self.unfold()
        self.folded = True
        terminal.order(commands.github("group", one_line(title)))

    def unfold(self) -> None:
        if self.folded:
            terminal.order(commands.github("endgroup"))
        self.folded = False

    def annotate(self, note: Note) -> None:
        self.shown[note.level] += 1
        if self.shown[note.level] > ANNOTATIONS:
            return
        values: dict[str, str | int] = {"title": one_line(note.title, 255)}
        if note.file is not None:
            values |= {"file": _within(self.env.get("GITHUB_WORKSPACE"), note.file), "line": note.line}
            values |= {"col": note.column} if note.column else {}
        terminal.order(commands.github(note.level, terminal.harmless(note.text), values))

    def mask(self, secret: str) -> None:
        if terminal.hide(secret) and terminal.heard():
            terminal.order(commands.github("add-mask", secret))

    def put(self, name: str, value: str) -> None:
        delimiter = f"ctrain_{secrets.token_hex(16)}"
        _append(self.env.get("GITHUB_OUTPUT"), f"{name}<<{delimiter}\n{one_line(value)}\n{delimiter}\n")

    def summarize(self, markdown: str) -> None:
        text = f"{terminal.harmless(markdown).rstrip()}\n\n"
        _append(self.env.get("GITHUB_STEP_SUMMARY"), text, limit=SUMMARY)

    def first(self, text: str) -> bool:
        return _first_in(self.env.get("RUNNER_TEMP"), text)


@dataclass
class DevOps:
    """Azure Pipelines: logging commands.

    In a step whose `commands` are `restricted`, the agent obeys those for annotations, masks and the variables that
    `settableVariables` names, and refuses the one that uploads a summary, with a warning (azure-pipelines-agent
    `TaskCommandExtension.cs`). `ctrain report --publish` is the verb that uploads it, in a step of its own.
    """

    env: Mapping[str, str] = field(repr=False)
    folded: bool = False

    def fold(self, title: str) -> None:
        self.unfold()
        self.folded = True
        terminal.order(commands.devops_format("group", title))

    def unfold(self) -> None:
        if self.folded:
            terminal.order(commands.devops_format("endgroup"))
        self.folded = False

    def annotate(self, note: Note) -> None:
        if note.level == "notice":  # there are only errors and warnings here
            return
        values: dict[str, str | int] = {"type": note.level}
        if note.file is not None:
            where = _within(self.env.get("BUILD_SOURCESDIRECTORY"), note.file)
            values |= {"sourcepath": where, "linenumber": note.line}
            values |= {"columnnumber": note.column} if note.column else {}
        text = terminal.harmless(f"{note.title}: {note.text}" if note.title else note.text)
        terminal.order(commands.devops("task.logissue", text, values))

    def mask(self, secret: str) -> None:
        if terminal.hide(secret) and terminal.heard():
            terminal.order(commands.devops("task.setsecret", secret))

    def put(self, name: str, value: str) -> None:
        terminal.order(commands.devops("task.setvariable", one_line(value), {"variable": name, "isOutput": "true"}))

    def summarize(self, markdown: str) -> None:
        """Nothing here: see `upload`."""

    def first(self, text: str) -> bool:
        return _first_in(self.env.get("AGENT_TEMPDIRECTORY"), text)

    def upload(self, markdown: str, name: str) -> bool:
        """Show this as a section of the build's page; whether there was a place for the file."""
        folder = self.env.get("AGENT_TEMPDIRECTORY")
        if not folder:
            return False
        file = Path(folder) / f"{name}-{secrets.token_hex(4)}.md"
        if not _append(str(file), terminal.harmless(markdown), limit=SUMMARY):
            return False
        terminal.order(commands.devops("task.uploadsummary", str(file)))
        return True


@cache
def here() -> Host:
    """The CI that this process runs in; one for the whole process, as annotations are counted."""
    return host_of(os.environ)


def host_of(env: Mapping[str, str]) -> Host:
    if env.get("GITHUB_ACTIONS") == "true":
        return GitHub(env)
    if env.get("TF_BUILD") == "True":
        return DevOps(env)
    return Nowhere()


def guard() -> None:
    """In a CI: make harmless what libraries print, too, from now on."""
    if not isinstance(here(), Nowhere):
        terminal.guard_streams()


def _within(root: str | None, file: Path) -> str:
    """The file's path from the repository's root, as a CI wants it; another file's as it is."""
    try:
        return one_line(file.resolve().relative_to(Path(root or Path.cwd()).resolve()).as_posix())
    except (ValueError, OSError):
        return one_line(str(file))


def _first_in(folder: str | None, text: str) -> bool:
    """Whether this was not said yet, by what is remembered in the folder, which lasts as long as the job."""
    if not folder:
        return True
    digest, file = hashlib.sha256(text.encode(errors="replace")).hexdigest(), Path(folder) / "ctrain-said"
    try:
        if file.exists() and digest in file.read_text().split():
            return False
    except OSError:
        return True
    _append(str(file), f"{digest}\n")
    return True


def _append(name: str | None, text: str, *, limit: int | None = None) -> bool:
    """Add the text to the file, if it is known and there is room; whether it was added."""
    if not name:
        return False
    content = text.encode(errors="replace")
    try:
        with Path(name).open("ab") as file:
            if limit is not None and file.tell() + len(content) > limit:
                return False
            file.write(content)
    except OSError as failure:
        terminal.say(f"{Path(name).name} cannot be written: {failure.strerror or failure}")
        return False
    return True
