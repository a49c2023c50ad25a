"""The HTTP(S) proxy: the one door through which clients reach the loopback Azure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from tests.azure.certificates import Authority

HEAD_LIMIT: Final = 65_536


class Entrance(asyncio.Protocol):
    """One client's connection. CONNECT ends in TLS with our own server; anything else is plain HTTP for it.

    Requests in absolute form (`GET http://169.254.169.254/...`) are how plain HTTP goes through a proxy.
    """

    def __init__(self, server: web.Server, authority: Authority, refused: Callable[[str], bool]) -> None:
        self._server = server
        self._authority = authority
        self._refused = refused
        self._seen = b""
        self._transport: asyncio.Transport | None = None
        self._upgrading: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._seen += data
        if not self._seen.startswith(b"CONNECT "[: len(self._seen)]):
            self._hand_over(self._transport)
        elif b"\r\n\r\n" in self._seen:
            self._connect(self._transport, self._seen.split(b" ", 2)[1].decode("latin-1"))
        elif len(self._seen) > HEAD_LIMIT:
            self._transport.close()

    def _hand_over(self, transport: asyncio.Transport) -> None:
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        if self._seen:
            handler.data_received(self._seen)

    def _connect(self, transport: asyncio.Transport, target: str) -> None:
        host, _, port = target.lower().rpartition(":")
        if port != "443" or self._refused(host):
            transport.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            transport.close()
            return
        transport.pause_reading()
        transport.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        self._upgrading = asyncio.get_running_loop().create_task(self._secure(transport, host))

    async def _secure(self, transport: asyncio.Transport, host: str) -> None:
        early = _Early()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, early, self._authority.context(host), server_side=True
            )
        except (OSError, asyncio.CancelledError):
            # a client that does not trust our CA, or went away in the middle of its handshake
            transport.close()
            return
        if secured is not None and not early.lost:
            self._seen = early.seen
            self._hand_over(secured)


class _Early(asyncio.Protocol):
    """Keeps what a client sends together with the end of its handshake, before anybody serves it."""

    def __init__(self) -> None:
        self.seen = b""
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.seen += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
