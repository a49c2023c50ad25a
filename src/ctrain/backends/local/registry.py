"""MLflow's registry on this machine: read by SQL within milliseconds, written by MLflow itself in a process of its own.

Importing MLflow costs 1.6 s, which `ctrain plan` does not have; and ctrain's own process loads no model. A version's
files lie in `home.models/DIGEST/`, whatever the version is of, and its lineage in tags `ctrain.*`. Versions that
somebody registered by other means are listed as well, with as much lineage as they have.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.backends.local.home import Home
from ctrain.digest import file_digest, tree_digest, tree_files
from ctrain.errors import Conflict, CtrainError, PlatformUnavailable, UsageError
from ctrain.rollout import Stage
from ctrain.training import Scalar
from ctrain.version import Lineage, ModelVersion

if TYPE_CHECKING:
    from ctrain.backends.local.registry_client import RegistryWriter

CHAMPION = "champion"
PREFIX = "ctrain."
_BUSY_SECONDS = 5.0

# Tables as of MLflow 3.17 (mlflow/store/model_registry/dbmodels/models.py); a deleted version keeps its row.
_VERSIONS = (
    "SELECT version, COALESCE(storage_location, source) FROM model_versions"
    " WHERE name=? AND current_stage <> 'Deleted_Internal' ORDER BY version"
)
_TAGS = "SELECT version, key, value FROM model_version_tags WHERE name=?"
_ALIAS = "SELECT version FROM registered_model_aliases WHERE name=? AND alias=?"


@dataclass(frozen=True)
class RegistryRows:
    """The registry as its tables say it is."""

    home: Home

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions, oldest first; none where there is no store.

        Raises PlatformUnavailable where the store is not one that we can read.
        """
        with self._store() as store:
            if store is None:
                return []
            tags: dict[int, dict[str, str]] = {}
            for version, key, value in store.execute(_TAGS, (model,)):
                tags.setdefault(version, {})[key] = value or ""
            return [
                _model_version(model, version, source or "", tags.get(version, {}))
                for version, source in store.execute(_VERSIONS, (model,))
            ]

    def champion(self, model: str) -> ModelVersion | None:
        """The version that the alias `champion` points to."""
        with self._store() as store:
            row = store.execute(_ALIAS, (model, CHAMPION)).fetchone() if store else None
        return next((version for version in self.versions(model) if row and version.version == row[0]), None)

    def with_digest(self, model: str, digest: str) -> ModelVersion | None:
        """The first version that has these files."""
        return next((version for version in self.versions(model) if version.digest == digest), None)

    def has_model(self, model: str) -> bool:
        """Whether there is a registered model of that name, with or without versions."""
        with self._store() as store:
            return bool(store and store.execute("SELECT 1 FROM registered_models WHERE name=?", (model,)).fetchone())

    def has_run(self, run: str) -> bool:
        """Whether MLflow knows that run."""
        with self._store() as store:
            return bool(store and store.execute("SELECT 1 FROM runs WHERE run_uuid=?", (run,)).fetchone())

    @contextlib.contextmanager
    def _store(self) -> Iterator[sqlite3.Connection | None]:
        if not self.home.tracking_db.exists():
            yield None
            return
        try:
            uri = f"{self.home.tracking_db.as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as store:
                yield store
        except sqlite3.Error as failure:
            raise PlatformUnavailable(
                "the model registry cannot be read",
                why=f"{self.home.tracking_db}: {failure}",
                hint="it has to be a store of MLflow 3; see what `mlflow db upgrade` says of it",
            ) from None


