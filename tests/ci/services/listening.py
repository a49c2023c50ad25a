"""A server on loopback that answers as a host would, remembers what it was asked, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Reply:
    """What is answered: JSON, or a page."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    page: str | None = None


Answering = Callable[[Asked], Reply]
Fault = Callable[[Asked], Reply | None]


@dataclass
class Service:
    """`faults` are asked first, in order; the first that has a reply answers, and stays as long as it likes."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def writes(self) -> list[str]:
        """What was asked that changes something."""
        return [str(one) for one in self.asked if one.method != "GET" and not one.path.endswith("graphql")]


def times(count: int, reply: Reply, *, method: str = "", path: str = "") -> Fault:
    """Answer so often with this, where the request is of that kind; then no more."""
    left = [count]

    def fault(asked: Asked) -> Reply | None:
        if left[0] <= 0 or (method and asked.method != method) or path not in asked.path:
            return None
        left[0] -= 1
        return reply

    return fault


@contextmanager
def listening(service: Service, answer: Answering) -> Iterator[None]:
    """Listen on a free port of loopback until the end; `service.url` is set to where."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _all(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(content) if content else None
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            with lock:
                service.asked.append(asked)
                reply = next((found for fault in service.faults if (found := fault(asked))), None) or answer(asked)
            self._send(reply)

        do_GET = do_POST = do_PATCH = do_DELETE = _all  # noqa: N815

        def _send(self, reply: Reply) -> None:
            kind = "text/html" if reply.page is not None else "application/json; charset=utf-8"
            text = reply.page if reply.page is not None else "" if reply.body is None else json.dumps(reply.body)
            self.send_response(reply.status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(text.encode())),
                **reply.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def page_of(items: Sequence[Any], asked: Asked, url: str) -> Reply:
    """A page of a list, with a link to the next one. GitHub gives 30 items, and 100 at most."""
    size = min(int(asked.query.get("per_page", "30")), 100)
    number = int(asked.query.get("page", "1"))
    part = list(items[(number - 1) * size : number * size])
    link = {}
    if number * size < len(items):
        query = "&".join(f"{name}={value}" for name, value in {**asked.query, "page": str(number + 1)}.items())
        link = {"Link": f'<{url}{asked.path}?{query}>; rel="next", <{url}{asked.path}?{query}>; rel="last"'}
    return Reply(200, part, link)
