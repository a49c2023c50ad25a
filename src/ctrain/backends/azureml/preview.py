"""What submitting a pipeline would lead to: read from its files; Azure is asked where a label hides a version."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.labels import Kind
from ctrain.errors import Location, PipelineError
from ctrain.pipeline import (
    Asset,
    Binding,
    CommandStep,
    Environment,
    FromParent,
    FromStep,
    Mixed,
    OtherStep,
    Pipeline,
    PipelineStep,
    ValueType,
    read_pipeline,
)
from ctrain.pipeline.inputs import bound_inputs, local_path
from ctrain.training import Preview, StepPreview, TrainingSpec

Latest = Callable[[str, Kind], str]
"""What an `azureml:name@label` of that kind is now, as `azureml:name:version`."""

_MODELS: Final = (ValueType.MLFLOW_MODEL, ValueType.CUSTOM_MODEL, ValueType.TRITON_MODEL)
_VERSIONED: Final = re.compile(r"azureml:[\w.-]+:[\w.-]+")
_LABELLED: Final = re.compile(r"azureml:[\w.-]+@[\w.-]+")
_UPLOADED: Final = (".git", ".ctrain")
"""Folders that azure-ai-ml uploads with the code unless an ignore file names them: `.git` may hold credentials (the
checkout steps of CI systems write some into its config), `.ctrain` is this machine's own platform."""


def read_for_azure(spec: TrainingSpec) -> Pipeline:
    """The pipeline, once it is certain that its inputs can be filled and its code uploaded.

    Raises PipelineError, with file and line, for what cannot be.
    """
    pipeline = read_pipeline(spec.pipeline, local=False)
    bound_inputs(pipeline, spec.inputs)
    for step in pipeline.commands.values():
        if step.code is not None and step.code.is_dir():
            _refuse_private(step.code, step.at)
    return pipeline


def _refuse_private(folder: Path, at: Location) -> None:
    """Refuse to upload what `code_files`, and so the fingerprint, leaves out. Links are looked at by `code_files`."""
    for name in _UPLOADED:
        if (folder / name).exists() and not _ignored(folder, name):
            raise PipelineError(
                f"the code folder {folder} holds {name}",
                why=f"all of it would be uploaded with the code{', credentials in it too' if name == '.git' else ''}",
                hint=f"write {name}/ into {folder / '.amlignore'}, with what your .gitignore there says",
                at=at,
            )


def _ignored(folder: Path, name: str) -> bool:
    from pathspec import GitIgnoreSpec

    files = [folder / ignore for ignore in (".amlignore", ".gitignore")]
    source = next((file for file in files if file.is_file()), None)
    lines = source.read_text("utf-8-sig", errors="replace").splitlines() if source else []
    return GitIgnoreSpec.from_lines(lines).match_file(f"{name}/config")


def preview(spec: TrainingSpec, latest: Latest) -> Preview:
    """Digests for the fingerprint, and the steps in order."""
    pipeline = read_for_azure(spec)
    environments = sorted({_said(step.environment, latest) for step in pipeline.commands.values()})
    return Preview(
        code=pipeline.code,
        environment=_digest(environments),
        steps=tuple(_steps(pipeline, "", {})),
        inputs=_digest(sorted({_content(asset, pipeline, latest) for asset in _own_assets(pipeline, spec)})),
    )


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""


def _said(environment: Environment, latest: Latest) -> str:
    """All that an environment's YAML says, its label resolved."""
    reference = environment.reference or ""
    if _LABELLED.fullmatch(reference):
        reference = latest(reference, "environments")
    return repr((reference, environment.image, environment.conda, environment.pip))


TypeOf = Callable[[str, Kind], str | None]
"""The type that an `azureml:name:version` of that kind was registered with, or None."""


def check_types(spec: TrainingSpec, type_of: TypeOf) -> None:
    """Raises PipelineError where an asset that we fill in is of another type than its input is declared with.

    Azure ML itself would say so when the step starts, a cluster later.
    """
    declared = read_pipeline(spec.pipeline, local=False).inputs
    for name, value in spec.inputs.items():
        wanted = declared[name]
        if wanted.type.literal or not _VERSIONED.fullmatch(str(value)):
            continue
        found = type_of(str(value), "models" if wanted.type in _MODELS else "data")
        if found is not None and not _takes(wanted.type, found):
            raise PipelineError(
                f"the input {name!r} is declared {wanted.type.value}",
                why=f"{value} is registered as {found}",
                hint="declare the input with that type, or register the asset with the input's",
                at=wanted.at,
            )


