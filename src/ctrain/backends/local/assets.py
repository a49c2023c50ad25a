"""`azureml:name:version` and `azureml:name@latest`, looked up on this machine; MLflow is not imported for it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.pipeline.graph import ValueType

_REFERENCE = re.compile(r"azureml:(?P<name>\w[\w.-]*)(?::(?P<version>\w[\w.-]*)|@(?P<label>\w[\w.-]*))")
_MODELS = (ValueType.MLFLOW_MODEL, ValueType.CUSTOM_MODEL, ValueType.TRITON_MODEL)


def find_registered(home: Home, uri: str, kind: ValueType) -> Path | None:
    """The files of a model in the MLflow registry, or of a data set under `data/assets/NAME/VERSION`.

    `@latest` is the highest version; any other label of a model is an MLflow alias. None where there is none.
    """
    found = _REFERENCE.fullmatch(uri)
    if not found:
        return None
    wanted = found["version"] or f"@{found['label']}"
    return _model(home, found["name"], wanted) if kind in _MODELS else _data(home, found["name"], wanted)


def _data(home: Home, name: str, wanted: str) -> Path | None:
    place = home.data / "assets" / name
    if wanted != "@latest":
        return place / wanted if (place / wanted).exists() else None
    known = list(place.iterdir()) if place.is_dir() else []
    numbered = [(int(entry.name), entry) for entry in known if entry.name.isdigit()]
    if numbered:
        return max(numbered)[1]
    return max(known, key=lambda entry: entry.stat().st_mtime_ns, default=None)


def _model(home: Home, name: str, wanted: str) -> Path | None:
    if not home.tracking_db.exists():
        return None
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{home.tracking_db.as_uri()}?mode=ro", uri=True)) as store,
    ):
        version = _version(store, name, wanted)
        row = store.execute(
            "SELECT COALESCE(storage_location, source) FROM model_versions"
            " WHERE name=? AND version=? AND current_stage <> 'Deleted_Internal'",
            (name, version),
        ).fetchone()
        if row and str(row[0]).startswith("models:/m-"):
            row = store.execute(
                "SELECT artifact_location FROM logged_models WHERE model_id=?", (str(row[0]).removeprefix("models:/"),)
            ).fetchone()
        if row:
            place = Path(str(row[0]).removeprefix("file://"))
            return place if place.is_absolute() and place.exists() else None
    return None


def _version(store: sqlite3.Connection, name: str, wanted: str) -> int | None:
    if wanted.isdigit():
        return int(wanted)
    if wanted == "@latest":
        row = store.execute(
            "SELECT MAX(version) FROM model_versions WHERE name=? AND current_stage <> 'Deleted_Internal'", (name,)
        ).fetchone()
    else:
        row = store.execute(
            "SELECT version FROM registered_model_aliases WHERE name=? AND alias=?", (name, wanted.removeprefix("@"))
        ).fetchone()
    return int(row[0]) if row and row[0] is not None else None
