"""Text of others, made harmless: to terminals, and to a CI that reads commands out of what we print."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import TextIOBase
from threading import RLock
from typing import TextIO

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COMMANDS = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)
_LEADING = re.compile(r"^(\s*)::", re.MULTILINE)


def neutral(text: str) -> str:
    """Text that neither a terminal nor a CI takes for a command.

    GitHub's runner reads `::cmd::` after leading blanks and `##[cmd]` anywhere in a line, Azure's agent
    `##vso[cmd]` anywhere (actions/runner `ActionCommand.cs`, azure-pipelines-agent `Command.cs`).
    """
    plain = _CONTROLS.sub("", _ESCAPES.sub("", text))
    return _LEADING.sub(r"\1: :", _COMMANDS.sub("**", plain))


def without(secrets: Iterable[str], text: str) -> str:
    """The text, in which none of these stands any more: the longest first, as one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


class Guarded(TextIOBase):
    """A stream that gets whole lines, each made harmless: a command is never put together from two halves.

    `raw` is the stream itself, for who has a command of our own to give.
    """

    MOST = 1 << 16
    """Characters without a line's end after which they are taken for a line."""

    def __init__(self, raw: TextIO, harmless: Callable[[str], str]) -> None:
        self.raw = raw
        self._harmless = harmless
        self._begun = ""
        self._lock = RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.raw.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.raw.errors

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.raw.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            lines, end, self._begun = (self._begun + text).rpartition("\n")
            if not end and len(self._begun) > self.MOST:
                lines, end, self._begun = self._begun, "\n", ""
            if end:
                self.raw.write(self._harmless(lines) + end)
        return len(text)

    def flush(self) -> None:
        self.raw.flush()

    def end(self) -> None:
        """Write the line that was begun, and end it."""
        with suppress(OSError):
            if self._begun:
                self.write("\n")
            self.flush()