def _takes(wanted: ValueType, found: str) -> bool:
    """A file is no folder, and a model without MLflow's description is no MLflow model; the rest Azure ML converts."""
    if wanted in _MODELS:
        return found == wanted.value or wanted is ValueType.CUSTOM_MODEL
    return (wanted is ValueType.URI_FILE) == (found == ValueType.URI_FILE.value)


# -- what it reads beside what we fill in


def _own_assets(pipeline: Pipeline, spec: TrainingSpec) -> Iterator[Asset]:
    defaults = (declared.default for name, declared in pipeline.inputs.items() if name not in spec.inputs)
    yield from (default for default in defaults if isinstance(default, Asset))
    yield from _bound_assets(pipeline)


def _bound_assets(pipeline: Pipeline) -> Iterator[Asset]:
    for step in pipeline.steps:
        yield from (value for value in step.bindings.values() if isinstance(value, Asset))
        if isinstance(step, PipelineStep):
            yield from _bound_assets(step.pipeline)


def _content(asset: Asset, pipeline: Pipeline, latest: Latest) -> str:
    """A local file's digest; else the reference, its label resolved."""
    from ctrain.digest import tree_digest

    path = local_path(asset.uri, pipeline.file.parent)
    if path is not None:
        return tree_digest(path, PipelineError)
    if not _LABELLED.fullmatch(asset.uri):
        return asset.uri
    return latest(asset.uri, "models" if asset.type in _MODELS else "data")


# -- the steps, made flat

Makers = Mapping[tuple[str, str], tuple[str, ...]]
"""Which flat steps make an output of a step; under the empty name, all flat steps of a step."""


def _steps(pipeline: Pipeline, prefix: str, inputs: Mapping[str, tuple[str, ...]]) -> Iterator[StepPreview]:
    """The steps in an order in which they can run; of an inner pipeline `a` as `a.step`.

    `inputs` has the steps that this pipeline's inputs come from.
    """
    made: dict[tuple[str, str], tuple[str, ...]] = {}
    for step in (*pipeline.steps, *pipeline.others):
        if isinstance(step, PipelineStep):
            given = {name: _makers(value, made, inputs) for name, value in step.bindings.items()}
            inner = tuple(_steps(step.pipeline, f"{prefix}{step.name}.", given))
            yield from inner
            made[step.name, ""] = tuple(one.name for one in inner)
            for name, output in _exposed(step.pipeline, f"{prefix}{step.name}."):
                made[step.name, output] = (*made.get((step.name, output), ()), name)
        else:
            yield StepPreview(prefix + step.name, _after(step, made, inputs))
            made[step.name, ""] = (prefix + step.name,)


def _after(step: CommandStep | OtherStep, made: Makers, inputs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if isinstance(step, OtherStep):
        found = [name for other in step.after for name in made.get((other, ""), ())]
    else:
        found = [name for value in step.bindings.values() for name in _makers(value, made, inputs)]
    return tuple(dict.fromkeys(found))


def _makers(value: Binding, made: Makers, inputs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    match value:
        case FromStep(step, output):
            return made.get((step, output)) or made.get((step, ""), ())
        case FromParent(name):
            return inputs.get(name, ())
        case Mixed(parts):
            known = [part for part in parts if not isinstance(part, str)]
            return tuple(name for part in known for name in _makers(part, made, inputs))
        case _:
            return ()


def _exposed(pipeline: Pipeline, prefix: str) -> Iterator[tuple[str, str]]:
    """Flat steps, and the outputs of this pipeline that are theirs."""
    for step in (*pipeline.steps, *pipeline.others):
        if isinstance(step, PipelineStep):
            inner = list(_exposed(step.pipeline, f"{prefix}{step.name}."))
            yield from ((name, step.exposes[output]) for name, output in inner if output in step.exposes)
        else:
            yield from ((prefix + step.name, output) for output in step.exposes.values())
