"""The data plane: who may ask, who answers, and what Azure would say when something is wrong.

Status codes and headers follow "HTTP status codes" in "Troubleshoot online endpoints" on Microsoft Learn: 401
without the key, 404 where no deployment has a share, 408 past the request timeout, 424 for any answer of the model's
server but 200 (which one is in `ms-azureml-model-error-statuscode`), 429 past twice the concurrency. As there, a
share of a sick deployment is not given to others: its callers get 424.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from ctrain.backends.local.serving.deployment import KeptDeployment
from ctrain.backends.local.serving.rules import choose
from ctrain.backends.local.serving.tally import Tally
from ctrain.serving import Traffic

DEPLOYMENT = "azureml-model-deployment"
MODEL_STATUS = "ms-azureml-model-error-statuscode"
MODEL_REASON = "ms-azureml-model-error-reason"
BODY_LIMIT = 16 << 20
"""Bytes of a request's body; more is 413. Ours: it bounds what one caller can make this process hold."""

_HOP = {
    "connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "te",
    "trailer", "upgrade", "proxy-authenticate", "proxy-authorization", "x-request-id", "x-ms-client-request-id",
}  # fmt: skip
_KEPT_BACK = _HOP | {"host", "authorization", "expect", DEPLOYMENT, "content-encoding"}
"""Of a request: what is ours to say, or done with. Bodies come decompressed. All else reaches the scoring script."""


_AUTO = ("Accept-Encoding", "User-Agent", "Content-Type")
"""What aiohttp would add where the caller said nothing."""

Headers = list[tuple[str, str]]


class Router:
    """Answers requests on the endpoint's port. `traffic` and `mirror` are read anew for each request.

    `tally` counts what every deployment answered, mirrored requests too.
    """

    def __init__(
        self,
        key: str,
        deployments: Mapping[str, KeptDeployment],
        split: Callable[[], tuple[Traffic, Traffic]],
        session: aiohttp.ClientSession,
        chance: Callable[[], float] = random.random,
        *,
        tally: Tally | None = None,
    ) -> None:
        self._authorization = f"Bearer {key}".encode()
        self._deployments = deployments
        self._split = split
        self._session = session
        self._chance = chance
        self.tally = tally or Tally()
        self._mirrored: set[asyncio.Task[None]] = set()

    def server(self) -> web.Server:
        """The low-level server: no application, no middleware, as this is on every request's path."""
        return web.Server(self._handle, request_factory=_request, access_log=None)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/" and request.method == "GET":
            return web.Response(text="Healthy")
        if request.path not in ("/score", "/swagger.json"):
            return _refused(404, "NotFound", f"There is nothing at {request.path}; models answer at /score.")
        if request.method not in ("GET", "POST") or (request.path == "/swagger.json" and request.method != "GET"):
            return _refused(405, "MethodNotAllowed", f"{request.path} does not take {request.method}.")
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._authorization):
            return _refused(401, "Unauthorized", "Send the endpoint's key as 'Authorization: Bearer KEY'.")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _refused(413, "PayloadTooLarge", f"A request's body has at most {BODY_LIMIT} bytes.")
        ids = _ids(request)
        answer = await self._routed(request, body, ids)
        answer.headers.update(ids)
        return answer

    async def _routed(self, request: web.BaseRequest, body: bytes, ids: dict[str, str]) -> web.Response:
        named = request.headers.get(DEPLOYMENT)
        traffic, mirror = self._split()
        name = named or choose(traffic, self._chance())
        deployment = self._deployments.get(name) if name is not None else None
        if deployment is None:
            if named:
                return _refused(404, "DeploymentNotFound", f"This endpoint has no deployment {named!r}.")
            return _refused(404, "NoDeployment", "No deployment of this endpoint has a share of the traffic.")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _KEPT_BACK]
        headers += ids.items()
        if named is None and mirror and request.path == "/score":
            self._reflect(mirror, request, body, headers)
        return await self._ask(deployment, request, body, headers)

    async def _ask(
        self, deployment: KeptDeployment, request: web.BaseRequest, body: bytes, headers: Headers
    ) -> web.Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self._passed_on(deployment, request, body, headers)
        if request.path == "/score":
            self.tally.add(deployment.placement.spec.name, answer.status, loop.time() - began)
        return answer

    async def _passed_on(
        self, deployment: KeptDeployment, request: web.BaseRequest, body: bytes, headers: Headers
    ) -> web.Response:
        by = {DEPLOYMENT: deployment.placement.spec.name}
        url = deployment.url
        if url is None:
            return _refused(
                424, "ModelNotReady", "The deployment is not ready.", by | {MODEL_REASON: "model_not_ready"}
            )
        if deployment.in_flight >= deployment.limit:
            reason = by | {MODEL_REASON: "too_many_pending_request"}
            return _refused(429, "TooManyRequests", f"{deployment.limit} requests are pending already.", reason)
        timeout = aiohttp.ClientTimeout(total=deployment.placement.spec.request_timeout_ms / 1000)
        deployment.in_flight += 1
        try:
            async with self._session.request(
                request.method,
                url + request.path_qs,
                data=body or None,
                headers=headers,
                timeout=timeout,
                skip_auto_headers=_AUTO,
            ) as answer:
                content = await answer.read()
        except TimeoutError:
            return _refused(408, "RequestTimeout", f"The model took longer than {timeout.total:g} s.", by)
        except (aiohttp.ClientError, OSError):
            reason = {MODEL_STATUS: "502", MODEL_REASON: "model_error"}
            return _refused(424, "ModelError", "The model's server ended before it answered.", by | reason)
        finally:
            deployment.in_flight -= 1
        passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP} | by
        if answer.status == 200:
            return web.Response(status=200, body=content, headers=passed)
        passed |= {MODEL_STATUS: str(answer.status), MODEL_REASON: "model_error"}
        return web.Response(status=424, body=content, headers=passed)

    def _reflect(self, mirror: Traffic, request: web.BaseRequest, body: bytes, headers: Headers) -> None:
        """Send a copy on, for its share of the requests; nobody waits for it, and past its limit it is dropped."""
        for name, share in mirror.items():
            deployment = self._deployments.get(name)
            if deployment is not None and self._chance() * 100 < share:
                task = asyncio.create_task(self._unanswered(deployment, request, body, headers))
                self._mirrored.add(task)
                task.add_done_callback(self._mirrored.discard)

    async def _unanswered(
        self, deployment: KeptDeployment, request: web.BaseRequest, body: bytes, headers: Headers
    ) -> None:
        await self._ask(deployment, request, body, headers)


def _ids(request: web.BaseRequest) -> dict[str, str]:
    """The caller's ids, or one of ours. The inference server takes at most 100 characters."""
    mine = request.headers.get("x-request-id", "")
    ids = {"x-request-id": mine if 0 < len(mine) <= 100 else str(uuid.uuid4())}
    theirs = request.headers.get("x-ms-client-request-id", "")
    return ids | {"x-ms-client-request-id": theirs} if 0 < len(theirs) <= 100 else ids


def _refused(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=BODY_LIMIT
    )
