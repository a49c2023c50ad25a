"""What a job's process is told to do: flat steps with everything bound, as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

FORMAT = 1


@dataclass(frozen=True)
class Text:
    """A literal, as it goes into the command."""

    text: str


@dataclass(frozen=True)
class LocalPath:
    """A file or folder of the user's, known by its content."""

    path: str
    digest: str


@dataclass(frozen=True)
class Upstream:
    """An output of a step of this job."""

    step: str
    output: str


@dataclass(frozen=True)
class Joined:
    """Text made of parts."""

    parts: tuple[Text | LocalPath | Upstream, ...]


Value = Text | LocalPath | Upstream | Joined


@dataclass(frozen=True)
class PlannedOutput:
    """`folder` outputs exist, empty, when the step starts; of others only the parent does.

    `required` ones must hold something when the step has ended. `copy_to` is where the user asked for a copy.
    """

    folder: bool
    required: bool
    copy_to: str | None = None


@dataclass(frozen=True)
class PlannedEnvironment:
    """`python` is the folder whose `python` the step runs with; empty where it must be built from `spec` first."""

    digest: str
    python: str = ""
    conda: str | None = None
    pip: str | None = None


@dataclass(frozen=True)
class PlannedStep:
    """`inputs` lacks optional inputs without a value. `code` is the folder of the snapshot, or empty.

    `timeout` is in seconds.
    """

    name: str
    command: str
    inputs: Mapping[str, Value]
    outputs: Mapping[str, PlannedOutput]
    environment: PlannedEnvironment
    code: str = ""
    code_digest: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    component: str = ""
    deterministic: bool = True
    timeout: int | None = None

    @property
    def after(self) -> tuple[str, ...]:
        """The steps whose outputs this one needs, in the order of its inputs."""
        found: dict[str, None] = {}
        for value in self.inputs.values():
            for part in value.parts if isinstance(value, Joined) else (value,):
                if isinstance(part, Upstream):
                    found[part.step] = None
        return tuple(found)


@dataclass(frozen=True)
class JobPlan:
    """`outputs` maps the pipeline's outputs to the steps' outputs that they are."""

    job: str
    pipeline: str
    experiment: str
    display_name: str
    tags: Mapping[str, str]
    steps: tuple[PlannedStep, ...]
    outputs: Mapping[str, Upstream]
    parallel: int
    grace: float
    fresh: bool = False
    continue_on_failure: bool = True


class _ValueJson(TypedDict):
    kind: str
    text: NotRequired[str]
    path: NotRequired[str]
    digest: NotRequired[str]
    step: NotRequired[str]
    output: NotRequired[str]
    parts: NotRequired[list[_ValueJson]]


def _value_json(value: Value) -> _ValueJson:
    match value:
        case Text(text):
            return {"kind": "text", "text": text}
        case LocalPath(path, digest):
            return {"kind": "path", "path": path, "digest": digest}
        case Upstream(step, output):
            return {"kind": "upstream", "step": step, "output": output}
        case Joined(parts):
            return {"kind": "joined", "parts": [_value_json(part) for part in parts]}


def _value(read: _ValueJson) -> Value:
    match read["kind"]:
        case "text":
            return Text(read["text"])
        case "path":
            return LocalPath(read["path"], read["digest"])
        case "upstream":
            return Upstream(read["step"], read["output"])
        case "joined":
            parts = tuple(_value(part) for part in read["parts"])
            return Joined(tuple(part for part in parts if not isinstance(part, Joined)))
        case other:
            raise ValueError(f"a value of kind {other!r}")


def plan_text(plan: JobPlan) -> str:
    """The plan as one JSON document."""
    import json
    from dataclasses import asdict

    document = asdict(plan)
    document["format"] = FORMAT
    for step, written in zip(plan.steps, document["steps"], strict=True):
        written["inputs"] = {name: _value_json(value) for name, value in step.inputs.items()}
    return json.dumps(document, indent=1)


def read_plan(text: str) -> JobPlan:
    """The inverse of `plan_text`."""
    import json

    document = json.loads(text)
    if document.pop("format") != FORMAT:
        raise ValueError("this job was written by another version of ctrain")
    steps = [
        PlannedStep(
            **{
                **step,
                "inputs": {name: _value(value) for name, value in step["inputs"].items()},
                "outputs": {name: PlannedOutput(**output) for name, output in step["outputs"].items()},
                "environment": PlannedEnvironment(**step["environment"]),
            }
        )
        for step in document["steps"]
    ]
    outputs = {name: Upstream(**output) for name, output in document["outputs"].items()}
    return JobPlan(**{**document, "steps": tuple(steps), "outputs": outputs})
