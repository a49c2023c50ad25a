"""Azure ML pipelines: what a pipeline job's YAML (CLI v2 schema) says, read into values and checked.

    read_pipeline(file) -> Pipeline      all of it, or a PipelineError with file and line
    code_files(folder)                   which files of a code folder a step gets to see
    refuse_password(...)                 a conda file must not hold one

A `Pipeline` has steps in an order in which they can run; each input of a step is bound to a literal, an asset, an
input of the pipeline, or the output of another step. `graph` has these values. `Pipeline.code` digests all that the
pipeline is made of.
"""

from __future__ import annotations

from ctrain.pipeline.environments import refuse_password
from ctrain.pipeline.graph import (
    Asset,
    Binding,
    CommandStep,
    Environment,
    FromParent,
    FromStep,
    Input,
    Mixed,
    OtherStep,
    Output,
    Pipeline,
    PipelineStep,
    Step,
    ValueType,
)
from ctrain.pipeline.reader import read_pipeline
from ctrain.pipeline.snapshot import code_files
from ctrain.pipeline.values import checked

__all__ = [
    "Asset",
    "Binding",
    "CommandStep",
    "Environment",
    "FromParent",
    "FromStep",
    "Input",
    "Mixed",
    "OtherStep",
    "Output",
    "Pipeline",
    "PipelineStep",
    "Step",
    "ValueType",
    "checked",
    "code_files",
    "read_pipeline",
    "refuse_password",
]
