"""Builders: a folder of YAML written for one test."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from ctrain.pipeline import CommandStep, Pipeline, read_pipeline

SHAPES = Path(__file__).parent / "shapes"
COMPONENT = """
    type: command
    name: part
    version: "3"
    inputs: {INPUTS}
    outputs: {OUTPUTS}
    environment: {ENVIRONMENT}
    command: {COMMAND}
"""


def written(folder: Path, **files: str) -> Path:
    """Write the files (`a__b` stands for `a/b`, without suffix `.yml`), and give the path of `pipeline`."""
    for name, text in files.items():
        file = folder / (name.replace("__", "/") + ".yml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
    return folder / "pipeline.yml"


def component(
    *,
    inputs: str = "{}",
    outputs: str = "{}",
    environment: str = "azureml:env:1",
    command: str = "python x.py",
) -> str:
    """The YAML of a command component."""
    return COMPONENT.format(INPUTS=inputs, OUTPUTS=outputs, ENVIRONMENT=environment, COMMAND=command)


def read(folder: Path, **files: str) -> Pipeline:
    return read_pipeline(written(folder, **files))


def command_step(pipeline: Pipeline, name: str) -> CommandStep:
    found = next(step for step in pipeline.steps if step.name == name)
    assert isinstance(found, CommandStep)
    return found
