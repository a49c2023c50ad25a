"""Calls, replies and routes: what every module of the loopback Azure is written in."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tests.azure.hosts import Host

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

Body = dict[str, Any]
"""A JSON object as it came, or goes, over the wire: every handler is an edge."""

SUBSCRIPTION: Final = "/subscriptions/{subscription}"
GROUP: Final = SUBSCRIPTION + "/resourceGroups/{group}"
PROVIDER: Final = "/providers/Microsoft.MachineLearningServices"
WORKSPACE: Final = GROUP + PROVIDER + "/workspaces/{workspace}"
REGISTRY: Final = GROUP + PROVIDER + "/registries/{registry}"
LOCATION: Final = SUBSCRIPTION + PROVIDER + "/locations/{location}"


@dataclass(frozen=True)
class Principal:
    """Who signed in, as the token says."""

    object_id: str
    client_id: str
    tenant_id: str
    audience: str
    expires: float


@dataclass(frozen=True)
class Call:
    """One request. Header names are lower case; `params` come from the host's and the path's patterns."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)
    principal: Principal | None = None
    target: str = ""
    """The path and query exactly as they were sent."""

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def url(self) -> str:
        return f"https://{self.host}{self.target or self.path}"

    def json(self) -> Body:
        """The body as an object; empty where there is none. Refuses what is not JSON, as ARM does."""
        if not self.body.strip():
            return {}
        try:
            read = json.loads(self.body)
        except ValueError:
            raise Refused(
                400, "InvalidRequestContent", "The request content was invalid and could not be read."
            ) from None
        if not isinstance(read, dict):
            raise Refused(400, "InvalidRequestContent", "The request content must be an object.")
        return read


@dataclass(frozen=True)
class Reply:
    """What goes back. A mapping or list in `body` is sent as JSON, bytes and text as they are, None as nothing."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        match self.body:
            case None:
                return b""
            case bytes():
                return self.body
            case str():
                return self.body.encode()
            case _:
                return json.dumps(self.body).encode()

    @property
    def content_type(self) -> str:
        match self.body:
            case bytes():
                return "application/octet-stream"
            case str():
                return "text/plain; charset=utf-8"
            case _:
                return "application/json; charset=utf-8"

    def including(self, headers: Mapping[str, str]) -> Reply:
        return replace(self, headers={**headers, **self.headers})


class Refused(Exception):
    """An answer that is an error, in Azure's envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: list[Body] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.headers, self.details = dict(headers or {}), details

    @property
    def reply(self) -> Reply:
        error: Body = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return Reply(self.status, {"error": error}, self.headers)


Handler = Callable[["Cloud", Call], Reply | Awaitable[Reply]]
"""A plain one runs on the event loop and must be quick; one that waits is `async` (see asyncio.to_thread)."""

H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Route:
    """One method on one path. Paths are matched as Azure does: their case does not count."""

    host: Host
    method: str
    path: str
    handler: Handler
    pattern: re.Pattern[str]
    signed_in: bool = True


def compiled(pattern: str, one: str = r"[^/]+") -> re.Pattern[str]:
    """`{name}` is one segment, `{name*}` all that follows; the case of letters does not count."""
    parts = re.split(r"(\{\w+\*?\})", pattern)
    regex = "".join(
        (f"(?P<{part[1:-2]}>.*)" if part.endswith("*}") else f"(?P<{part[1:-1]}>{one})")
        if part[:1] == "{"
        else re.escape(part)
        for part in parts
    )
    return re.compile(regex + r"\Z", re.IGNORECASE)


class Routes:
    """One module's handlers, for one host. The first that matches, in the order of writing, answers."""

    def __init__(self, host: Host, *, signed_in: bool = True) -> None:
        """`signed_in=False`: answered without a token, also where the host asks for one."""
        self.host = host
        self._signed_in = signed_in
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def on(self, method: str, path: str) -> Callable[[H], H]:
        """`method` may be `*` for any."""

        def register(handler: H) -> H:
            self._routes.append(Route(self.host, method, path, handler, compiled(path), self._signed_in))
            return handler

        return register

    def get(self, path: str) -> Callable[[H], H]:
        return self.on("GET", path)

    def put(self, path: str) -> Callable[[H], H]:
        return self.on("PUT", path)

    def patch(self, path: str) -> Callable[[H], H]:
        return self.on("PATCH", path)

    def post(self, path: str) -> Callable[[H], H]:
        return self.on("POST", path)

    def delete(self, path: str) -> Callable[[H], H]:
        return self.on("DELETE", path)

    def any(self, path: str) -> Callable[[H], H]:
        return self.on("*", path)


@dataclass(frozen=True)
class Found:
    """Who answers a call, and what the patterns said."""

    route: Route
    params: Mapping[str, str]


class Directory:
    """All routes, asked by host and path."""

    def __init__(self, modules: list[Routes]) -> None:
        self._routes = [route for routes in modules for route in routes]
        self._hosts = {
            pattern: (host, compiled(pattern, r"[^.]+"))
            for host in [r.host for r in modules]
            for pattern in host.patterns
        }

    def host(self, name: str) -> tuple[Host, Mapping[str, str]] | None:
        """Whose host name that is, with the labels its pattern names."""
        for host, pattern in self._hosts.values():
            if found := pattern.match(name):
                return host, found.groupdict()
        return None

    def find(self, host: Host, method: str, path: str) -> Found | set[str]:
        """The route, or the methods that the path does have (none: no such path)."""
        methods: set[str] = set()
        wanted = "GET" if method == "HEAD" else method
        for route in self._routes:
            if route.host is host and (found := route.pattern.match(path)):
                if route.method in ("*", method, wanted):
                    return Found(route, found.groupdict())
                methods.add(route.method)
        return methods
