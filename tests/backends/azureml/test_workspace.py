"""A workspace's own store, over the loopback Azure."""

from __future__ import annotations

from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureWorkspace
from tests.azure.loopback import Loopback, Place


def test_the_default_store_opens_as_its_datastore_says(
    azure: Loopback, workspace: AzureWorkspace, place: Place
) -> None:
    """With the account's key, which is in nothing that we show."""
    assert workspace.store.account == place.storage_account
    assert workspace.store.container == place.container
    with translated("write a blob"):
        workspace.blobs.upload_blob("ctrain/try", b"kept", overwrite=True)
        assert workspace.blobs.download_blob("ctrain/try").readall() == b"kept"
    shown = repr(workspace) + repr(workspace.store) + repr(workspace.session)
    assert not [secret for secret in azure.secrets() if secret in shown]
