"""The logs of steps. Best effort: what cannot be read is empty, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ctrain.backends.azureml.cloud import is_trusted
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.history import History
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import CtrainError
from ctrain.secrecy import without_secrets

MOST_BYTES: Final = 1 << 18
"""Of a longer log the end is read."""

_LINES_TOLD: Final = 20
_FIRST: Final = ("user_logs/std_log.txt", "azureml-logs/70_driver_log.txt", "logs/azureml/executionlogs.txt")
"""The user's own output, in today's runtime and in the one before; a pipeline's own log."""


class Logs:
    """Reads the logs of a workspace's runs."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace

    def text(self, run: str) -> str:
        """The end of a run's log; empty where there is none."""
        try:
            url = _chosen(History(self._workspace.region).log_files(run))
            return self._read(url) if url else ""
        except CtrainError:
            return ""

    def end(self, run: str) -> str:
        """Its last lines."""
        return "\n".join(self.text(run).rstrip().splitlines()[-_LINES_TOLD:])

    def _read(self, url: str) -> str:
        from azure.storage.blob import BlobClient

        from ctrain.backends.azureml.transport import NO_RETRIES

        if not is_trusted(url, self._workspace.cloud):
            return ""
        with translated("read a log"):
            blob = BlobClient.from_blob_url(url, connection_timeout=10, read_timeout=60, **NO_RETRIES)
            size = int(blob.get_blob_properties().size)
            start = max(0, size - MOST_BYTES)
            content = blob.download_blob(offset=start, length=size - start).readall() if size else b""
        return without_secrets(content.decode(errors="replace"))


def _chosen(files: Mapping[str, str]) -> str | None:
    """The log that says most to its author; of a job on several nodes the first node's."""
    for name in _FIRST:
        if name in files:
            return files[name]
    own = sorted(name for name in files if name.startswith("user_logs/"))
    return files[own[0]] if own else None
