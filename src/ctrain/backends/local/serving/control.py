"""The control plane's server: a loopback port of its own, with a key that only this process' contact file tells."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from ctrain.backends.local.serving.wish import Placement, placement_from_json
from ctrain.errors import CtrainError, PlatformUnavailable, UsageError
from ctrain.serving import Traffic
from ctrain.telemetry import Span


class Controlled(Protocol):
    """What may be asked of an endpoint process; acts are done one after the other."""

    def state(self) -> dict[str, Any]: ...
    def counted(self, deployment: str, since: float) -> list[Span]: ...
    async def place(self, placement: Placement) -> None: ...
    async def route(self, traffic: Traffic) -> None: ...
    async def mirror(self, mirror: Traffic) -> None: ...
    async def remove(self, name: str) -> None: ...
    def shut_down(self) -> None: ...


def control_server(key: str, endpoint: Controlled) -> web.Server:
    """Each act is `POST /NAME` with a JSON body; the answer is the state after it, or `{"error": ...}`.

    `/counted` is no act: its answer is what a deployment answered since a moment.
    """

    async def place(body: Any) -> None:
        await endpoint.place(placement_from_json(body))

    async def remove(body: Any) -> None:
        await endpoint.remove(str(body))

    async def shut_down(_body: Any) -> None:
        endpoint.shut_down()

    async def state(_body: Any) -> None:
        return None

    acts: dict[str, Callable[[Any], Awaitable[None]]] = {
        "/state": state,
        "/place": place,
        "/route": endpoint.route,
        "/mirror": endpoint.mirror,
        "/remove": remove,
        "/shut_down": shut_down,
    }

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {key}".encode()):
            return web.Response(status=401)
        act = acts.get(request.path)
        if (act is None and request.path != "/counted") or request.method != "POST":
            return web.Response(status=404)
        try:
            body = json.loads(await request.read() or b"null")
            if request.path == "/counted":
                return web.json_response([_told(span) for span in endpoint.counted(*body)])
            if act is not None:
                await act(body)
            return web.json_response(endpoint.state())
        except CtrainError as refusal:
            return _refusal(refusal)
        except OSError as problem:
            why = problem.strerror or str(problem)
            return _refusal(
                PlatformUnavailable("the endpoint cannot do this now", why=why, hint="make room on the disk")
            )
        except (ValueError, KeyError, TypeError) as problem:
            why = f"{type(problem).__name__}: {problem}"
            return _refusal(UsageError("the endpoint cannot read this request", why=why, hint="use one ctrain version"))

    return web.Server(handle, access_log=None)


def _told(span: Span) -> list[Any]:
    return [span.began.timestamp(), span.seconds, dict(span.answers), dict(span.percentiles)]


def _refusal(refusal: CtrainError) -> web.Response:
    error = {"kind": type(refusal).__name__, "what": refusal.what, "why": refusal.why, "hint": refusal.hint}
    return web.json_response({"error": error}, status=409)
