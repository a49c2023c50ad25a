"""The calls to ARM that serving is made of; api-versions are those of azure-ai-ml 1.35."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ctrain.backends.azureml.bodies import Json, text
from ctrain.backends.azureml.cloud import is_service
from ctrain.backends.azureml.serving.observed import name_of
from ctrain.backends.azureml.workspace import AzureWorkspace

ENDPOINTS: Final = "2022-02-01-preview"
DEPLOYMENTS: Final = "2023-04-01-preview"


class Resources:
    """Endpoints and deployments of one workspace. Each method is one request (a list: one a page; an absence: two)."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace

    def endpoint(self, name: str) -> Json | None:
        """The endpoint. That there is none is believed only where the list of all has none either: one answer of 404
        in a bad moment must not lead to a PUT, which would take the traffic of what is there."""
        body = self._workspace.arm.get(_endpoint(name), ENDPOINTS)
        if body is not None:
            name_of(body)  # what has no name is no endpoint, whatever answered: nothing may be made of it
            return body
        every = self._workspace.arm.list("onlineEndpoints", ENDPOINTS)
        return next((one for one in every if name_of(one) == name.lower()), None)

    def put_endpoint(self, name: str, body: Json) -> Json:
        return self._workspace.arm.put(_endpoint(name), ENDPOINTS, body)

    def deployments(self, endpoint: str) -> list[Json]:
        return list(self._workspace.arm.list(f"{_endpoint(endpoint)}/deployments", DEPLOYMENTS))

    def deployment(self, endpoint: str, name: str) -> Json | None:
        return self._workspace.arm.get(_deployment(endpoint, name), DEPLOYMENTS)

    def put_deployment(self, endpoint: str, name: str, body: Json) -> Json:
        return self._workspace.arm.put(_deployment(endpoint, name), DEPLOYMENTS, body)

    def delete_deployment(self, endpoint: str, name: str) -> None:
        self._workspace.arm.delete(_deployment(endpoint, name), DEPLOYMENTS)

    def log(self, endpoint: str, deployment: str, container: str, lines: int) -> str:
        """The end of a container's log: `InferenceServer` or `StorageInitializer`."""
        wanted: Json = {"containerType": container, "tail": lines}
        path = f"{_deployment(endpoint, deployment)}/getLogs"
        answer = self._workspace.arm.post(path, DEPLOYMENTS, wanted, idempotent=True)
        return text(answer, "content") or ""

    def keys(self, endpoint: str) -> Json:
        """`primaryKey` and `secondaryKey`: secrets."""
        return self._workspace.arm.post(f"{_endpoint(endpoint)}/listKeys", ENDPOINTS, idempotent=True)

    def token(self, endpoint: str) -> Json:
        """`accessToken`, a secret, with `expiryTimeUtc` and `refreshAfterTimeUtc` in seconds since the epoch."""
        return self._workspace.arm.post(f"{_endpoint(endpoint)}/token", ENDPOINTS, idempotent=True)

    def operation(self, url: str) -> Json | None:
        """How an operation went, by the URL that Azure put on the resource; None where it is no longer known."""
        if not url or not is_service(url, self._workspace.cloud):
            return None
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        api_version = query.pop("api-version", ENDPOINTS)
        return self._workspace.arm.below("").get(parts.path.lstrip("/"), api_version, **query)


def _endpoint(name: str) -> str:
    return f"onlineEndpoints/{name}"


def _deployment(endpoint: str, name: str) -> str:
    return f"{_endpoint(endpoint)}/deployments/{name}"
