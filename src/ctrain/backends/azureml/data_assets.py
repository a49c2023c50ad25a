"""Data assets of a workspace, found by what a reference says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ctrain.backends.azureml.addresses import DataAsset
from ctrain.backends.azureml.bodies import Json, find, needed, text
from ctrain.backends.azureml.labels import VERSIONS
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.document import nearest
from ctrain.errors import DataError, PlatformUnavailable

DATA: Final = VERSIONS["data"]
MOST_NAMES: Final = 200
"""So many names are looked through for the one that was meant."""


@dataclass(frozen=True)
class Asset:
    """A version of a data asset: its ARM id, its type and where its files are."""

    id: str
    name: str
    version: str
    kind: str
    uri: str
    made: str
    archived: bool

    @property
    def reference(self) -> str:
        return f"azureml:{self.name}:{self.version}"


class DataAssets:
    """Looks assets up: one request for a version, two for a label."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace

    def version(self, name: str, version: str) -> Asset | None:
        """That version, archived or not; None where there is none."""
        body = self._workspace.arm.get(f"data/{name}/versions/{version}", DATA)
        return None if body is None else asset_of(name, version, body)

    def find(self, wanted: DataAsset) -> Asset:
        """Raises DataError where there is no such version, or it is archived."""
        version = wanted.version or self._latest(wanted)
        asset = self.version(wanted.name, version)
        if asset is None:
            raise self._missing(wanted)
        if asset.archived:
            raise DataError(
                f"{asset.reference} is archived",
                why="whoever archived it wants it used no more",
                hint=f"name another version, or restore it: az ml data restore -n {asset.name} -v {asset.version}",
            )
        return asset

    def _latest(self, wanted: DataAsset) -> str:
        if wanted.label != "latest":
            label = f"the label {wanted.label!r}" if wanted.label else "no version"
            raise DataError(
                f"azureml:{wanted.name} is not pinned",
                why=f"it has {label}, and data assets have one label only, `latest`",
                hint=f"name azureml:{wanted.name}@latest or azureml:{wanted.name}:VERSION",
            )
        container = self._workspace.arm.get(f"data/{wanted.name}", DATA)
        version = text(container, "properties", "latestVersion")
        if version is None:
            raise self._missing(wanted, container)
        return version

    def _missing(self, wanted: DataAsset, container: Json | None = None) -> DataError | PlatformUnavailable:
        reference = f"azureml:{wanted.name}" + (f":{wanted.version}" if wanted.version else f"@{wanted.label}")
        known = _some(self._workspace.arm.list(f"data/{wanted.name}/versions", DATA) if wanted.version else ())
        names = known or _some(self._workspace.arm.list("data", DATA))
        word = wanted.version or "" if known else wanted.name
        if word in names and (known or not (wanted.version or container)):
            return PlatformUnavailable(
                f"the data asset {reference} could not be read",
                why=f"Azure says that {self._workspace.address} has none, and lists it",
                hint="run the same command again",
            )
        meant = nearest(word, names)
        what = "its versions are" if known else "the workspace's are"
        return DataError(
            f"there is no data asset {reference} in {self._workspace.address}",
            why=f"{what} {', '.join(names[:20]) or '(none)'}",
            hint=f"did you mean {meant!r}?"
            if meant
            else "correct `data.azureml`, or register the data: az ml data create",
        )


def asset_of(name: str, version: str, body: Json) -> Asset:
    return Asset(
        id=needed(body, "id"),
        name=name,
        version=version,
        kind=text(body, "properties", "dataType") or "uri_folder",
        uri=needed(body, "properties", "dataUri"),
        made=text(body, "systemData", "createdAt") or "",
        archived=find(body, "properties", "isArchived") is True,
    )


def _some(bodies: Iterable[Json]) -> list[str]:
    found: list[str] = []
    for body in bodies:
        found.append(text(body, "name") or "")
        if len(found) == MOST_NAMES:
            break
    return sorted(filter(None, found))
