"""The one way out, over the loopback Azure: time-outs, retries, tokens."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ctrain.backends.azureml import transport
from ctrain.backends.azureml.bodies import section
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import WORKSPACES, AzureSession, AzureWorkspace
from ctrain.errors import NotAllowed, PlatformUnavailable
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import CountingClock
from tests.backends.azureml.conftest import environment

GET_WORKSPACE = {"method": "GET", "host": "management.*", "path": r".*/workspaces/[^/]+\?.*"}


@pytest.fixture
def clock() -> CountingClock:
    """Waits take no time here."""
    return CountingClock()


@pytest.fixture
def hurried(azure: Loopback, place: Place, clock: CountingClock, monkeypatch: pytest.MonkeyPatch) -> AzureWorkspace:
    """A workspace whose waits take no time."""
    environment(monkeypatch, azure.service_principal())
    return AzureWorkspace(place.address, AzureSession(clock))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(
    azure: Loopback, hurried: AzureWorkspace, clock: CountingClock, status: int
) -> None:
    """Three times in vain, then it is there."""
    azure.fault("answer", status=status, times=3, **GET_WORKSPACE)
    assert hurried.arm.get("", WORKSPACES) is not None
    assert len(clock.waits) == 3


@pytest.mark.parametrize("act", ["reset before", "reset after", "reset during", "truncate"])
def test_a_lost_or_broken_answer_is_asked_again(
    azure: Loopback, hurried: AzureWorkspace, clock: CountingClock, act: str
) -> None:
    """Whether the connection went before, after or within the answer."""
    azure.fault(act, times=2, **GET_WORKSPACE)
    assert hurried.facts.location == "westeurope"
    assert len(clock.waits) == 2


def test_a_long_wait_is_told_of_once_a_minute(
    azure: Loopback, place: Place, clock: CountingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits sees why; a wait that is over in a moment is not worth a word."""
    environment(monkeypatch, azure.service_principal())
    told: list[str] = []
    workspace = AzureWorkspace(place.address, AzureSession(clock, told.append))
    assert workspace.arm.get("", WORKSPACES) is not None
    before = len(told)

    azure.fault("answer", status=503, times=2, **GET_WORKSPACE)
    assert workspace.arm.get("", WORKSPACES) is not None
    assert told[before:] == []

    azure.fault("answer", status=503, times=6, **GET_WORKSPACE)
    assert workspace.arm.get("", WORKSPACES) is not None
    assert len(told[before:]) == 1
    assert told[-1].startswith("management.azure.com answers 503: trying again in ")


