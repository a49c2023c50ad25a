"""Taking a step's outputs from an earlier job, as Azure ML does for deterministic components.

A step's key covers all that decides what it makes. Of an upstream output it has the *execution* that made it, not its
key alone: where a step had to run again, those after it run again too, so that a job's outputs always belong together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ctrain.backends.local.jobs.plan import Joined, LocalPath, PlannedStep, Text, Upstream, Value
from ctrain.backends.local.jobs.state import Kept, write_whole


@dataclass(frozen=True)
class Execution:
    """One run of a step to its good end: `identity` is that of its outputs, `place` the step's folder."""

    identity: str
    job: str
    step: str
    run_id: str
    place: str
    outputs: Mapping[str, Kept]


def step_key(step: PlannedStep, identities: Mapping[str, str]) -> str:
    """sha256 in hex; `identities` has those of the executions that this step's inputs come from."""
    parts = {
        "format": 1,
        "command": step.command,
        "inputs": {name: _identity(value, identities) for name, value in step.inputs.items()},
        "outputs": {name: output.folder for name, output in step.outputs.items()},
        "code": step.code_digest,
        "environment": step.environment.digest,
        "variables": dict(step.variables),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _identity(value: Value, identities: Mapping[str, str]) -> list[object]:
    match value:
        case Text(text):
            return ["text", text]
        case LocalPath(_, digest):
            return ["content", digest]
        case Upstream(step, output):
            return ["output", identities[step], output]
        case Joined(parts):
            return ["joined", *(_identity(part, identities) for part in parts)]


def new_identity(key: str, job: str, step: str) -> str:
    return hashlib.sha256(f"{key} {job} {step}".encode()).hexdigest()


class Executions:
    """What was executed, by key: the newest one. A folder of small files, each put in place at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Execution | None:
        """One whose outputs are still what they were."""
        try:
            read = json.loads((self.folder / f"{key}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        outputs = {
            name: Kept(kept["path"], [(file, size) for file, size in kept["files"]])
            for name, kept in read["outputs"].items()
        }
        found = Execution(**{**read, "outputs": outputs})
        return found if all(kept.intact() for kept in outputs.values()) else None

    def add(self, key: str, execution: Execution) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / f"{key}.json", json.dumps(asdict(execution)))


def reusable(
    step: PlannedStep, identities: Mapping[str, str], executions: Executions, *, fresh: bool
) -> Execution | None:
    """The execution whose outputs stand for running this step."""
    if fresh or not step.deterministic:
        return None
    return executions.find(step_key(step, identities))
