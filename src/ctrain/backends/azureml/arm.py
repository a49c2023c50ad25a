"""ARM, and a region's own services, spoken ourselves through azure-core's pipeline; JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from ctrain.backends.azureml.bodies import Json, listed, text
from ctrain.backends.azureml.cloud import Cloud, trusted
from ctrain.backends.azureml.failures import last_request, translated
from ctrain.backends.azureml.refusals import error_of, refusal_of
from ctrain.errors import PlatformUnavailable

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpResponse

    from ctrain.backends.azureml.transport import PatientTransport

PROVIDER: Final = "Microsoft.MachineLearningServices"
Query = str | int | bool
VERBS: Final = {"GET": "read", "PUT": "write", "PATCH": "change", "POST": "ask for", "DELETE": "delete", "HEAD": "find"}


def pipeline(
    base: str, scope: str, credential: TokenCredential, transport: PatientTransport
) -> PipelineClient[Any, Any]:
    """azure-core's client with Microsoft's own policies for ids, user agent and tokens; redirects are not followed."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import (
        BearerTokenCredentialPolicy,
        HeadersPolicy,
        RequestIdPolicy,
        UserAgentPolicy,
    )

    from ctrain import __version__

    return PipelineClient(
        base,
        policies=[
            RequestIdPolicy(),
            HeadersPolicy({"Accept": "application/json"}),
            UserAgentPolicy(f"ctrain/{__version__}"),
            BearerTokenCredentialPolicy(credential, scope),
        ],
        transport=transport,
    )


class Requests:
    """Sends one request and reads its answer; raises our errors, named after what was asked."""

    def __init__(self, client: PipelineClient[Any, Any], cloud: Cloud, base: str) -> None:
        self._client = client
        self._cloud = cloud
        self._base = base

    def send(
        self, method: str, url: str, *, body: Json | None = None, query: dict[str, Query] | None = None,
        needs: str | None = None, idempotent: bool = False, doing: str | None = None,
    ) -> tuple[int, Json]:  # fmt: skip
        """Status and JSON body (an object; empty where there is none).

        `url` is below the base, or one that Azure handed out, which must be Azure's own. 404 is given back as it is.
        """
        from azure.core.rest import HttpRequest

        handed_out = url.startswith(("https://", "http://"))
        whole = trusted(url, self._cloud) if handed_out else f"{self._base}{url}"
        words = doing or f"{VERBS[method]} {'what Azure pointed to' if handed_out else url}"
        request = HttpRequest(method, whole, params={k: _said(v) for k, v in (query or {}).items()}, json=body)
        with translated(words, needs=needs):
            response = self._client.send_request(request, idempotent=idempotent)
            content = response.read()
        if response.status_code != 404:
            _raise_refused(response, content, words, needs)
        return response.status_code, _read(response, content, words)


def _said(value: Query) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _raise_refused(response: HttpResponse, content: bytes, words: str, needs: str | None) -> None:
    if 200 <= response.status_code < 300:
        return
    raise error_of(refusal_of(response.status_code, _loads(content), last_request.get()), words, needs)


