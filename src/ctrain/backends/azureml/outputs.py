"""What jobs left: where it is, and bringing it here safely."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.addresses import StorePath, store_path
from ctrain.backends.azureml.bodies import section, text
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.history import Asset, History, Run
from ctrain.backends.azureml.jobs import Job, find_job
from ctrain.backends.azureml.stores import READ_BLOBS, Blob, Stores, blobs_at
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import PlatformUnavailable, TrainingFailed

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

MOST_FILES: Final = 20_000
MOST_BYTES: Final = 50 * 2**30
"""What is fetched is a model and evaluation rows. An Azure ML model has at most 1,500 files (its documented limit)."""

AT_ONCE: Final = 8
KEPT_SECONDS: Final = 14 * 24 * 3600
"""What nobody asked for so long is removed from the cache."""

_DRIVE: Final = re.compile("[A-Za-z]:")

_MODELS: Final = frozenset({"mlflowmodel", "custommodel", "tritonmodel"})


class Outputs:
    """The outputs of a workspace's jobs."""

    def __init__(self, workspace: AzureWorkspace, stores: Stores | None = None) -> None:
        self._workspace = workspace
        self._stores = stores or Stores(workspace)

    def places(self, job: Job, root: Run | None) -> dict[str, str]:
        """Where each output is, an `azureml://` URI: what the data planes say, else what the job's definition does."""
        known = root.outputs if root else {}
        found = {**self._resolved(known, models=False), **self._resolved(known, models=True)}
        return {**job.outputs, **found}

    def _resolved(self, outputs: Mapping[str, Asset], *, models: bool) -> dict[str, str]:
        wanted = {name: asset.id for name, asset in outputs.items() if (asset.kind.lower() in _MODELS) is models}
        if not wanted:
            return {}
        plane, key = ("modelregistry/v1.0{ws}/models", "path") if models else ("data/v1.0{ws}/dataversion", "uri")
        body = {"values": sorted(set(wanted.values()))}
        answer = self._workspace.region.post(f"{plane}/batchGetResolvedUris", body, idempotent=True)
        if not isinstance(answer.get("values"), Mapping):
            raise PlatformUnavailable(
                "Azure's answer could not be used",
                why="it was asked where a job's outputs are, and does not say",
                hint="run the same command again; a proxy in between may have answered",
            )
        known = section(answer, "values")
        return {name: uri for name, asset in wanted.items() if (uri := text(known.get(asset), key))}

    def place(self, name: str, output: str) -> StorePath:
        """Where one output of that job is. Raises TrainingFailed where it has none of that name, PlatformUnavailable
        where there is no such job."""
        job = find_job(self._workspace.arm, name)
        if job is None:
            raise PlatformUnavailable(
                f"the output {output!r} of the job {name} could not be fetched",
                why="Azure knows of no job of that name now",
                hint="run the same command again; if it stays, train again with `ctrain run --fresh`",
            )
        root = History(self._workspace.region).run(job.source)
        found = store_path(self.places(job, root).get(output, ""))
        if found is not None:
            return found
        known = sorted({*job.output_names, *(root.outputs if root else ())} - {"default"})
        if output in known:
            # where Azure ML puts what nobody placed; the SDK looks there as well (`_get_named_output_uri`)
            return StorePath(self._workspace.store.name, f"azureml/{job.source}/{output}/")
        raise _no_output(name, output, f"its outputs are: {', '.join(known) or 'none'}")

    def fetch(self, job: str, output: str, place: StorePath, cache: Path) -> Path:
        """A local copy of what is at that place, in the cache: a folder, or the file where the output is one.

        Raises TrainingFailed where it is gone, or holds what cannot be brought here.
        """
        container = self._stores.container(place)
        if container is None:
            raise TrainingFailed(
                f"the output {output!r} of the job {job} cannot be fetched",
                why=f"{place.uri} is in no blob store that this workspace knows",
                hint="let the pipeline write it to a blob datastore",
            )
        found = _within_limits(blobs_at(container, place), place)
        if not found:
            raise TrainingFailed(
                f"the output {output!r} of the job {job} is gone",
                why=f"there is nothing at {place.uri}",
                hint="train again with --fresh",
            )
        names = {blob.name: local_name(blob.name, place) for blob in found}
        folder = _kept(cache, container, place, found)
        if not folder.is_dir():
            _fill(folder, container, found, names)
        os.utime(folder)
        return folder / place.last if names.get(place.path) == place.last else folder


