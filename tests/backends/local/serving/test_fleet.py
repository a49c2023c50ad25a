"""All endpoints of a home: after a crash, after a reboot, and when they are told to leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable

import pytest
from tests.backends.local.serving.conftest import CLOCK, Platform, alive

from ctrain.backends.local.serving import fleet
from ctrain.backends.local.serving.folder import Folder
from ctrain.errors import PlatformUnavailable
from ctrain.serving import DeploymentState, Request


def pid_of(platform: Platform, endpoint: str) -> int:
    contact = Folder.of(platform.home, endpoint).contact()
    assert contact is not None
    return contact.pid


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_killed_endpoint_comes_back_as_it_was(platform: Platform) -> None:
    """kill -9 takes its deployments along; `up` brings all back: same URL, key, traffic and deployments."""
    platform.serving.create("visits")
    platform.place("visits", platform.spec("blue"), platform.spec("green"))
    platform.serving.route("visits", {"blue": 90, "green": 10})
    before, key = platform.look("visits"), platform.serving.key("visits")
    workers = [
        json.loads(platform.serving.score("visits", Request(b"{}", name)).body)["pid"] for name in ("blue", "green")
    ]
    os.kill(pid_of(platform, "visits"), signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in workers))
    asleep = platform.look("visits")
    assert (asleep.running, asleep.traffic, asleep.scoring_url) == (False, before.traffic, before.scoring_url)
    assert {seen.state for seen in asleep.deployments.values()} == {DeploymentState.SUCCEEDED}
    assert not any(seen.ready for seen in asleep.deployments.values())
    with pytest.raises(PlatformUnavailable):
        platform.serving.score("visits", Request(b"{}"))
    fleet.up(platform.home, CLOCK)
    for name in ("blue", "green"):
        platform.settled("visits", name)
    assert (platform.look("visits"), platform.serving.key("visits")) == (before, key)
    assert platform.serving.score("visits", Request(b"{}")).status == 200


def test_down_leaves_no_process_and_up_starts_only_what_is_down(platform: Platform) -> None:
    """Nothing of any endpoint runs afterwards; down again has nothing to do."""
    for name in ("visits-dev", "visits-test"):
        platform.serving.create(name)
    platform.place("visits-dev", platform.spec("blue"))
    worker = json.loads(platform.serving.score("visits-dev", Request(b"{}", "blue")).body)["pid"]
    processes = [pid_of(platform, name) for name in ("visits-dev", "visits-test")] + [worker]
    assert fleet.down(platform.home, CLOCK) == ["visits-dev", "visits-test"]
    assert not any(alive(pid) for pid in processes)
    assert fleet.down(platform.home, CLOCK) == []
    platform.serving.create("visits-dev")
    running = pid_of(platform, "visits-dev")
    assert [seen.running for seen in fleet.up(platform.home, CLOCK)] == [True, True]
    assert pid_of(platform, "visits-dev") == running


def test_a_hung_endpoint_is_killed_with_its_deployments(platform: Platform) -> None:
    """One that answers nobody must not keep `down` from its work."""
    platform.serving.create("visits")
    platform.place("visits", platform.spec("blue"))
    worker = json.loads(platform.serving.score("visits", Request(b"{}", "blue")).body)["pid"]
    endpoint = pid_of(platform, "visits")
    os.kill(endpoint, signal.SIGSTOP)
    fleet.down(platform.home, CLOCK, grace=0.3, patience=0.3)
    assert not any(alive(pid) for pid in (endpoint, worker))


def test_an_endpoint_outlives_a_hangup_of_its_terminal(platform: Platform) -> None:
    """It is in a session of its own, and leaves no zombie to whoever started it."""
    platform.serving.create("visits")
    pid = pid_of(platform, "visits")
    os.kill(pid, signal.SIGHUP)
    assert os.getsid(pid) != os.getsid(0)
    assert platform.look("visits").running
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_status_of_a_home_without_endpoints_is_empty(platform: Platform) -> None:
    """Before anything was created there is nothing to start, stop or show."""
    assert fleet.status(platform.home, CLOCK) == []
    assert fleet.up(platform.home, CLOCK) == []
    assert fleet.down(platform.home, CLOCK) == []


def test_an_endpoint_whose_folder_was_removed_leaves(platform: Platform) -> None:
    """After `rm -r .ctrain` or `git clean` nothing would find its processes, or end them."""
    platform.serving.create("visits")
    platform.place("visits", platform.spec("blue"))
    endpoint = pid_of(platform, "visits")
    worker = json.loads(platform.serving.score("visits", Request(b"{}", "blue")).body)["pid"]

    shutil.rmtree(Folder.of(platform.home, "visits").root)

    until(lambda: not alive(endpoint) and not alive(worker))