def _loads(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _read(response: HttpResponse, content: bytes, words: str) -> Json:
    """The body of a success. A list is given as `value`, as ARM does."""
    if content.strip() in {b"", b"null"}:
        return {}
    body = _loads(content)
    if isinstance(body, dict):
        return body
    if isinstance(body, list):
        return {"value": body}
    if response.status_code == 404 or body is not None:
        return {"value": body} if isinstance(body, str | int | float | bool) else {}
    why = f"the answer is no JSON [request {last_request.get()}]"
    raise PlatformUnavailable(f"could not {words}", why=why, hint="try again; a proxy in between may have answered")


class Arm:
    """The workspace's resources. Paths are below the workspace: `onlineEndpoints/visits/deployments/blue`."""

    def __init__(self, requests: Requests, root: str) -> None:
        self._requests = requests
        self._root = root

    @property
    def root(self) -> str:
        """The workspace's ARM id."""
        return self._root

    def below(self, root: str) -> Arm:
        """The same, for paths below another ARM id ("" for ARM's own root), e.g. a subscription or a registry."""
        return Arm(self._requests, root.rstrip("/"))

    def get(self, path: str, api_version: str, **query: Query) -> Json | None:
        """The resource, or None where there is none."""
        status, body = self._ask("GET", path, api_version, query=dict(query), action="read")
        return None if status == 404 else body

    def list(self, path: str, api_version: str, **query: Query) -> Iterator[Json]:
        """All resources of a kind, page by page."""
        status, body = self._ask("GET", path, api_version, query=dict(query), action="read")
        while True:
            if status == 404:
                self._missing("GET", path, body)
            yield from listed(body)
            following = text(body, "nextLink")
            if not following:
                return
            status, body = self._requests.send(
                "GET", following, needs=needed_action(self._path(path), "read"), doing=self._doing("list", path)
            )

    def put(self, path: str, api_version: str, body: Json) -> Json:
        """The resource as Azure took it (it may go on being made: see its provisioningState)."""
        return self._change("PUT", path, api_version, body, "write")

    def patch(self, path: str, api_version: str, body: Json) -> Json:
        """The resource with these parts changed; a merge, so that doing it twice is doing it once."""
        return self._change("PATCH", path, api_version, body, "write", idempotent=True)

    def post(self, path: str, api_version: str, body: Json | None = None, *, idempotent: bool = False) -> Json:
        """An action's answer. `idempotent` says that it may be asked twice, and so is retried."""
        return self._change("POST", path, api_version, body, "action", idempotent=idempotent)

    def delete(self, path: str, api_version: str) -> None:
        """Take it away, or ask for that; an absent one is fine."""
        self._ask("DELETE", path, api_version, action="delete")

    def _change(
        self, method: str, path: str, api_version: str, body: Json | None, action: str, *, idempotent: bool = False
    ) -> Json:
        status, answer = self._ask(method, path, api_version, body=body, action=action, idempotent=idempotent)
        if status == 404:
            self._missing(method, path, answer)
        return answer

    def _ask(
        self, method: str, path: str, api_version: str, *, body: Json | None = None,
        query: dict[str, Query] | None = None, action: str, idempotent: bool = False,
    ) -> tuple[int, Json]:  # fmt: skip
        return self._requests.send(
            method,
            self._path(path),
            body=body,
            query={"api-version": api_version, **(query or {})},
            needs=needed_action(self._path(path), action),
            idempotent=idempotent,
            doing=self._doing(VERBS[method], path),
        )

    def _doing(self, verb: str, path: str) -> str:
        """`read jobs/x in the workspace y`: of several, which one."""
        _, found, workspace = self._root.partition("/workspaces/")
        where = f"the workspace {workspace}" if found else ""
        return f"{verb} {path} in {where}" if path and where else f"{verb} {path or where or 'it'}"

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")

    def _missing(self, method: str, path: str, body: Json) -> None:
        raise error_of(refusal_of(404, body, last_request.get()), self._doing(VERBS[method], path))


def needed_action(path: str, action: str) -> str | None:
    """The action that a call takes, by Azure's own rule: the provider, the resource types, and the verb.

    None for what is no provider's. `action` is read, write or delete; "action" for a POST, whose last part is its name.
    """
    _, found, tail = path.rpartition("/providers/")
    provider, *parts = tail.strip("/").split("/")
    if not found or not parts:
        return None
    types = [*parts[0:-1:2], parts[-1]] if action == "action" else parts[0::2]
    return "/".join((provider, *types, action))


class Dataplane:
    """A region's own services. `{ws}` in a path stands for the workspace's ARM id: `history/v1.0{ws}/rundata`."""

    def __init__(self, requests: Requests, workspace: str) -> None:
        self._requests = requests
        self._workspace = workspace

    def get(self, path: str, **query: Query) -> Json | None:
        """What is there, or None where there is nothing."""
        status, body = self._ask("GET", path, query=dict(query))
        return None if status == 404 else body

    def post(self, path: str, body: Json | None = None, *, idempotent: bool = False, **query: Query) -> Json:
        """An answer. `idempotent` says that it may be asked twice, and so is retried."""
        status, answer = self._ask("POST", path, body=body, query=dict(query), idempotent=idempotent)
        return self._found(status, answer, f"ask for {path}")

    def put(self, path: str, body: Json, **query: Query) -> Json:
        return self._found(*self._ask("PUT", path, body=body, query=dict(query)), f"write {path}")

    def patch(self, path: str, body: Json, **query: Query) -> Json:
        return self._found(*self._ask("PATCH", path, body=body, query=dict(query)), f"write {path}")

    def delete(self, path: str, **query: Query) -> None:
        """Take it away; an absent one is fine."""
        self._ask("DELETE", path, query=dict(query))

    def list(self, path: str, **query: Query) -> Iterator[Json]:
        """All of a listing, page by page."""
        status, body = self._ask("GET", path, query=dict(query))
        while True:
            self._found(status, body, f"list {path}")
            yield from listed(body)
            following = text(body, "nextLink")
            if not following:
                return
            status, body = self._requests.send("GET", following, doing=f"list {path.replace('{ws}', '')}")

    def _ask(
        self, method: str, path: str, *, body: Json | None = None, query: dict[str, Query], idempotent: bool = False
    ) -> tuple[int, Json]:
        where = "/" + path.replace("{ws}", self._workspace).lstrip("/")
        doing = f"{VERBS[method]} {path.replace('{ws}', '')}"
        return self._requests.send(method, where, body=body, query=query, idempotent=idempotent, doing=doing)

    def _found(self, status: int, body: Json, doing: str) -> Json:
        if status == 404:
            raise error_of(refusal_of(404, body, last_request.get()), doing.replace("{ws}", ""))
        return body
