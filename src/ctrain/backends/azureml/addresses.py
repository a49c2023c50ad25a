"""How Azure ML names data: assets, registries' assets, and paths in datastores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from ctrain.errors import DataError

_ASSET: Final = re.compile(r"azureml:(?P<name>[A-Za-z0-9][\w.-]*)(?::(?P<version>[\w.-]+)|@(?P<label>[\w.-]+))?")
_IN_REGISTRY: Final = re.compile(
    r"azureml://registries/(?P<registry>[\w.-]+)/data/(?P<name>[\w.-]+)"
    r"(?:/versions/(?P<version>[\w.-]+)|/labels/(?P<label>[\w.-]+))?/?",
    re.IGNORECASE,
)
_IN_STORE: Final = re.compile(
    r"azureml://(?:subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/(?:providers/Microsoft\.MachineLearningServices/)?workspaces/(?P<workspace>[^/]+)/)?"
    r"datastores/(?P<store>[^/]+)(?:/paths)?/(?P<path>.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DataAsset:
    """`azureml:name:version`, or `azureml:name@label`. One of version and label is None, or both."""

    name: str
    version: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class RegistryData:
    """`azureml://registries/REGISTRY/data/NAME/versions/VERSION`."""

    registry: str
    name: str
    version: str
    uri: str


@dataclass(frozen=True)
class StorePath:
    """A path in a datastore: a blob's name, or what the names of several begin with.

    `workspace` is the one whose datastore it is, as `subscription/group/name`; empty for our own.
    """

    store: str
    path: str
    workspace: str = ""

    @property
    def uri(self) -> str:
        return f"azureml://datastores/{self.store}/paths/{self.path}"

    @property
    def last(self) -> str:
        """The name of the file or folder."""
        return self.path.rstrip("/").rpartition("/")[2]


Address = DataAsset | RegistryData | StorePath


def data_address(reference: str) -> Address:
    """What a reference in `ctrain.yaml` names. Raises DataError where it names no data on Azure ML."""
    found = _ASSET.fullmatch(reference)
    if found:
        return DataAsset(found["name"], found["version"], found["label"])
    found = _IN_REGISTRY.fullmatch(reference)
    if found:
        return _registry_data(found, reference)
    path = store_path(reference)
    if path is not None:
        return path
    raise DataError(
        f"{reference!r} names no data on Azure ML",
        why="there it is `azureml:NAME:VERSION`, `azureml:NAME@latest`, `azureml://datastores/STORE/paths/PATH`, or"
        " `azureml://registries/REGISTRY/data/NAME/versions/VERSION`",
        hint="correct `data.azureml` in ctrain.yaml",
    )


def _registry_data(found: re.Match[str], reference: str) -> RegistryData:
    if not found["version"]:
        raise DataError(
            f"{reference} is not pinned to a version",
            why="data in a registry may change its latest version while we train",
            hint=f"name it as azureml://registries/{found['registry']}/data/{found['name']}/versions/VERSION",
        )
    return RegistryData(found["registry"], found["name"], found["version"], reference.rstrip("/"))


def store_path(uri: str) -> StorePath | None:
    """The path in a datastore that a URI names, in its short form or with the workspace; None for any other URI."""
    found = _IN_STORE.fullmatch(uri)
    if not found:
        return None
    workspace = "/".join(filter(None, found.group("subscription", "group", "workspace")))
    return StorePath(found["store"], unquote(found["path"]), workspace)
