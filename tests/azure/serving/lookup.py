"""provisional"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.azure.cloud import Cloud, Workspace


class NotThere(Exception):
    """An asset, or its files, cannot be found."""


@dataclass(frozen=True)
class FoundModel:
    name: str
    version: str
    kind: str
    uri: str


def model_of(cloud: Cloud, workspace: Workspace, asset_id: str) -> FoundModel:
    raise NotThere(asset_id)


def code_of(cloud: Cloud, workspace: Workspace, asset_id: str) -> str:
    raise NotThere(asset_id)


def environment_there(cloud: Cloud, workspace: Workspace, asset_id: str | None) -> bool:
    return True


def download(cloud: Cloud, workspace: Workspace, uri: str, target: Path) -> None:
    raise NotThere(uri)
