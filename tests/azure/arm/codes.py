"""Codes: snapshots of source folders, by content."""

from __future__ import annotations

import uuid

from tests.azure.arm.assets import Kind, routes_for
from tests.azure.cloud import Cloud, Workspace
from tests.azure.routing import WORKSPACE, Body, Call, Reply

CODES = Kind("codes", {"codeUri": None}, ("codeUri",))

routes = routes_for(CODES)


@routes.post(WORKSPACE + "/codes/{name}/versions/{version}/startPendingUpload")
def start_pending_upload(cloud: Cloud, call: Call) -> Reply:
    """A fresh container of the workspace's account, and a signature to fill it."""
    return Reply(200, pending_upload(cloud, cloud.workspace(call), call.host))


def pending_upload(cloud: Cloud, workspace: Workspace, host: str) -> Body:
    """Where to put an asset's files, as models, data and codes answer alike."""
    container = f"{workspace.workspace_id[:8]}-{uuid.uuid4()}"
    cloud.storage.make_container(workspace.storage_account, container)
    core = "core.usgovcloudapi.net" if "usgov" in host else "core.windows.net"
    uri = f"https://{workspace.storage_account}.blob.{core}/{container}"
    sas = cloud.storage.sas(workspace.storage_account, container, seconds=86_400)
    group = workspace.arm_id.split("/providers/")[0]
    return {
        "blobReferenceForConsumption": {
            "blobUri": uri,
            "storageAccountArmId": f"{group}/providers/Microsoft.Storage/storageAccounts/{workspace.storage_account}",
            "credential": {"credentialType": "SAS", "sasUri": f"{uri}?{sas}"},
        },
        "pendingUploadId": str(uuid.uuid4()),
        "pendingUploadType": "TemporaryBlobReference",
    }
