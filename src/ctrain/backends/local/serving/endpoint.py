"""The endpoint process: one for each endpoint, detached from the command that made it.

    python -m ctrain.backends.local.serving.endpoint FOLDER DESCRIPTOR

It writes to the descriptor `ready`, or what stands in its way as JSON, and closes it. It leaves its starter's
session, and stays until it is told to shut down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrain.backends.local.serving import rules
from ctrain.backends.local.serving.folder import Contact, Folder, trim
from ctrain.backends.local.serving.remote import scoring_url
from ctrain.backends.local.serving.tally import Tally
from ctrain.backends.local.serving.wish import Placement, Wish, write_wish
from ctrain.errors import CtrainError, PlatformUnavailable
from ctrain.serving import Endpoint, Traffic
from ctrain.telemetry import Span

if TYPE_CHECKING:
    import aiohttp

    from ctrain.backends.local.serving.deployment import KeptDeployment

FIRST_PORT, PORTS = 20_000, 10_000
"""Below the range that Linux and macOS give to outgoing connections, so that a port stays free while we are down."""

logger = logging.getLogger(__name__)


class EndpointProcess:
    """The one writer of an endpoint. Every change is on disk before it is acted upon."""

    def __init__(self, folder: Folder, wish: Wish, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.wish = wish
        self.deployments: dict[str, KeptDeployment] = {}
        self.leaving = asyncio.Event()
        self.tally = Tally()
        self._session = session
        self._writing = asyncio.Lock()
        for placement in wish.deployments.values():
            self._bring_up(placement)

    def state(self) -> dict[str, Any]:
        seen = {name: kept.seen() for name, kept in self.deployments.items()}
        return asdict(Endpoint(self.wish.name, scoring_url(self.wish), True, self.wish.traffic, self.wish.mirror, seen))  # noqa: FBT003

    def counted(self, deployment: str, since: float) -> list[Span]:
        return list(self.tally.spans(deployment, since))

    def split(self) -> tuple[Traffic, Traffic]:
        return self.wish.traffic, self.wish.mirror

    async def place(self, placement: Placement) -> None:
        async with self._writing:
            wanted = rules.placing(self.wish, placement)
            if wanted is None:
                return
            self._commit(wanted)
            name = placement.spec.name
            if name in self.deployments:
                await self.deployments.pop(name).stop()
            self._bring_up(placement)

    async def route(self, traffic: Traffic) -> None:
        async with self._writing:
            healthy = {name for name, kept in self.deployments.items() if kept.seen().healthy}
            self._commit(rules.routing(self.wish, traffic, healthy))

    async def mirror(self, mirror: Traffic) -> None:
        async with self._writing:
            self._commit(rules.mirroring(self.wish, mirror))

    async def remove(self, name: str) -> None:
        async with self._writing:
            wanted = rules.removing(self.wish, name)
            if wanted is None:
                return
            self._commit(wanted)
            await self.deployments.pop(name).stop()

    def shut_down(self) -> None:
        self.leaving.set()

    async def _settled(self, name: str, failed: str | None) -> None:
        """A deployment's first start ended."""
        async with self._writing:
            placement = replace(self.wish.deployments[name], served=failed is None, failed=failed)
            self.deployments[name].placement = placement
            try:
                self._commit(replace(self.wish, deployments={**self.wish.deployments, name: placement}))
            except PlatformUnavailable as problem:
                # Nobody waits for this: after a restart the deployment is simply tried anew.
                logger.error("%s", problem)  # noqa: TRY400

    def _commit(self, wish: Wish) -> None:
        try:
            write_wish(self.folder.wish_file, wish)
        except OSError as problem:
            raise PlatformUnavailable(
                f"the endpoint {wish.name} cannot be changed",
                why=f"its state cannot be written: {problem.strerror}",
                hint=f"make room for {self.folder.wish_file}, or make it writable; nothing was changed",
            ) from None
        self.wish = wish

    def _bring_up(self, placement: Placement) -> None:
        from ctrain.backends.local.serving.deployment import KeptDeployment

        name = placement.spec.name
        log = self.folder.deployment_log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        kept = KeptDeployment(placement, log, self.folder.leftovers_lock, self._session, self._settled)
        self.deployments[name] = kept
        kept.start()


