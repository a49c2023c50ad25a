"""What every call passes: sign-in, the journal, faults, and the published contract."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
import sys
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, assert_never
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from tests.azure import access
from tests.azure.cloud import Cloud
from tests.azure.faults import Act, Rule
from tests.azure.hosts import ARM, BLOB, CONTROL, REGION, Host
from tests.azure.journal import Entry
from tests.azure.routing import Call, Directory, Found, Refused, Reply

HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "proxy-connection", "te", "upgrade"}


class Front:
    """Takes HTTP requests from the proxy and gives them to the modules."""

    def __init__(self, cloud: Cloud, directory: Directory) -> None:
        self.cloud = cloud
        self._directory = directory

    def refuses(self, name: str) -> bool:
        """Whether nobody answers for that host name; then it is in the journal."""
        if rule := self.cloud.faults.pick("CONNECT", name, ""):
            now = self.cloud.clock.time()
            self.cloud.journal.add(Entry("CONNECT", name, "", "", now, status=502, fault=rule.act))
            return True
        found = self._directory.host(name)
        if found is not None and (found[0] is not BLOB or self.cloud.storage.has(found[1]["account"])):
            return False
        self._missing(name, "CONNECT", "")
        return True

    def _missing(self, name: str, method: str, path: str) -> None:
        now = self.cloud.clock.time()
        self.cloud.journal.add(Entry(method, name, path, "", now, status=502, problem="unknown host"))

    async def proxied(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request that came through the proxy."""
        name = request.headers.get("Host", "").lower().partition(":")[0]
        found = self._directory.host(name)
        if found is None or found[0] is CONTROL:
            self._missing(name, request.method, request.path)
            return web.Response(status=502)
        host, labels = found
        call = await _read(request, name, labels)
        entry = self.cloud.journal.add(Entry(call.method, name, call.path, call.api_version, self.cloud.clock.time()))
        entry.query, entry.sent = call.query, _json(call) if host in (ARM, REGION) else None
        entry.target = call.target
        rule = self.cloud.faults.pick(call.method, name, call.target)
        if rule is not None:
            entry.fault = rule.act
        response = await self._with_fault(request, host, call, entry, rule)
        entry.status = 0 if _is_cut(rule) else response.status
        return response

    async def controlled(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request of the test's own."""
        call = await _read(request, "127.0.0.1", {})
        entry = Entry(call.method, call.host, call.path, "", self.cloud.clock.time())
        return _response(await self.answer(CONTROL, call, entry))

    async def _with_fault(
        self, request: web.BaseRequest, host: Host, call: Call, entry: Entry, rule: Rule | None
    ) -> web.StreamResponse:
        if rule is None:
            return _response(await self.answer(host, call, entry))
        match rule.act:
            case Act.ANSWER:
                return _response(_made(rule))
            case Act.RESET_BEFORE:
                return _reset(request)
            case Act.STALL:
                await asyncio.sleep(rule.seconds)
            case Act.CHANGE:
                await self._change(call, rule.change)
            case Act.ANSWER_AFTER | Act.RESET_AFTER | Act.RESET_DURING | Act.TRUNCATE:
                pass
            case _:
                assert_never(rule.act)
        reply = await self.answer(host, call, entry)
        match rule.act:
            case Act.ANSWER_AFTER:
                return _response(_made(rule))
            case Act.RESET_AFTER:
                return _reset(request)
            case Act.RESET_DURING | Act.TRUNCATE:
                return await _cut(request, reply, reset=rule.act is Act.RESET_DURING)
            case _:
                return _response(reply)

    async def _change(self, call: Call, change: Mapping[str, object]) -> None:
        """Somebody else, who is allowed everything, is faster."""
        path, _, query = str(change.get("path", call.target)).partition("?")
        other = Call(
            str(change.get("method", "PUT")),
            call.host,
            path,
            dict(parse_qsl(query)) or call.query,
            {"content-type": "application/json"},
            json.dumps(change["body"]).encode() if "body" in change else b"",
            principal=call.principal,
        )
        found = self._directory.host(call.host)
        if found:
            entry = Entry(other.method, other.host, path, other.api_version, self.cloud.clock.time(), "somebody else")
            entry.status = (await self._handled(found[0], other, self.cloud.journal.add(entry))).status

    async def answer(self, host: Host, call: Call, entry: Entry) -> Reply:
        """What Azure says to the call, its errors in their envelope."""
        try:
            route = self._directory.find(host, call.method, call.target.partition("?")[0])
            if host.audiences is not None and not (isinstance(route, Found) and not route.route.signed_in):
                call = access.signed_in(self.cloud, host, call)
                entry.principal = call.principal.client_id if call.principal else None
                access.allowed(self.cloud, call)
            reply = await self._handled(host, call, entry)
        except Refused as refusal:
            reply = refusal.reply
        return reply.including(_arm_headers(call)) if host is ARM else reply

    async def _handled(self, host: Host, call: Call, entry: Entry) -> Reply:
        found = self._directory.find(host, call.method, call.target.partition("?")[0] or call.path)
        if not isinstance(found, Found):
            entry.problem = "not modelled"
            return _unmodelled(call, found).reply
        if host is ARM and found.route.signed_in and not call.api_version:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            return Refused(400, "MissingApiVersionParameter", message).reply
        call = replace(call, params={**call.params, **{name: unquote(value) for name, value in found.params.items()}})
        try:
            made = found.route.handler(self.cloud, call)
            reply = await made if inspect.isawaitable(made) else made
        except Refused as refusal:
            reply = refusal.reply
        except Exception:  # noqa: BLE001
            # a bug of ours must reach the test that caused it, and not end the loopback
            entry.problem = traceback.format_exc()
            sys.stderr.write(entry.problem)
            reply = Refused(500, "InternalServerError", "The loopback Azure has a bug; see its journal.").reply
        if host is ARM:
            self.cloud.contract.judge(call, reply)
        return reply


def _unmodelled(call: Call, methods: set[str]) -> Refused:
    if methods:
        message = f"The requested resource does not support http method '{call.method}'."
        return Refused(405, "MethodNotAllowed", message, {"Allow": ", ".join(sorted(methods))})
    return Refused(404, "NotFound", f"The loopback Azure does not model {call.method} {call.path}.")


async def _read(request: web.BaseRequest, name: str, labels: Mapping[str, str]) -> Call:
    target = request.raw_path
    if target.startswith(("http://", "https://")):
        target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    path, _, query = target.partition("?")
    headers = {header.lower(): value for header, value in request.headers.items()}
    body = b"".join([chunk async for chunk in request.content.iter_any()]) if request.can_read_body else b""
    queried = dict(parse_qsl(query, keep_blank_values=True))
    return Call(request.method, name, unquote(path), queried, headers, body, dict(labels), target=target)


def _json(call: Call) -> object:
    try:
        return json.loads(call.body) if call.body else None
    except ValueError:
        return None


def _arm_headers(call: Call) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    return {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": call.headers.get("x-ms-client-request-id", request_id),
        "x-ms-ratelimit-remaining-subscription-reads": "1099",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "Cache-Control": "no-cache",
    }


def _response(reply: Reply) -> web.Response:
    response = web.Response(status=reply.status, body=reply.content)
    if reply.body is not None:
        response.headers["Content-Type"] = reply.content_type
    for name, value in reply.headers.items():
        if name.lower() not in HOP_BY_HOP:
            response.headers[name] = value
    return response


def _made(rule: Rule) -> Reply:
    page = isinstance(rule.body, str) and rule.body.startswith("<")
    return Reply(rule.status, rule.body, {**({"Content-Type": "text/html"} if page else {}), **rule.headers})


def _is_cut(rule: Rule | None) -> bool:
    return rule is not None and rule.act in (Act.RESET_BEFORE, Act.RESET_AFTER, Act.RESET_DURING, Act.TRUNCATE)


def _reset(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        peer: socket.socket | None = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def _cut(request: web.BaseRequest, reply: Reply, *, reset: bool) -> web.StreamResponse:
    """Half of the body, although the head promises all of it."""
    content = reply.content
    response = web.StreamResponse(status=reply.status, headers={"Content-Length": str(max(len(content), 2))})
    response.headers["Content-Type"] = reply.content_type
    await response.prepare(request)
    await response.write(content[: len(content) // 2] or b"{")
    if reset:
        await asyncio.sleep(0.05)  # so that the half is on its way
        _reset(request)
    elif request.transport is not None:
        request.transport.close()
    return response