def test_a_proxy_that_refuses_us_is_told_of_at_once(
    clock: CountingClock, hurried: AzureWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wants a password, or does not let us through: neither goes away by waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(PlatformUnavailable) as raised:
            _ = hurried.facts
        thread.join(5)

    assert "407" in raised.value.why
    assert clock.waits == []


def test_the_sdk_goes_the_same_way(azure: Loopback, hurried: AzureWorkspace, clock: CountingClock) -> None:
    """Its own retries are off; ours, on our clock, are there: also for an answer that it would give up on."""
    azure.fault("answer", status=503, times=8, **GET_WORKSPACE)
    with translated("read the workspace"):
        assert hurried.client.workspaces.get(hurried.address.workspace).location == "westeurope"
    assert len(clock.waits) == 8


def test_azure_is_waited_for_as_long_as_it_asks(azure: Loopback, hurried: AzureWorkspace, clock: CountingClock) -> None:
    """ARM has been seen to say 372 seconds."""
    azure.fault("answer", status=429, headers={"Retry-After": "372"}, **GET_WORKSPACE)
    assert hurried.arm.get("", WORKSPACES) is not None
    assert clock.waits == [372.0]


@pytest.mark.parametrize("asked", ["30", "99999", "soon", "Mon, 23 Nov 2099 08:00:00 GMT"])
def test_throttling_without_end_ends_in_a_named_error(
    azure: Loopback, hurried: AzureWorkspace, clock: CountingClock, asked: str
) -> None:
    """After a quarter of an hour in all, whatever Azure asks for."""
    azure.fault("answer", status=429, times=None, headers={"Retry-After": asked}, **GET_WORKSPACE)
    with pytest.raises(PlatformUnavailable, match="throttling"):
        hurried.arm.get("", WORKSPACES)
    assert clock.monotonic() <= 900


def test_an_unreachable_azure_is_told_soon(
    hurried: AzureWorkspace, clock: CountingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within two minutes of waits; the hint names the proxy."""
    environment(monkeypatch, {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"})
    with pytest.raises(PlatformUnavailable) as told:
        hurried.arm.get("", WORKSPACES)
    assert clock.monotonic() <= 120
    assert "HTTPS_PROXY" in told.value.hint


def test_a_post_that_nobody_calls_idempotent_is_sent_once(azure: Loopback, hurried: AzureWorkspace) -> None:
    """It may have taken effect."""
    azure.fault("answer", status=503, times=None, method="POST", host="management.*")
    since = azure.mark()
    with pytest.raises(PlatformUnavailable):
        hurried.arm.post("jobs/j/somethingOnce", WORKSPACES, {})
    assert len(azure.calls(method="POST", host="management.*", since=since)) == 1
    with pytest.raises(PlatformUnavailable):
        hurried.arm.post("jobs/j/somethingOnce", WORKSPACES, {}, idempotent=True)
    assert len(azure.calls(method="POST", host="management.*", since=since)) > 3


def test_a_refused_token_is_replaced_once(azure: Loopback, hurried: AzureWorkspace) -> None:
    """Azure may revoke one before its time, and does not always say so in a challenge."""
    hurried.arm.get("", WORKSPACES)
    since = azure.mark()
    azure.fault("answer", status=401, **GET_WORKSPACE)
    assert hurried.arm.get("", WORKSPACES) is not None
    assert len(azure.calls(path=".*/token", since=since)) == 1
    azure.fault("answer", status=401, times=None, **GET_WORKSPACE)
    since = azure.mark()
    with pytest.raises(NotAllowed, match="401"):
        hurried.arm.get("", WORKSPACES)
    assert len(azure.calls(host="management.*", since=since)) == 2


def test_the_sdks_refused_token_is_replaced_too(azure: Loopback, hurried: AzureWorkspace) -> None:
    """Left alone it would raise at once."""
    azure.fault("answer", status=401, **GET_WORKSPACE)
    with translated("read the workspace"):
        assert hurried.client.workspaces.get(hurried.address.workspace)


def test_no_token_goes_to_a_stranger(azure: Loopback, hurried: AzureWorkspace) -> None:
    """Not even a connection is made."""
    since = azure.mark()
    with pytest.raises(PlatformUnavailable, match=r"stranger\.example is none of Azure's own hosts"):
        hurried.session.requests("https://stranger.example", hurried.cloud.arm_scope).send("GET", "/x")
    assert not azure.calls(host="stranger.example", since=since)


def test_a_redirect_is_not_followed(azure: Loopback, hurried: AzureWorkspace) -> None:
    """Azure's answers come from where they were asked for."""
    azure.fault("answer", status=307, headers={"Location": "https://stranger.example/"}, **GET_WORKSPACE)
    since = azure.mark()
    with pytest.raises(PlatformUnavailable, match="307"):
        hurried.arm.get("", WORKSPACES)
    assert not azure.calls(host="stranger.example", since=since)


def test_an_answer_that_does_not_come_is_not_waited_for(
    azure: Loopback, hurried: AzureWorkspace, clock: CountingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute in life, half a second here; then it is asked for again."""
    monkeypatch.setattr(transport, "READ_SECONDS", 0.5)
    azure.fault("stall", seconds=3, **GET_WORKSPACE)
    assert hurried.arm.get("", WORKSPACES) is not None
    assert len(clock.waits) == 1


@pytest.mark.parametrize("where", ["https://stranger.example/discovery", "http://169.254.169.254/metadata"])
def test_the_sdk_goes_nowhere_that_a_workspace_points_to(azure: Loopback, hurried: AzureWorkspace, where: str) -> None:
    """It asks the workspace's discoveryUrl, wherever that leads, and takes our token where it is told to."""
    body = hurried.arm.get("", WORKSPACES)
    assert body is not None
    properties = dict(section(body, "properties")) | {"discoveryUrl": where}
    azure.fault("answer", status=200, body={**body, "properties": properties}, times=None, **GET_WORKSPACE)
    job = {"jobType": "Command", "command": "x", "environmentId": "x", "status": "Running", "properties": {}}
    azure.fault("answer", status=200, body={"name": "j", "id": "j", "properties": job}, path=".*/jobs/j.*")
    since = azure.mark()
    with pytest.raises(PlatformUnavailable, match="none of Azure's own hosts"), translated("list children"):
        list(hurried.client.jobs.list(parent_job_name="j"))
    assert {call["host"] for call in azure.calls(since=since)} <= {"management.azure.com", "login.microsoftonline.com"}


def test_threads_share_it(azure: Loopback, hurried: AzureWorkspace) -> None:
    """Each has a connection of its own; the token is got once."""
    since = azure.mark()

    def ask(_: int) -> Any:
        return hurried.arm.get("", WORKSPACES)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(24)))
    assert len(azure.calls(path=".*/token", since=since)) == 1
