"""Microsoft's own loader reads every shape as we do: inputs, steps, bindings, outputs, types, commands, code."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ctrain.pipeline import (
    Asset,
    Binding,
    CommandStep,
    FromParent,
    FromStep,
    Input,
    Mixed,
    Pipeline,
    PipelineStep,
    Step,
    read_pipeline,
)
from ctrain.pipeline.expressions import FromStepInput, pieces
from tests.pipeline.written import SHAPES

# What azure-ai-ml gives out is foreign JSON: plain mappings, looked at field by field.
Json = Mapping[str, Any]
shapes = pytest.mark.parametrize("shape", sorted(folder.name for folder in SHAPES.iterdir()))


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Its import and its loading warn of things that are not ours."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


def by_azure(file: Path) -> Json:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml import load_job

        job = load_job(file)
        assert job._validate().passed  # type: ignore[attr-defined]  # only a pipeline job has it
        loaded: Json = job._to_dict()
        return loaded


@shapes
def test_steps_and_all_that_they_are_agree(shape: str) -> None:
    """For every step, however deep: its component's declarations, command and code, and what it is bound to."""
    file = SHAPES / shape / "pipeline.yml"
    assert_same(read_pipeline(file), by_azure(file), file)


@shapes
def test_the_values_of_a_jobs_inputs_agree(shape: str) -> None:
    """A literal, or the path of an asset and its type."""
    file = SHAPES / shape / "pipeline.yml"
    theirs = by_azure(file).get("inputs", {})
    ours = read_pipeline(file).inputs
    given = {name: value for name, value in ours.items() if name in theirs}
    assert {name: shown(one.default) for name, one in given.items()} == {
        name: azure_value(value, file) for name, value in theirs.items()
    }


def assert_same(ours: Pipeline, theirs: Json, file: Path) -> None:
    assert set(ours.outputs) == set(theirs.get("outputs", {}))
    assert {step.name for step in ours.steps} == set(theirs["jobs"])
    for step in ours.steps:
        other = theirs["jobs"][step.name]
        inner = other["component"]
        declared, outputs = own(step)
        assert inputs(declared) == azure_inputs(inner)
        assert outputs == {name: one["type"] for name, one in inner.get("outputs", {}).items()}
        bound = {name: azure_bound(value, theirs["jobs"], file) for name, value in other.get("inputs", {}).items()}
        assert {name: shown(value) for name, value in step.bindings.items()} == bound
        assert dict(step.exposes) == azure_exposed(other)
        if isinstance(step, PipelineStep):
            assert_same(step.pipeline, inner, file)
        else:
            assert step.command == inner["command"]
            assert str(step.code or "") == str(inner.get("code", ""))
            assert step.environment.reference in (None, inner["environment"])
            assert step.deterministic is inner["is_deterministic"]


def own(step: Step) -> tuple[Mapping[str, Input], dict[str, str]]:
    where: CommandStep | Pipeline = step if isinstance(step, CommandStep) else step.pipeline
    return where.inputs, {name: one.type.value for name, one in where.outputs.items()}


def inputs(declared: Mapping[str, Input]) -> dict[str, tuple[object, ...]]:
    return {
        name: (one.type.value, one.optional, shown(one.default), one.enum, one.minimum, one.maximum)
        for name, one in declared.items()
    }


def azure_inputs(component: Json) -> dict[str, tuple[object, ...]]:
    """An inline job's literals show as defaults there, and as bindings of the step; to us they are bindings."""
    inline = "$schema" not in component and "display_name" not in component
    return {
        name: (
            one["type"],
            one.get("optional", False),
            one.get("default") if not inline else None,
            tuple(one.get("enum", ())),
            float(one["min"]) if "min" in one else None,
            float(one["max"]) if "max" in one else None,
        )
        for name, one in component.get("inputs", {}).items()
    }


def shown(value: Binding | None) -> object:
    """A binding as YAML has it. Literals as text: azure-ai-ml writes `true` as 1."""
    match value:
        case FromParent(name):
            return f"${{{{parent.inputs.{name}}}}}"
        case FromStep(step, output):
            return f"${{{{parent.jobs.{step}.outputs.{output}}}}}"
        case Mixed(parts):
            return "".join(str(shown(part)) for part in parts)
        case Asset(uri, kind):
            return (uri, kind.value)
        case True | False:
            return str(int(value))
        case None:
            return None
        case _:
            return str(value)


def azure_value(value: Any, file: Path) -> object:
    """It writes a local path as `azureml:` and the path as it was, which here is relative to the job's file."""
    if isinstance(value, dict):
        path = (file.parent / value["path"].removeprefix("azureml:")).resolve()
        return (str(path), value["type"])
    return str(int(value)) if isinstance(value, bool) else str(value)


def azure_bound(value: Any, jobs: Json, file: Path) -> object:
    path = value["path"] if isinstance(value, dict) else value
    if not isinstance(path, str) or "${{" not in path:
        return azure_value(value, file)
    match list(pieces(path)):
        case [FromStepInput(step, name)]:
            return azure_bound(jobs[step]["inputs"][name], jobs, file)
        case _:
            return path.replace("${{ ", "${{").replace(" }}", "}}")


def azure_exposed(step: Json) -> dict[str, str]:
    found = {}
    for name, value in step.get("outputs", {}).items():
        path = value.get("path", "") if isinstance(value, dict) else value
        if path.startswith("${{parent.outputs."):
            found[name] = path.removeprefix("${{parent.outputs.").removesuffix("}}")
    return found
