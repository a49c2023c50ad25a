"""ctrain's own serving engine behind the façade: one router an endpoint, one server a deployment.

The router and the servers are those of `ctrain.backends.local.serving`, in this process' event loop instead of in an
endpoint process of their own: the servers end by themselves when this process does.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import aiohttp

from ctrain.backends.local.serving.deployment import KeptDeployment
from ctrain.backends.local.serving.folder import tail
from ctrain.backends.local.serving.router import Router
from ctrain.backends.local.serving.tally import Tally
from ctrain.backends.local.serving.wish import Placement
from ctrain.serving import Traffic

Split = Callable[[], tuple[Traffic, Traffic]]

GONE = "its endpoint was deleted"


class ServedEndpoint:
    """The servers of one endpoint. `folder` is its own; `split` gives traffic and mirror for each request anew.

    `tally` has what they answered, on the time that `now` tells.
    """

    def __init__(self, folder: Path, split: Split, now: Callable[[], float]) -> None:
        self.folder = folder
        self.tally = Tally(now)
        self.deployments: dict[str, KeptDeployment] = {}
        self.failed_logs: dict[str, Path] = {}
        self._split = split
        self._key = secrets.token_urlsafe(24)
        self._session: aiohttp.ClientSession | None = None
        self._server: asyncio.Server | None = None
        self._places = 0
        self._closed = False
        self._coming: dict[KeptDeployment, asyncio.Future[str | None]] = {}

    async def start(self) -> None:
        """Listen for the front door, on loopback."""
        self.folder.mkdir(parents=True, exist_ok=True)
        connector = aiohttp.TCPConnector(limit=0, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )
        router = Router(self._key, self.deployments, self._split, self._session, tally=self.tally)
        self._server = await asyncio.get_running_loop().create_server(router.server(), "127.0.0.1", 0)

    def place_folder(self, name: str) -> Path:
        """A fresh folder for the next container of that deployment."""
        self._places += 1
        folder = self.folder / f"{name}-{self._places}"
        folder.mkdir(parents=True)
        return folder

    async def place(self, placement: Placement, folder: Path) -> str | None:
        """Bring a deployment up beside the one of its name that serves, then replace that. Returns why it did not.

        Where it does not come up the old one goes on serving.
        """
        if self._closed:
            return GONE
        assert self._session is not None, "start it first"
        settled: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        name = placement.spec.name

        async def on_settled(_name: str, failed: str | None) -> None:
            kept.placement = replace(kept.placement, served=failed is None, failed=failed)
            if not settled.done():
                settled.set_result(failed)

        log = folder / "log"
        kept = KeptDeployment(placement, log, self.folder / "deployments.lock", self._session, on_settled)
        self._coming[kept] = settled
        kept.start()
        try:
            problem = await settled
        finally:
            self._coming.pop(kept, None)
            if not settled.done() or settled.cancelled() or settled.result() is not None:
                self.failed_logs[name] = log
                await kept.stop()
        if problem is not None:
            return problem
        before = self.deployments.get(name)
        self.deployments[name] = kept
        self.failed_logs.pop(name, None)
        if before is not None:
            await before.stop()
        return None

    async def remove(self, name: str) -> None:
        """End its server and take its files away."""
        kept = self.deployments.pop(name, None)
        self.failed_logs.pop(name, None)
        if kept is not None:
            await kept.stop()
            shutil.rmtree(kept.log.parent, ignore_errors=True)

    def crash(self, name: str) -> None:
        """Kill the server's processes as they are; the engine starts it anew."""
        kept = self.deployments[name]
        server = kept._server  # the engine has no such verb: nobody but a test wants it
        assert server is not None, "it is not running"
        os.killpg(server.process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End all of it, and what is just coming up."""
        self._closed = True
        for settled in list(self._coming.values()):
            if not settled.done():
                settled.set_result(GONE)
        while self._coming:
            await asyncio.sleep(0.01)
        for name in list(self.deployments):
            await self.remove(name)
        if self._server is not None:
            self._server.close()
        if self._session is not None:
            await self._session.close()

    def log(self, name: str) -> str | None:
        """The end of the inference server's log; None where no container ever ran."""
        failed, kept = self.failed_logs.get(name), self.deployments.get(name)
        file = failed or (kept.log if kept is not None else None)
        return tail(file) if file is not None else None

    async def ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Pass a request on to the router: status, headers (names in lower case) and body of its answer."""
        assert self._session is not None and self._server is not None, "start it first"
        port = self._server.sockets[0].getsockname()[1]
        passed = {**headers, "authorization": f"Bearer {self._key}"}
        async with self._session.request(
            method, f"http://127.0.0.1:{port}{target}", data=body or None, headers=passed,
            skip_auto_headers=("Accept-Encoding", "User-Agent", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:  # fmt: skip
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()
