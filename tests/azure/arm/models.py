"""Models: containers, versions and stages; the files are wherever `modelUri` says."""

from __future__ import annotations

from tests.azure.arm.assets import Kind, routes_for
from tests.azure.arm.codes import pending_upload
from tests.azure.cloud import Cloud
from tests.azure.routing import WORKSPACE, Call, Reply

MODELS = Kind(
    "models",
    {"modelUri": None, "modelType": "custom_model", "jobName": None, "flavors": {}, "stage": None},
    ("modelUri", "modelType"),
    integers=True,
    location="modelUri",
)

routes = routes_for(MODELS)


@routes.post(WORKSPACE + "/models/{name}/versions/{version}/startPendingUpload")
def start_pending_upload(cloud: Cloud, call: Call) -> Reply:
    """A fresh container of the workspace's account, and a signature to fill it."""
    return Reply(200, pending_upload(cloud, cloud.workspace(call), call.host))
