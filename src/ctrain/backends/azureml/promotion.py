"""The same bytes for a stage in another workspace: by copy, or through an Azure ML registry.

A copy goes through this process, file by file, in pieces of 8 MiB: what is committed at the other end has the sha256
that was registered, which is the proof. A copy on Azure's side would need a signed URL for the source, which not every
datastore's credential can give, and stops at storage firewalls; and its proof would be an MD5 at best.

A registry is filled by Azure itself, without a word on what arrived. So what it has is read back and digested before it
is referred to; that this was done is kept beside the version's files, so that it is done once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.blobs import make, read, segment
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.models import MODELS, digest_of, path_of, resource
from ctrain.backends.azureml.shelf import Shelf
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.digest import tree_digest
from ctrain.errors import Conflict, CtrainError, PlatformUnavailable
from ctrain.version import ModelVersion

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

SHARES: Final = "Microsoft.MachineLearningServices/registries/assets/write"
READS: Final = "Microsoft.MachineLearningServices/registries/assets/read"

LONGEST_SHARE: Final = 1800.0
"""Seconds within which a registry has what was shared with it."""

LOOK_AGAIN: Final = 5.0


def copied(version: ModelVersion, source: Shelf, target: Shelf, tags: Mapping[str, str]) -> str:
    """The URI by which the target's workspace has the version, copied there where it is not there yet.

    Raises Conflict where the target has other content under that name and number, or where the source is not what was
    registered any more. Killed in the middle, it goes on with the files that are missing.
    """
    arm, path = target.workspace.arm, path_of(version.name, version.version)
    found = arm.get(path, MODELS)
    if found is None:
        record = source.recorded(version.version)
        if record is None or record.digest != version.digest:
            raise Conflict(
                f"{version} cannot be brought to {target.workspace.address}",
                why=f"{source.workspace.address} has no record of how it was registered",
                hint="register it again: run the release that it is of",
            )
        target.fill(record, source.pieces(record))
        if not target.claim(version.version, record):
            raise _taken(version, f"the workspace {target.workspace.address}")
        found = arm.put(path, MODELS, resource(record, target.uri(record), tags))
    if digest_of(found) != version.digest:
        raise _taken(version, f"the workspace {target.workspace.address}")
    return version.uri


class SharedRegistry:
    """An Azure ML registry, which every stage's workspace can read models from."""

    def __init__(self, workspace: AzureWorkspace, name: str) -> None:
        self._workspace = workspace
        self._name = name

    def bring(self, version: ModelVersion) -> str:
        """The version's URI in the registry, shared with it where it is not there yet.

        Raises Conflict where the registry has other content under that name and number.
        """
        root = Shelf(self._workspace, version.name).root
        proof = f"{root}/shared/{segment(self._name)}/{version.version:08}-{version.digest}"
        if read(self._workspace.blobs, proof) is None:
            if not self._there(version):
                self._share(version)
            if self._downloaded(version) != version.digest:
                raise _taken(version, f"the registry {self._name}")
            make(self._workspace.blobs, proof, b"")
        return f"azureml://registries/{self._name}/models/{version.name}/versions/{version.version}"

    @cached_property
    def _client(self) -> MLClient:
        session = self._workspace.session
        from ctrain.backends.azureml.transport import NO_RETRIES

        with translated(f"open the registry {self._name}", needs=READS):
            from azure.ai.ml import MLClient

            return MLClient(
                session.credential,
                registry_name=self._name,
                show_progress=True,  # unseen; without it a file that fails to upload is waited for without end
                enable_telemetry=False,
                cloud=session.cloud.name,
                transport=session.transport,
                **NO_RETRIES,
            )

    def _there(self, version: ModelVersion) -> bool:
        """Whether the registry has that name and number."""
        from azure.core.exceptions import ResourceNotFoundError

        with translated(f"read {version} in the registry {self._name}", needs=READS):
            try:
                self._client.models.get(version.name, str(version.version))
            except ResourceNotFoundError:
                return False
        return True

    def _share(self, version: ModelVersion) -> None:
        """Have Azure copy it there, and wait until it is. A second share of the same is refused; it does not matter."""
        name, number, clock = version.name, str(version.version), self._workspace.clock
        try:
            with translated(f"share {version} with the registry {self._name}", needs=SHARES):
                self._workspace.client.models.share(
                    name, number, share_with_name=name, share_with_version=number, registry_name=self._name
                )
        except CtrainError:
            if not self._there(version):
                raise
        until = clock.monotonic() + LONGEST_SHARE
        while not self._there(version):
            if clock.monotonic() >= until:
                raise PlatformUnavailable(
                    f"{version} has not arrived in the registry {self._name}",
                    why=f"Azure was asked to share it {LONGEST_SHARE / 60:.0f} minutes ago",
                    hint="run the same command again; it continues from what is",
                )
            clock.sleep(LOOK_AGAIN)

    def _downloaded(self, version: ModelVersion) -> str:
        """The digest of what the registry gives out."""
        with tempfile.TemporaryDirectory(prefix="ctrain-") as folder:
            with translated(f"read {version} in the registry {self._name}", needs=READS):
                self._client.models.download(version.name, str(version.version), folder)
            return _digest_within(Path(folder), version.digest)


def _digest_within(folder: Path, wanted: str) -> str:
    """The digest of the model that was downloaded there: as it is, or within folders of its own, or as one file."""
    place, found = folder, ""
    while found != wanted and place.exists():
        found = tree_digest(place)
        items = list(place.iterdir()) if place.is_dir() else []
        if len(items) != 1:
            break
        place = items[0]
    return found


def _taken(version: ModelVersion, where: str) -> Conflict:
    return Conflict(
        f"{version} cannot be brought to its stage",
        why=f"{where} has other content under that name and number",
        hint="give the model another name there, or find out who registered it; a number cannot be used twice",
    )