class LocalRegistry:
    """The Registry of the local backend."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.rows = RegistryRows(home)

    def champion(self, model: str) -> ModelVersion | None:
        return self.rows.champion(model)

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions, oldest first."""
        return self.rows.versions(model)

    def register(self, model: str, files: Path, digest: str, lineage: Lineage) -> ModelVersion:
        """Give a model, a folder or a single file, a version; the same digest again returns the version that has it.

        The files are copied before the version exists, so that a version is always complete. Raises Conflict where
        the files do not have that digest, UsageError for a name that MLflow does not take.
        """
        _check_name(model)
        known = self.rows.with_digest(model, digest)
        if known is None:
            self.warm()
        source = self._keep(files, digest)
        if known is None:
            run = lineage.run_id if lineage.run_id and self.rows.has_run(lineage.run_id) else None
            tags = {**_tags(lineage), f"{PREFIX}digest": digest}
            self.writer.ask(call="register", model=model, source=str(source), digest=digest, tags=tags, run=run)
            known = self.rows.with_digest(model, digest)
        if known is None:
            raise PlatformUnavailable(
                f"the new version of {model} is not in the registry",
                why="MLflow said that it was, and somebody has deleted it since",
                hint="try again",
            )
        return known

    def crown(self, version: ModelVersion) -> None:
        """Point the alias `champion` at this version. Raises Conflict where there is no such version."""
        known = {(known.version, known.digest) for known in self.versions(version.name)}
        if (version.version, version.digest) not in known:
            raise Conflict(
                f"{version} cannot become the champion",
                why="the registry has no such version, or another one under that number",
                hint="see `ctrain status` for the versions there are",
            )
        champion = self.champion(version.name)
        if champion is None or champion.version != version.version:
            self.writer.ask(call="crown", model=version.name, version=version.version)

    def promote(self, version: ModelVersion, stage: Stage) -> str:  # noqa: ARG002  one place serves all stages here
        return version.uri

    def warm(self) -> None:
        """Start the process that writes, which takes a second or two, and return at once."""
        self.writer.start()

    def close(self) -> None:
        """End the process that writes. It also ends with ours, and when it has not been asked for a while."""
        self.writer.close()

    @cached_property
    def writer(self) -> RegistryWriter:
        """The process that writes; it is started by what first needs it."""
        from ctrain.backends.local.registry_client import RegistryWriter

        return RegistryWriter(self.home)

    def _keep(self, files: Path, digest: str) -> Path:
        from ctrain.backends.local.publish import publish

        def fill(folder: Path) -> None:
            for name, file in _named(files):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / name)
            if _found(folder, digest) is None:
                raise Conflict(
                    f"the model in {files} is not the one that was judged",
                    why=f"its content does not have the digest {digest[:12]}",
                    hint="train again, and leave the outputs alone",
                )

        self.home.prepare()
        place = self.home.models / digest
        publish(place, fill, intact=lambda folder: _found(folder, digest) is not None)
        return _found(place, digest) or place


def _named(files: Path) -> list[tuple[str, Path]]:
    return [(files.name, files)] if files.is_file() else tree_files(files)


def _found(folder: Path, digest: str) -> Path | None:
    """Where in the folder the model of that digest is: all of it, or the one file in it."""
    if not folder.is_dir():
        return None
    with contextlib.suppress(CtrainError):
        if tree_digest(folder) == digest:
            return folder
        items = list(folder.iterdir())
        if len(items) == 1 and items[0].is_file() and file_digest(items[0]) == digest:
            return items[0]
    return None


def _check_name(model: str) -> None:
    # mlflow/utils/validation.py, _validate_model_name
    if not model.strip() or "/" in model or ":" in model:
        raise UsageError(
            f"{model!r} cannot name a model", why="MLflow takes no empty name, `/` or `:`", hint="choose another name"
        )


def _tags(lineage: Lineage) -> dict[str, str]:
    said = {
        "commit": lineage.commit,
        "branch": lineage.branch,
        "dirty": json.dumps(lineage.dirty),
        "data": lineage.data,
        "data_digest": lineage.data_digest,
        "parameters": json.dumps(dict(lineage.parameters), sort_keys=True),
        "job": lineage.job,
        "run_id": lineage.run_id,
        "release": lineage.release,
        "verdict": lineage.verdict,
    }
    return {PREFIX + name: text for name, text in said.items()}


def _model_version(model: str, version: int, source: str, tags: Mapping[str, str]) -> ModelVersion:
    said = {key.removeprefix(PREFIX): text for key, text in tags.items() if key.startswith(PREFIX)}
    texts = {name: said.get(name, "") for name in ("commit", "branch", "data", "data_digest", "job", "release")}
    return ModelVersion(
        name=model,
        version=version,
        digest=said.get("digest", ""),
        uri=source.removeprefix("file://"),
        lineage=Lineage(
            **texts,
            dirty=said.get("dirty") == "true",
            parameters=_parameters(said.get("parameters", "")),
            run_id=said.get("run_id", ""),
            verdict=said.get("verdict", ""),
        ),
        tags={key: text for key, text in tags.items() if not key.startswith(PREFIX)},
    )


def _parameters(text: str) -> dict[str, Scalar]:
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return {str(name): value for name, value in read.items()} if isinstance(read, dict) else {}