def _no_output(job: str, output: str, why: str) -> TrainingFailed:
    hint = "name one of the pipeline's outputs, of a job that was completed"
    return TrainingFailed(f"the job {job} has no output {output!r}", why=why, hint=hint)


def _within_limits(blobs: Iterable[Blob], place: StorePath) -> list[Blob]:
    found: list[Blob] = []
    size = 0
    for blob in blobs:
        found.append(blob)
        size += blob.size
        if len(found) > MOST_FILES or size > MOST_BYTES:
            raise TrainingFailed(
                f"{place.uri} is too large to be fetched",
                why=f"it has over {MOST_FILES:,} files, or over {MOST_BYTES // 2**30} GiB",
                hint="write only the model, and only the evaluation rows, to these outputs",
            )
    return found


def local_name(blob: str, place: StorePath) -> str:
    """The blob's path below its place, as a relative path of this machine.

    Raises TrainingFailed for a name that would lead out of a folder, here or on any system.
    """
    path = place.path.rstrip("/")
    name = place.last if blob == place.path else blob[len(path) :].removeprefix("/")
    parts = name.split("/")
    bad = any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts)
    if bad or "\\" in name or _DRIVE.match(name) or any(ord(mark) < 32 for mark in name):
        raise TrainingFailed(
            f"a file of {place.uri} cannot be fetched",
            why=f"its name {name!r} is no plain relative path",
            hint="let the step write files with plain names",
        )
    return name


def _kept(cache: Path, container: ContainerClient, place: StorePath, blobs: Sequence[Blob]) -> Path:
    """The folder for exactly this content."""
    whole = hashlib.sha256(f"{container.url.partition('?')[0]}\0{place.path}\n".encode())
    for blob in sorted(blobs, key=lambda one: one.name):
        whole.update(f"{blob.name}\0{blob.size}\0{blob.mark}\n".encode())
    return cache / whole.hexdigest()[:32]


def _fill(folder: Path, container: ContainerClient, blobs: Sequence[Blob], names: Mapping[str, str]) -> None:
    """Bring all files here, several at once. The folder appears when it is complete.

    Files that an earlier attempt brought are kept. `parts` has those that are halfway, apart, so that what a killed
    process left there never becomes part of the output.
    """
    partial, parts = (folder.with_name(f"{folder.name}.{end}") for end in ("partial", "parts"))
    try:
        for made in (partial, parts):
            made.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(folder.parent)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda blob: _bring(container, blob, partial / names[blob.name], parts), blobs))
        partial.rename(folder)
    except OSError as failure:
        if folder.is_dir():  # another process was faster
            return
        raise PlatformUnavailable(
            "cannot keep what was fetched",
            why=f"{failure.strerror or failure}: {failure.filename or folder}",
            hint="make room on the disk, or set CTRAIN_HOME to a folder of yours",
        ) from failure
    shutil.rmtree(parts, ignore_errors=True)


def _bring(container: ContainerClient, blob: Blob, to: Path, parts: Path) -> None:
    if to.is_file() and to.stat().st_size == blob.size:
        return
    handle, part = tempfile.mkstemp(dir=parts)
    with os.fdopen(handle, "wb") as file, translated(f"fetch {blob.name}", needs=READ_BLOBS):
        container.download_blob(blob.name, max_concurrency=2).readinto(file)
    if Path(part).stat().st_size != blob.size:
        raise PlatformUnavailable(
            f"could not fetch {blob.name}",
            why="it was changed while it was read",
            hint="run the same command again; if it stays, find out what writes there",
        )
    to.parent.mkdir(parents=True, exist_ok=True)
    Path(part).replace(to)


def _forget_old(cache: Path) -> None:
    oldest = time.time() - KEPT_SECONDS
    for entry in cache.iterdir():
        with suppress(OSError):
            if entry.is_dir() and entry.stat().st_mtime < oldest:
                shutil.rmtree(entry, ignore_errors=True)
