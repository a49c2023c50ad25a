"""`ctrain`, killed at a call: python -m tests.kills.strike COUNT.jsonl (KTH before|after | none) WORDS...

It is the product's own command in a process of its own. Around it the calls that write are counted, each as a line in
the file: on the local backend those of the ports, on Azure the requests that change something. At the one that is
named, the process ends itself by SIGKILL: before the call is made, or after it took effect and before ctrain knows.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ctrain import backends
from ctrain.ports import Backend

WRITES: Final = {
    "trainer": ("submit", "cancel"),
    "registry": ("register", "crown", "promote"),
    "serving": ("create", "place", "route", "mirror", "remove"),
    "data": ("sample",),
    "ledger": ("append", "keep", "acquire", "release"),
}
"""The ports' methods that change the world. Renewing a lock goes by time, and changes nothing that lasts."""

ASKS: Final = re.compile(
    r"/oauth2/|/token|listkeys|listsecrets|rundata|/query|/entities|batchget|search|/score|comp=lease.*renew", re.I
)
"""Requests that only ask, though their method may say otherwise."""


_CHANGING: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{20,}|\bws-[0-9a-f]+|(?<=main-)[0-9a-f]{7}(-\d+)?|(?<=tiny-prod-)[0-9a-f]+"
    r"|\bv\d+-[0-9a-f]+|(?<=versions/)\d+"
)


@dataclass
class Strike:
    """Counts calls, and kills the process at the chosen one."""

    file: Path
    at: int = 0
    when: str = "none"
    count: int = 0
    _one: threading.Lock = field(default_factory=threading.Lock)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        with self._one:
            self.count += 1
            number = self.count
            with self.file.open("a") as told:
                told.write(json.dumps(name) + "\n")
        self._kill(number, "before")
        try:
            return call()
        finally:
            self._kill(number, "after")

    def _kill(self, number: int, when: str) -> None:
        if (number, when) == (self.at, self.when):
            os.kill(os.getpid(), signal.SIGKILL)


class Struck:
    """A port whose writing calls go through a strike."""

    def __init__(self, port: object, name: str, strike: Strike) -> None:
        self._port, self._name, self._strike = port, name, strike

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._port, method)
        if method not in WRITES[self._name]:
            return found

        def counted(*words: Any, **named: Any) -> Any:
            told = f"{self._name}.{method}"
            if method == "append":
                told += f" {words[0].what.kind}"
            return self._strike.around(told, lambda: found(*words, **named))

        return counted


def struck(at: Backend, strike: Strike) -> Backend:
    """The same world, its writes counted."""
    ports = {one.name: Struck(getattr(at, one.name), one.name, strike) for one in fields(at) if one.name in WRITES}
    ports.pop("serving")
    return replace(at, **ports, serving=lambda stage: Struck(at.serving(stage), "serving", strike))  # type: ignore[arg-type]


def strike_ports(strike: Strike) -> None:
    """From now on, every local backend that is opened is struck."""
    opened = backends.BACKENDS["local"]
    backends.BACKENDS["local"] = lambda project, visitor: struck(opened(project, visitor), strike)


def strike_requests(strike: Strike) -> None:
    """From now on, requests that change something are counted, whoever makes them: the SDK's clients and ours."""
    import requests

    sent = requests.Session.send

    def send(self: requests.Session, request: requests.PreparedRequest, **named: Any) -> requests.Response:
        name = f"{request.method} {short(request.url or '')}"
        lease = str(request.headers.get("x-ms-lease-action", ""))
        if request.method in ("GET", "HEAD", "OPTIONS") or ASKS.search(f"{request.url} {lease}"):
            return sent(self, request, **named)
        response: requests.Response = strike.around(name, lambda: sent(self, request, **named))
        return response

    requests.Session.send = send  # type: ignore[method-assign]


def short(url: str) -> str:
    """What is changed, without what differs from run to run: below its workspace, or below its container."""
    path = unquote(unquote(url.partition("?")[0].partition("://")[2]))
    path = re.sub(r"^.*/workspaces/[^/]+/", "", path)
    path = re.sub(r"^[^/]+/azureml-blobstore-[^/]+/ctrain/", "blob ", path)
    return _CHANGING.sub("*", path)


def main() -> None:
    file, at, when, *words = sys.argv[1:]
    strike = Strike(Path(file), int(at), when)
    if os.environ.get("CTRAIN_BACKEND") == "azureml":
        strike_requests(strike)
    else:
        strike_ports(strike)
    sys.argv = ["ctrain", *words]
    from ctrain.cli import main as ctrain

    ctrain()


if __name__ == "__main__":
    main()
