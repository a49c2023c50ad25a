"""The JSON that reading verbs give: one document, whose `schema` names its kind and version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ctrain.events import Event
from ctrain.flow.status import StageStatus
from ctrain.release import Release
from ctrain.version import ModelVersion

Kind = Literal[
    "plan",
    "status",
    "history",
    "release",
    "logs",
    "validation",
    "doctor",
    "local",
    "report",
    "model",
    "drill",
    "rollout",
    "gc",
]
VERSION = 1


@dataclass(frozen=True)
class Status:
    """What `ctrain status --json` gives."""

    champion: ModelVersion | None
    stages: tuple[StageStatus, ...]


@dataclass(frozen=True)
class Record:
    """What `ctrain show --json` gives."""

    release: Release
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Validation:
    """What `ctrain validate --json` gives."""

    project: str
    file: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Logs:
    """What `ctrain logs --json` gives: of a release's training, or of what serves a stage. `text` is neutralised."""

    release: str | None
    stage: str | None
    step: str | None
    text: str


@dataclass(frozen=True)
class Brief:
    """A release in `ctrain history --json`."""

    release: str
    opened: datetime
    trigger: str
    commit: str
    dirty: bool
    verdict: str | None
    version: str | None
    ending: str | None
    why: str


def brief(release: Release) -> Brief:
    """A release in a line."""
    return Brief(
        release=release.id,
        opened=release.opened,
        trigger=release.plan.trigger,
        commit=release.plan.source.commit,
        dirty=release.plan.source.dirty,
        verdict=release.verdict.outcome if release.verdict else None,
        version=str(release.version) if release.version else None,
        ending=release.ending,
        why=release.why,
    )


def document(kind: Kind, value: object, **beside: str | None) -> str:
    """`{"schema": "ctrain.KIND/1", "KIND": ..., ...}`, indented. `beside` stands next to the value."""
    from pydantic import TypeAdapter

    def plain(one: object) -> object:
        return TypeAdapter(type(one)).dump_python(one, mode="json")

    made = [plain(one) for one in value] if isinstance(value, tuple) else plain(value)
    return json.dumps({"schema": f"ctrain.{kind}/{VERSION}", kind: made, **beside}, indent=2)
