"""Data on Azure ML: assets pinned to a version and to what storage says of their blobs; samples as assets, too."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final, assert_never

from ctrain.backends.azureml.addresses import Address, DataAsset, RegistryData, StorePath, data_address, store_path
from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.data_assets import DATA, Asset, DataAssets
from ctrain.backends.azureml.limits import tags
from ctrain.backends.azureml.sampling_job.compute import default_compute, plain_compute
from ctrain.backends.azureml.sampling_job.job import SamplingJobs, Wanted
from ctrain.backends.azureml.stores import Blob, Stores, blobs_at
from ctrain.backends.azureml.trainer import PACE
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.data import DataVersion, SampleSpec
from ctrain.errors import DataError
from ctrain.ports import Pace
from ctrain.sampling import DEFINITION, check_spec

MOST_BLOBS: Final = 1_000_000
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


class AzureData:
    """The DataStore of a workspace.

    A pinned version's digest is over the asset's id and its blobs' names, sizes and MD5s (ETags where storage has no
    MD5): nothing is read but the list. Where the files are in no blob store, and for data in registries, it is over
    the asset alone, which Azure ML does not let change. `compute` is where samples are made, by default where the
    `pipeline` runs, else on Azure ML's serverless compute.
    """

    def __init__(
        self, workspace: AzureWorkspace, compute: str | None = None, pipeline: Path | None = None, pace: Pace = PACE
    ) -> None:
        self._workspace = workspace
        self._compute = compute
        self._pipeline = pipeline
        self._pace = pace
        self._assets = DataAssets(workspace)
        self._stores = Stores(workspace)

    # -- pinning

    def pin(self, reference: str) -> DataVersion:
        """Resolve a reference to what it is now. Raises DataError where there is nothing, or it is archived."""
        return self._pinned(data_address(reference), None)

    def verify(self, data: DataVersion) -> None:
        """Raises DataError where a pinned data set is no longer what it was."""
        if self._pinned(data_address(data.uri), data.sample).digest != data.digest:
            raise DataError(
                f"the data set {data.name} has changed since it was pinned",
                why=f"the blobs of {data.uri} are no longer those of {data.digest[:12]}",
                hint="write new data beside the old, as a new version; and run again",
            )

    def _pinned(self, address: Address, sample: SampleSpec | None) -> DataVersion:
        match address:
            case DataAsset():
                return self._pinned_asset(self._assets.find(address), sample)
            case StorePath():
                return self._pinned_path(address)
            case RegistryData(_, name, version, uri):
                return DataVersion(name, version, _digest([uri]), uri, size=0)
            case _:
                assert_never(address)

    def _pinned_asset(self, asset: Asset, sample: SampleSpec | None = None) -> DataVersion:
        blobs = self._blobs(asset.uri, asset.reference)
        parts = [asset.id.lower(), asset.uri, *(_said(blob) for blob in blobs)] if blobs else [asset.id, asset.made]
        return DataVersion(
            name=asset.name,
            version=asset.version,
            digest=_digest(parts),
            uri=asset.reference,
            size=sum(blob.size for blob in blobs or ()),
            sample=sample,
        )

    def _pinned_path(self, place: StorePath) -> DataVersion:
        blobs = self._blobs(place.uri, place.uri)
        if blobs is None:
            raise DataError(
                f"{place.uri} cannot be pinned",
                why=f"there is no blob datastore {place.store!r} in the workspace",
                hint="name a datastore that the workspace has, or register the data as an asset",
            )
        digest = _digest([self._workspace.arm_id.lower(), place.uri, *(_said(blob) for blob in blobs)])
        name = _NO_NAME.sub("-", place.last.partition(".")[0]).strip("-") or "data"
        return DataVersion(name, digest[:12], digest, place.uri, sum(blob.size for blob in blobs))

    def _blobs(self, uri: str, reference: str) -> list[Blob] | None:
        """All blobs, by name; None where they cannot be listed. Raises DataError where there are none, or too many."""
        place = store_path(uri)
        container = self._stores.container(place) if place else None
        if place is None or container is None:
            return None
        found: list[Blob] = []
        for blob in blobs_at(container, place):
            found.append(blob)
            if len(found) > MOST_BLOBS:
                raise DataError(
                    f"{reference} has too many files",
                    why=f"there are over {MOST_BLOBS:,}, and each release lists them",
                    hint="write larger files",
                )
        if not sum(blob.size for blob in found):
            raise DataError(
                f"{reference} is empty",
                why=f"there is nothing at {place.uri}",
                hint="write the data there, or name another version",
            )
        return sorted(found, key=lambda blob: blob.name)

    # -- samples

    def sampled(self, data: DataVersion, spec: SampleSpec) -> DataVersion | None:
        """The sample of a pinned data set, where it has been made and is still there."""
        name, version = _sample_name(data), _sample_key(data, spec)[:20]
        asset = self._assets.version(name, version)
        if asset is None:
            return None
        try:
            return self._pinned_asset(asset, spec)
        except DataError:
            return None

    def sample(self, data: DataVersion, spec: SampleSpec) -> DataVersion:
        """The sample of a pinned data set, made by a job on the cluster or reused.

        Raises DataError where it cannot be made, and StillRunning where that takes too long.
        """
        check_spec(spec)
        made = self.sampled(data, spec)
        if made is None:
            self.verify(data)
            self._make(data, spec)
            made = self.sampled(data, spec)
        if made is None:
            raise DataError(
                f"the sample of {data.name} is gone",
                why=f"{_sample_name(data)}:{_sample_key(data, spec)[:20]} was made, and its files are not there",
                hint="find out what removes them, and archive or delete that version to have it made anew",
            )
        return made

    def _make(self, data: DataVersion, spec: SampleSpec) -> None:
        wanted = self._wanted(data, spec)
        place = SamplingJobs(self._workspace, self._pace).made(wanted)
        self.verify(data)
        body: Json = {
            "properties": {
                "dataType": wanted.kind,
                "dataUri": place.uri,
                "description": f"{spec.fraction:.3%} of {data.uri} by {spec.key}, made by ctrain.",
                "tags": dict(wanted.tags),
            }
        }
        name, version = _sample_name(data), wanted.key[:20]
        self._workspace.arm.put(f"data/{name}/versions/{version}", DATA, body)

    def _wanted(self, data: DataVersion, spec: SampleSpec) -> Wanted:
        address = data_address(data.uri)
        match address:
            case DataAsset():
                asset = self._assets.find(address)
                kind, files = asset.kind, asset.uri
                source = asset.uri if kind == "mltable" else asset.reference
            case StorePath():
                files = source = address.uri
                kind = "uri_file" if self._is_file(address) else "uri_folder"
            case RegistryData():
                raise DataError(
                    f"{data.uri} cannot be sampled",
                    why="ctrain samples data of the workspace",
                    hint="copy it into the workspace as a data asset of its own",
                )
            case _:
                assert_never(address)
        return Wanted(
            key=_sample_key(data, spec),
            of=f"{data.name}:{data.version}",
            kind=kind,
            source=source,
            spec=spec,
            store=self._workspace.store.name,
            file=files.rstrip("/").rpartition("/")[2],
            compute=plain_compute(self._compute or (default_compute(self._pipeline) if self._pipeline else None)),
            tags=_sample_tags(data, spec),
        )

    def _is_file(self, place: StorePath) -> bool:
        blobs = self._blobs(place.uri, place.uri) or []
        return [blob.name for blob in blobs] == [place.path]


def _said(blob: Blob) -> str:
    return f"{blob.name}\0{blob.size}\0{blob.mark}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sample_name(data: DataVersion) -> str:
    return f"{data.name[:240]}-sample"


def _sample_key(data: DataVersion, spec: SampleSpec) -> str:
    parts = [DEFINITION, data.uri, data.digest, asdict(spec)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _sample_tags(data: DataVersion, spec: SampleSpec) -> dict[str, str]:
    told = {
        "ctrain.sample.of": data.uri,
        "ctrain.sample.digest": data.digest,
        "ctrain.sample.spec": json.dumps(asdict(spec)),
        "ctrain.sample.definition": str(DEFINITION),
    }
    return tags(told, {})
