"""What is there to begin with: pipelines, data, a workspace's address, and where the repository is hosted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ctrain.errors import UsageError
from ctrain.pipeline import Asset, Input, Output, Pipeline, ValueType, read_pipeline
from ctrain.serving import WorkspaceAddress

MOST_FILES: Final = 20_000
"""So many files are looked at, so that a folder of millions of pictures keeps nobody waiting."""

_SKIPPED: Final = {"node_modules", "__pycache__", "site-packages", "venv", "env", "mlruns", "build", "dist"}
_PIPELINE: Final = re.compile(r"^type:\s*[\"']?pipeline\b", re.MULTILINE)
_TABLES: Final = (".parquet", ".csv")
_MODELS: Final = (ValueType.MLFLOW_MODEL, ValueType.CUSTOM_MODEL)


class Host(StrEnum):
    """Whose CI the repository can have."""

    GITHUB = "github"
    AZURE_DEVOPS = "azure-devops"


@dataclass(frozen=True)
class Surroundings:
    """`folder` is where ctrain.yaml belongs, `root` the top of the repository (`folder` itself outside of one).

    `pipelines` could be read; `broken` could not, each with what is wrong.
    """

    folder: Path
    root: Path
    repository: bool
    branch: str
    host: Host | None
    pipelines: tuple[Pipeline, ...] = ()
    broken: tuple[UsageError, ...] = ()
    tables: tuple[Path, ...] = ()
    scripts: tuple[Path, ...] = ()
    workspace: WorkspaceAddress | None = None


def look(folder: Path, *, root: Path | None, branch: str, remote: str) -> Surroundings:
    """Look around in the folder, without changing anything. `root` is None outside of a repository."""
    pipelines: list[Pipeline] = []
    broken: list[UsageError] = []
    tables: list[Path] = []
    scripts: list[Path] = []
    workspace: WorkspaceAddress | None = None
    for file in _files(folder):
        if file.suffix in (".yml", ".yaml") and _is_pipeline(file):
            try:
                pipelines.append(read_pipeline(file, local=False))
            except UsageError as error:
                broken.append(error)
        elif file.suffix in _TABLES:
            tables.append(file)
        elif file.name == "score.py":
            scripts.append(file)
        elif file.name == "config.json":
            workspace = workspace or _workspace(file)
    found = (tuple(pipelines), tuple(broken), tuple(tables), tuple(scripts), workspace)
    return Surroundings(folder, root or folder, root is not None, branch, host_of(remote), *found)


def host_of(remote: str) -> Host | None:
    """Where a git remote of that address is; None for any other host."""
    address = re.fullmatch(r"(?:\w+://)?(?:[^@/]+@)?(?P<host>[^:/]+)[:/].*", remote)
    host = address["host"].lower() if address else ""
    if host in ("github.com", "ssh.github.com"):
        return Host.GITHUB
    if host in ("dev.azure.com", "ssh.dev.azure.com") or host.endswith(".visualstudio.com"):
        return Host.AZURE_DEVOPS
    return None


def data_inputs(pipeline: Pipeline) -> list[Input]:
    """The inputs that may take the data set: files and folders, but for optional ones, and models."""
    found = [it for it in pipeline.inputs.values() if not it.type.literal and it.type not in _MODELS]
    return [it for it in found if not it.optional] or found


def model_outputs(pipeline: Pipeline) -> list[Output]:
    """The outputs that may be the model: those of a model's type, else those named like one, else all."""
    outputs = list(pipeline.outputs.values())
    typed = [it for it in outputs if it.type in _MODELS]
    return typed or [it for it in outputs if "model" in it.name.lower()] or outputs


def evaluation_outputs(pipeline: Pipeline) -> list[Output]:
    """The outputs that may hold the evaluation rows: those named like it, else all that is no model."""
    rest = [it for it in pipeline.outputs.values() if it.type not in _MODELS and "model" not in it.name.lower()]
    named = [it for it in rest if re.search(r"(?i)eval|predict|score", it.name)]
    return named or rest


def default_of(declared: Input) -> str:
    """The reference that the pipeline itself gives the input; empty where it gives none."""
    return declared.default.uri if isinstance(declared.default, Asset) else ""


def columns(table: Path) -> list[str]:
    """The columns of a table; none where it cannot be read."""
    import polars as pl

    try:
        scan = pl.scan_parquet if table.suffix == ".parquet" else pl.scan_csv
        return scan(table).collect_schema().names()
    except (pl.exceptions.PolarsError, OSError, ValueError):
        return []


def _files(folder: Path) -> Iterator[Path]:
    left = MOST_FILES
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(it for it in folders if it not in _SKIPPED and (not it.startswith(".") or it == ".azureml"))
        for name in sorted(names):
            if left == 0:
                return
            left -= 1
            yield Path(at, name)


def _is_pipeline(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8") if file.stat().st_size < 1 << 20 else ""
    except (OSError, UnicodeDecodeError):
        return False
    parts = re.search(r"^(jobs|component):", text, re.MULTILINE)
    return bool(_PIPELINE.search(text) and parts) and "pipelineComponent" not in text.partition("jobs:")[0]


def _workspace(file: Path) -> WorkspaceAddress | None:
    """What the Studio's "download config.json" says."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return WorkspaceAddress(*(str(said[key]) for key in ("subscription_id", "resource_group", "workspace_name")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
