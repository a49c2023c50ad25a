"""A signal while Azure does not answer: gone within three seconds, no write begun after it, and gone on with later."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.azure.loopback import Loopback
from tests.e2e.azure import AzureTiny, azure_tiny
from tests.e2e.repository import LIMIT

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PROMISE = 3.0
"""Seconds from a signal to the end."""


@pytest.fixture(scope="module")
def tiny(azure: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureTiny]:
    with pytest.MonkeyPatch.context() as patch:
        yield azure_tiny(tmp_path_factory.mktemp("user") / "tiny", azure, patch)


HANGS: dict[str, dict[str, Any]] = {
    "a job that is submitted": {"act": "stall", "method": "PUT", "path": r".*/jobs/.*"},
    "a job that is looked at, and told to come again": {
        "act": "answer", "method": "GET", "path": r".*/jobs/.*", "status": 429, "headers": {"Retry-After": "600"}
    },
    "an event that is recorded": {"act": "stall", "method": "PUT", "path": r".*comp=appendblock.*", "nth": 4},
    "a model that is registered": {"act": "stall", "method": "PUT", "path": r".*/models/.*"},
    "an endpoint that is made": {"act": "stall", "method": "PUT", "path": r".*/onlineEndpoints/[^/]*\?.*"},
    "a deployment that is placed": {"act": "stall", "method": "PUT", "path": r".*/onlineEndpoints/.*/deployments/.*"},
    "a smoke test": {"act": "stall", "method": "POST", "path": r".*/score.*"},
    "traffic that is moved": {"act": "stall", "method": "PUT", "path": r".*/onlineEndpoints/[^/]*\?.*", "nth": 2},
    "a lock that is given back": {"act": "stall", "method": "PUT", "path": r".*/locks/.*comp=lease.*", "nth": 3},
}  # fmt: skip


def used(azure: Loopback, number: int) -> bool:
    return any(rule["number"] == number and rule["used"] for rule in azure.control("GET", "/faults")["rules"])


@pytest.mark.parametrize("what", HANGS)
def test_azure_hangs_and_a_signal_comes(tiny: AzureTiny, what: str) -> None:
    """Whatever it hangs on: nothing is begun any more, and nobody waits for the answer."""
    # An hour: a call that was abandoned must not take effect in the middle of the next test.
    rule: dict[str, Any] = {"seconds": 3600.0, "times": None, **HANGS[what]}
    number = tiny.azure.fault(str(rule.pop("act")), **rule)
    process = tiny.repository.start("run", "--trigger", "main")
    try:
        _until_it_hangs(tiny.azure, number, process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # what was under way when it came is on its way
        mark = tiny.azure.mark()
        assert process.wait(timeout=PROMISE) == 143
        assert tiny.writes(mark) == []
    finally:
        process.kill()
        process.communicate()
        tiny.azure.reset()


def _until_it_hangs(azure: Loopback, number: int, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + LIMIT
    while not used(azure, number):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(0.2)


def test_the_release_arrives_in_the_end(tiny: AzureTiny) -> None:
    """One release, whatever hung. A lock that could not be given back has run out within a minute."""
    said = tiny.repository.ctrain("resume", "--wait", "2m")

    assert said.code == 0, said.err
    assert tiny.repository.serving() == {"dev": 1, "test": 1, "prod": 1}
    assert len(tiny.ledger.releases()) == 1
