"""Data assets, as a user's own tools would have made them."""

from __future__ import annotations

from collections.abc import Mapping

from ctrain.backends.azureml.data_assets import DATA
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureWorkspace


def upload(workspace: AzureWorkspace, folder: str, files: Mapping[str, bytes]) -> None:
    """Put files into the default store, below a folder; those that are there are replaced."""
    with translated("upload"):
        for name, content in files.items():
            workspace.blobs.upload_blob(f"{folder}/{name}", content, overwrite=True)


def publish_data(
    workspace: AzureWorkspace, name: str, version: str, files: Mapping[str, bytes], kind: str | None = None
) -> str:
    """Upload files and register them, one as a file and several as a folder; where they are, in the default store."""
    folder = f"data/{name}/{version}"
    upload(workspace, folder, files)
    kind = kind or ("uri_file" if len(files) == 1 else "uri_folder")
    path = f"{folder}/{next(iter(files))}" if kind == "uri_file" else f"{folder}/"
    uri = f"azureml://datastores/{workspace.store.name}/paths/{path}"
    workspace.arm.put(f"data/{name}/versions/{version}", DATA, {"properties": {"dataType": kind, "dataUri": uri}})
    return uri