def bind(folder: Folder, wish: Wish) -> tuple[socket.socket, Wish]:
    """The endpoint's listening socket; its port is chosen, and kept, the first time.

    Raises PlatformUnavailable where another program has the port.
    """
    if wish.port is not None:
        try:
            return socket.create_server(("127.0.0.1", wish.port), backlog=2048), wish
        except OSError as problem:
            raise PlatformUnavailable(
                f"port {wish.port} of the endpoint {wish.name} cannot be listened on",
                why=f"another program has it ({problem.strerror})",
                hint=f"see who with `lsof -nP -iTCP:{wish.port} -sTCP:LISTEN` and stop it, "
                f'or write another "port" into {folder.wish_file} (callers must then use the new URL)',
            ) from None
    first = zlib.crc32(str(folder.root).encode())
    for step in range(PORTS):
        port = FIRST_PORT + (first + step) % PORTS
        with contextlib.suppress(OSError):
            listener = socket.create_server(("127.0.0.1", port), backlog=2048)
            chosen = replace(wish, port=port)
            write_wish(folder.wish_file, chosen)
            return listener, chosen
    raise PlatformUnavailable(
        f"the endpoint {wish.name} cannot be started",
        why=f"every port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is taken",
        hint="stop some of the programs that listen",
    )


async def serve(folder: Folder, held: int, wish: Wish, listener: socket.socket, started: Callable[[], None]) -> None:
    """Run the endpoint on that socket until it is told to leave; `started` is called when it can be asked.

    It leaves by itself once its folder, whose lock is `held`, is gone: nobody could find it any more.
    """
    import aiohttp

    from ctrain.backends.local.serving.control import control_server
    from ctrain.backends.local.serving.router import Router

    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=0, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    ) as session:
        process = EndpointProcess(folder, wish, session)
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, process.shut_down)
        contact_key = secrets.token_urlsafe(32)
        control = await loop.create_server(control_server(contact_key, process), "127.0.0.1", 0)
        router = Router(folder.key(), process.deployments, process.split, session, tally=process.tally)
        data = await loop.create_server(router.server(), sock=listener)
        folder.publish(Contact(os.getpid(), control.sockets[0].getsockname()[1], contact_key))
        started()
        logger.info("serving on port %s", wish.port)
        while not process.leaving.is_set():
            for log in (folder.log, *(kept.log for kept in process.deployments.values())):
                trim(log)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.leaving.wait(), 1)
            if not folder.still_held(held):
                process.shut_down()
        data.close()
        await asyncio.gather(*(kept.stop() for kept in process.deployments.values()))
        if folder.still_held(held):
            folder.publish(None)
        control.close()
        logger.info("left")


def main() -> None:
    """Detach, take the folder, serve."""
    folder, descriptor = Folder(Path(sys.argv[1])), int(sys.argv[2])
    if os.fork():
        # The starter waits for this first process only, so that it never has a zombie of ours.
        os._exit(0)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(message)s", stream=sys.stderr)
    with os.fdopen(descriptor, "w") as report:

        def started() -> None:
            report.write("ready")
            report.close()

        try:
            _take(folder, started)
        except CtrainError as problem:
            logger.error("%s", problem)  # noqa: TRY400  what the user did is no bug, so no traceback
            if not report.closed:
                json.dump({"what": problem.what, "why": problem.why, "hint": problem.hint}, report)
            sys.exit(1)


def _take(folder: Folder, started: Callable[[], None]) -> None:
    # Whoever looks whether we live holds the lock for a moment: that must not turn us away.
    until = time.monotonic() + 2
    while (held := folder.hold()) is None and time.monotonic() < until:
        time.sleep(0.02)
    if held is None:
        raise PlatformUnavailable(
            "the endpoint is running already", why="its lock is taken", hint="use the running one"
        )
    folder.publish(None)
    wish = folder.wish()
    if wish is None:
        raise PlatformUnavailable("there is no such endpoint", why=f"{folder.wish_file} is gone", hint="create it")
    listener, wish = bind(folder, wish)
    asyncio.run(serve(folder, held, wish, listener, started))


if __name__ == "__main__":
    main()
