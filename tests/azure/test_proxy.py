"""The door: an HTTP proxy whose TLS ends with us; names that nobody answers for are refused and told of."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.azure.loopback import ROOT, start

if TYPE_CHECKING:
    from tests.azure.loopback import Loopback

LOGIN = "https://login.microsoftonline.com/common/discovery/instance"


@pytest.fixture
def web(azure: Loopback) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(azure.ca))
    with httpx.Client(proxy=azure.proxy, verify=trusted, trust_env=False) as client:
        yield client


def test_many_requests_go_over_one_connection(web: httpx.Client) -> None:
    """Kept alive, over one tunnel: the peer's port is the same for all of them."""
    streams = [web.get(LOGIN).extensions["network_stream"] for _ in range(3)]

    assert len({id(stream.get_extra_info("socket")) for stream in streams}) == 1


def test_a_host_that_is_not_azures_is_refused_and_journalled(azure: Loopback, web: httpx.Client) -> None:
    """So that a test sees what a client wanted of the world."""
    since = azure.mark()
    with pytest.raises(httpx.ProxyError, match="502"):
        web.get("https://example.org/page")
    assert web.get("http://example.com/").status_code == 502

    wanted = [(call["host"], call["problem"]) for call in azure.calls(since=since)]
    assert wanted == [("example.org", "unknown host"), ("example.com", "unknown host")]


def test_who_does_not_trust_the_throw_away_authority_gets_nothing(azure: Loopback) -> None:
    """TLS is real: a client with its own certificates refuses us, and the next one is served."""
    with httpx.Client(proxy=azure.proxy, trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
        stranger.get(LOGIN)

    assert azure.control("GET", "/clock")["now"] > 0


def test_a_body_may_come_in_chunks(web: httpx.Client) -> None:
    """Chunked uploads are put together; the answer is judged by the whole."""

    def pieces() -> Iterator[bytes]:
        yield b"grant_type=passw"
        yield b"ord"

    answer = web.post(
        "https://login.microsoftonline.com/72f98888-8888-4888-8888-2d7cd011db47/oauth2/v2.0/token", content=pieces()
    )

    assert answer.json()["error_codes"] == [70003]


def test_head_is_get_without_its_body(web: httpx.Client) -> None:
    """The length is told, nothing follows, and the connection goes on."""
    head, whole = web.head(LOGIN), web.get(LOGIN)

    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(whole.content))


def test_what_is_not_modelled_says_so(azure: Loopback, place: object, web: httpx.Client) -> None:
    """404 for a path that nobody has, 405 for a method that a path lacks; both are in the journal."""
    since = azure.mark()
    missing, wrong = web.get("https://login.microsoftonline.com/nothing/here"), web.put(LOGIN)

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert [call["problem"] for call in azure.calls(since=since)] == ["not modelled", "not modelled"]


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """A test run that is killed leaves nothing behind: it looks after its parent, and ends."""
    script = (
        "import pathlib, sys; from tests.azure.loopback import start;"
        "print(start(pathlib.Path(sys.argv[1])).process.pid, flush=True)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "azure")]
    pid = int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=30).stdout)

    assert _gone(pid, seconds=5)


def _gone(pid: int, seconds: float) -> bool:
    import os
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_it_is_ready_soon_and_stops_when_told(tmp_path: Path) -> None:
    """Well under three seconds to the first answer."""
    import time

    began = time.monotonic()
    loopback = start(tmp_path / "azure")
    trusted = ssl.create_default_context(cafile=str(loopback.ca))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": loopback.proxy}), urllib.request.HTTPSHandler(context=trusted)
    )
    with opener.open(LOGIN) as answer:
        assert answer.status == 200
    took = time.monotonic() - began
    loopback.stop()

    assert took < 3
    assert loopback.process.returncode == 0
