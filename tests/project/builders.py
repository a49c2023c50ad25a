"""A valid `ctrain.yaml`, as small as can be, and changes to it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ctrain.project import Project, load_project

SMALLEST: dict[str, Any] = {
    "project": "visits",
    "pipeline": "pipelines/train.yml",
    "data": {"input": "training_data", "local": "visits.parquet", "sample": {"fraction": 0.05, "key": "row_id"}},
    "model": {"name": "visits", "output": "model"},
    "evaluation": {"output": "evaluation", "row_id": "row_id", "label": "visited"},
    "gate": {"metrics": {"auc": {"direction": "up", "rule": "absolute", "floor": 0.7}}},
    "stages": {"dev": {"endpoint": "visits-dev"}, "prod": {"endpoint": "visits-prod"}},
}


def a_file(folder: Path, **sections: Any) -> Path:
    """`ctrain.yaml` in that folder: the smallest, with these top-level sections replaced. JSON is YAML too."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "ctrain.yaml"
    file.write_text(json.dumps(SMALLEST | sections, indent=1), encoding="utf-8")
    return file


def a_loaded_project(folder: Path, **sections: Any) -> Project:
    return load_project(a_file(folder, **sections))


def places(value: Any, keys: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """All ways into a nested value, the root's among them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [keys, *(place for key, item in items for place in places(item, (*keys, key)))]


def replaced(value: Any, keys: tuple[str | int, ...], new: Any) -> Any:
    """The same nested value with another part at that place."""
    if not keys:
        return new
    made = copy.deepcopy(value)
    inner = made
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = new
    return made
