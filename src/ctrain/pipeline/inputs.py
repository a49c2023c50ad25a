"""What a pipeline's inputs are bound to, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ctrain.document import nearest
from ctrain.errors import Location, PipelineError
from ctrain.pipeline.graph import Asset, Input, Pipeline
from ctrain.pipeline.values import checked, is_remote
from ctrain.training import Scalar


def bound_inputs(pipeline: Pipeline, given: Mapping[str, Scalar]) -> dict[str, Scalar | Asset | None]:
    """Each input's value: as given, else its default, else None where it is optional.

    Raises PipelineError for an input that the pipeline does not have, one that is missing, and a value that does not
    fit its declaration.
    """
    for name in given:
        if name not in pipeline.inputs:
            near = nearest(name, pipeline.inputs)
            known = ", ".join(pipeline.inputs) or "none"
            raise PipelineError(
                f"the pipeline has no input {name!r}",
                why=f"its inputs are: {known}",
                hint=f"did you mean {near!r}?" if near else "declare it in the pipeline, or do not set it",
                at=Location(pipeline.file, 1),
            )
    return {name: _bound(declared, given.get(name)) for name, declared in pipeline.inputs.items()}


def _bound(declared: Input, given: Scalar | None) -> Scalar | Asset | None:
    value = declared.default if given is None else given
    if value is None:
        if declared.optional:
            return None
        raise PipelineError(
            f"the input {declared.name!r} has no value",
            why="it is required and has no default",
            hint="give it a value",
            at=declared.at,
        )
    if isinstance(value, Asset):
        return value
    return checked(value, declared, declared.at) if declared.type.literal else Asset(str(value), declared.type)


def local_path(uri: str, beside: Path) -> Path | None:
    """Where a local asset is; a relative path counts from the pipeline's folder. None for what is not local."""
    if is_remote(uri):
        return None
    return (beside / Path(uri.removeprefix("file://")).expanduser()).absolute()
