"""The reference project's files, and what its scripts define."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

PIPELINES = Path(__file__).parents[2] / "pipelines"
VISITS = PIPELINES / "data" / "visits.parquet"
STEPS = ("prep", "train", "evaluate")


def script(name: str) -> Path:
    return PIPELINES / "components" / name / f"{name}.py"


def defined_in(file: Path) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(file)))
