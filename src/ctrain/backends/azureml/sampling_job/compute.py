"""Where a sampling job runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ctrain.document import read_document
from ctrain.errors import PipelineError

SERVERLESS: Final = "serverless"


def default_compute(pipeline: Path) -> str | None:
    """Where a pipeline's steps run unless they say otherwise: `settings.default_compute`, else `compute`, if any."""
    written = read_document(pipeline, PipelineError).value
    top = written if isinstance(written, dict) else {}
    settings = top.get("settings")
    named = settings.get("default_compute") if isinstance(settings, dict) else None
    found = named or top.get("compute")
    return found if isinstance(found, str) else None


def plain_compute(named: str | None) -> str | None:
    """The cluster's name; None for serverless compute, which the SDK asks for by naming none."""
    name = (named or "").removeprefix("azureml:")
    return None if name in {"", SERVERLESS} else name
