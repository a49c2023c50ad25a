"""The lines that a CI takes for commands, with everything that others wrote escaped: the only place that makes them.

Sources: "Workflow commands for GitHub Actions" and actions/runner `ActionCommand.cs`; "Logging commands" of Azure
Pipelines and azure-pipelines-agent `CommandStringConvertor`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ctrain.cli.neutral import neutral

_GITHUB_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_GITHUB_VALUE = {**_GITHUB_DATA, ":": "%3A", ",": "%2C"}
_DEVOPS_VALUE = {"\r": "%0D", "\n": "%0A", ";": "%3B", "]": "%5D"}
_DEVOPS_DATA = {"\r": "%0D", "\n": "%0A"}
_DEVOPS_CODES = re.compile(r"%(?=AZP25|0D|0A|3B|5D)", re.IGNORECASE)
"""A percent sign needs an escape only where the agent would read a code; older ones do not know the escape."""


def github(command: str, data: str = "", values: Mapping[str, str | int] | None = None) -> str:
    """`::command name=value,...::data`."""
    told = ",".join(f"{name}={_escaped(str(value), _GITHUB_VALUE)}" for name, value in (values or {}).items())
    return f"::{command}{' ' if told else ''}{told}::{_escaped(data, _GITHUB_DATA)}"


def devops(command: str, data: str = "", values: Mapping[str, str | int] | None = None) -> str:
    """`##vso[command name=value;...]data`."""
    told = "".join(f"{name}={_vso(str(value), _DEVOPS_VALUE)};" for name, value in (values or {}).items())
    return f"##vso[{command}{' ' if told else ''}{told}]{_vso(data, _DEVOPS_DATA)}"


def devops_format(kind: str, text: str = "") -> str:
    """`##[kind]text`: how Azure Pipelines folds and colours its log."""
    return f"##[{kind}]{one_line(text)}"


def one_line(text: str, limit: int = 1000) -> str:
    """The text as a value: harmless, in one line, and not endless."""
    plain = " ".join(neutral(text).split())
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"


def _escaped(text: str, codes: Mapping[str, str]) -> str:
    return "".join(codes.get(letter, letter) for letter in text)


def _vso(text: str, codes: Mapping[str, str]) -> str:
    return _escaped(_DEVOPS_CODES.sub("%AZP25", text), codes)
