"""An Azure ML pipeline as values: what a pipeline job YAML (CLI v2 schema) says once it is read and checked.

Bindings say where a value comes from; nothing here is resolved to a path or a string yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from ctrain.errors import Location
from ctrain.training import Scalar


class ValueType(StrEnum):
    """The types of inputs and outputs in the schema: four literals, then the assets."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    URI_FILE = "uri_file"
    URI_FOLDER = "uri_folder"
    MLTABLE = "mltable"
    MLFLOW_MODEL = "mlflow_model"
    CUSTOM_MODEL = "custom_model"
    TRITON_MODEL = "triton_model"

    @property
    def literal(self) -> bool:
        return self in (ValueType.STRING, ValueType.NUMBER, ValueType.INTEGER, ValueType.BOOLEAN)


@dataclass(frozen=True)
class Asset:
    """A file, folder, data set or model by reference.

    `uri` is an absolute local path (a relative one in YAML is relative to the file it stands in),
    `azureml:name:version`, `azureml:name@label`, or any other URI as it was written.
    """

    uri: str
    type: ValueType


@dataclass(frozen=True)
class FromParent:
    """`${{parent.inputs.NAME}}` in a pipeline: the input of the pipeline that the step is in."""

    name: str


@dataclass(frozen=True)
class FromStep:
    """`${{parent.jobs.STEP.outputs.NAME}}`."""

    step: str
    output: str


@dataclass(frozen=True)
class Mixed:
    """Text with expressions in it, e.g. `run-${{parent.inputs.seed}}`: literal text and bindings in turn."""

    parts: tuple[str | FromParent | FromStep, ...]


Binding = Scalar | Asset | FromParent | FromStep | Mixed


@dataclass(frozen=True)
class Input:
    """A declared input. `default` is None where there is none; an optional input may stay unbound."""

    name: str
    type: ValueType
    at: Location
    default: Scalar | Asset | None = None
    optional: bool = False
    enum: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Output:
    """A declared output. `path` is where the user asked to have it, if anywhere, as it was written."""

    name: str
    type: ValueType
    at: Location
    path: str | None = None


@dataclass(frozen=True)
class Environment:
    """What a step runs in, as far as YAML says: at least one of the fields is set.

    `conda` is the conda specification's text (a file's content, or the inline mapping as YAML text), `pip` that of a
    requirements file, `reference` an `azureml:` name, `image` a container image.
    """

    at: Location
    reference: str | None = None
    image: str | None = None
    conda: str | None = None
    pip: str | None = None


@dataclass(frozen=True)
class CommandStep:
    """A command component, or an inline command job, bound into its pipeline.

    `command` still has its `${{inputs.x}}`, `${{outputs.x}}`, `${{search_space...}}` and `$[[ optional ]]` parts.
    `code` is an absolute file or folder, or None. `exposes` maps the step's outputs to the pipeline outputs that
    they are (`${{parent.outputs.x}}`). `component` names component and version for display and lineage.
    """

    name: str
    at: Location
    command: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    bindings: Mapping[str, Binding]
    exposes: Mapping[str, str]
    environment: Environment
    code: Path | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    component: str = ""
    deterministic: bool = True
    timeout: int | None = None
    """Seconds after which Azure ML would end the step (`limits.timeout`), or None."""


@dataclass(frozen=True)
class PipelineStep:
    """A pipeline component used as a step."""

    name: str
    at: Location
    pipeline: Pipeline
    bindings: Mapping[str, Binding]
    exposes: Mapping[str, str]


Step = CommandStep | PipelineStep


@dataclass(frozen=True)
class OtherStep:
    """A step that only Azure ML itself runs, e.g. of kind `sweep`, or a component that only its registry has.

    It is read as far as a plan shows it, and only where `read_pipeline` was told that Azure ML will run it.
    """

    name: str
    at: Location
    kind: str
    after: tuple[str, ...]
    exposes: Mapping[str, str]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline job or component. `steps` come in an order in which they can run.

    `code` digests everything the pipeline is made of: its YAML, its components' YAML, the files of its code folders
    that are not ignored, its environment files. `force_rerun` is the job's own wish that no step is reused;
    `continue_on_step_failure` that steps which don't depend on a failed one still run (true unless the job says no).
    """

    file: Path
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    steps: tuple[Step, ...]
    code: str
    experiment: str | None = None
    display_name: str | None = None
    force_rerun: bool = False
    others: tuple[OtherStep, ...] = ()
    """Steps beyond `steps`; always empty in a pipeline that was read to be run on this machine."""
    continue_on_step_failure: bool = True

    @property
    def commands(self) -> Mapping[str, CommandStep]:
        """All commands by the names that a run shows them by: one of the inner pipeline `a` is `a.step`."""
        found: dict[str, CommandStep] = {}
        for step in self.steps:
            match step:
                case CommandStep():
                    found[step.name] = step
                case PipelineStep():
                    found |= {f"{step.name}.{name}": inner for name, inner in step.pipeline.commands.items()}
                case _:
                    assert_never(step)
        return found
