"""Text of others, made harmless: to terminals, and to a CI that reads commands out of what we print."""

from __future__ import annotations

import re

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
