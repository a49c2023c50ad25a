"""Runs the loopback Azure: `python -m tests.azure --home DIR`. Prints one JSON line when it is ready."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from tests.azure.certificates import Authority
from tests.azure.cloud import Cloud
from tests.azure.front import Front
from tests.azure.proxy import Entrance
from tests.azure.routes import directory

LONGEST: Final = 65_536
"""Bytes of a request line or header: signed URLs are longer than aiohttp expects."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.azure", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="a folder for its state")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so long, whatever happens")
    parser.add_argument("--parent", type=int, help="stop when this process is gone")
    return parser.parse_args()


async def serve(home: Path, seconds: float, parent: int | None) -> None:
    """Serve until told to stop, until the parent is gone, or until the time is up."""
    home.mkdir(parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    authority = Authority(home)
    cloud = Cloud(home)
    front = Front(cloud, directory())
    limits: dict[str, Any] = {"max_line_size": LONGEST, "max_field_size": LONGEST}
    proxied, controlled = web.Server(front.proxied, **limits), web.Server(front.controlled, **limits)
    entrance = await loop.create_server(lambda: Entrance(proxied, authority, front.refuses), "127.0.0.1", 0)
    control = await loop.create_server(controlled, "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (entrance, control)]
    print(
        json.dumps({"proxy": ports[0], "control": ports[1], "ca": str(authority.file), "pid": os.getpid()}), flush=True
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await _until(stopped, loop.time() + seconds, parent)
    finally:
        entrance.close()
        control.close()
        await cloud.close()


async def _until(stopped: asyncio.Event, end: float, parent: int | None) -> None:
    while asyncio.get_running_loop().time() < end and not stopped.is_set():
        if parent is not None and os.getppid() != parent:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 0.5)


if __name__ == "__main__":
    options = _options()
    asyncio.run(serve(options.home, options.seconds, options.parent))
