"""Sick deployments: each on its own, never the endpoint."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.backends.local.serving.conftest import Platform, alive

from ctrain.errors import Conflict
from ctrain.serving import DeploymentState, Probe, Request

ENDPOINT = "visits-prod"
PATIENT = Probe(period=0.5, failure_threshold=60)


@pytest.fixture(scope="module")
def served(shared: Platform) -> Iterator[Platform]:
    """Blue serves all live traffic, whatever happens beside it."""
    shared.serving.create(ENDPOINT)
    shared.place(ENDPOINT, shared.spec("blue"))
    shared.serving.route(ENDPOINT, {"blue": 100})
    yield shared
    assert shared.serving.score(ENDPOINT, Request(b"{}")).status == 200
    assert shared.look(ENDPOINT).deployments["blue"].restarts == 0


@pytest.mark.parametrize(
    ("name", "how", "says"), [("raises", "raise", "no such weights"), ("exits", "exit", "ended while starting")]
)
def test_a_script_that_cannot_start_fails_with_its_last_words(served: Platform, name: str, how: str, says: str) -> None:
    """Failed, for good, with the end of the log; it cannot get traffic, and the others serve on."""
    served.place(ENDPOINT, served.spec(name, {"INIT": how}))
    seen = served.look(ENDPOINT).deployments[name]
    assert seen.state is DeploymentState.FAILED
    assert says in (seen.error or "")
    with pytest.raises(Conflict, match="cannot get traffic"):
        served.serving.route(ENDPOINT, {"blue": 50, name: 50})


def test_a_script_that_hangs_in_init_fails_after_its_probes_time(served: Platform) -> None:
    """The budget is the deployment's own: the delay and the failures that its probes allow."""
    hasty = Probe(initial_delay=1, period=0.5, failure_threshold=2)
    served.place(ENDPOINT, served.spec("hangs", {"INIT": "hang"}, readiness=hasty))
    seen = served.look(ENDPOINT).deployments["hangs"]
    assert seen.state is DeploymentState.FAILED
    assert "not ready within 2 s" in (seen.error or "")


def test_an_unready_deployment_answers_424_by_name(served: Platform) -> None:
    """As Azure does: the request is not given to another deployment."""
    served.place(ENDPOINT, served.spec("broken", {"INIT": "exit"}))
    answer = served.serving.score(ENDPOINT, Request(b"{}", "broken"))
    assert (answer.status, answer.deployment) == (424, "broken")


def test_a_crash_is_answered_counted_and_repaired(served: Platform) -> None:
    """The request that killed it gets 424; the process comes back by itself and says why it left."""
    served.place(ENDPOINT, served.spec("crasher"))
    answer = served.serving.score(ENDPOINT, Request(b'{"do": "crash"}', "crasher"))
    crashed = served.until(ENDPOINT, "crasher", lambda seen: seen.restarts == 1, "restart")
    back = served.until(ENDPOINT, "crasher", lambda seen: seen.healthy, "come back")
    assert (answer.status, answer.model_status) == (424, 502)
    assert crashed.state is DeploymentState.SUCCEEDED
    assert back.restarts == 1
    assert served.serving.score(ENDPOINT, Request(b"{}", "crasher")).status == 200


def test_a_server_that_answers_no_probe_is_started_anew(served: Platform) -> None:
    """A stopped process is as bad as a dead one: the liveness probe tells."""
    probe = Probe(initial_delay=30, period=0.5, timeout=0.5, failure_threshold=3)
    served.place(ENDPOINT, served.spec("frozen", liveness=probe, readiness=PATIENT))
    pid = json.loads(served.serving.score(ENDPOINT, Request(b"{}", "frozen")).body)["pid"]
    os.kill(pid, signal.SIGSTOP)
    served.until(ENDPOINT, "frozen", lambda seen: seen.restarts >= 1 and seen.healthy, "come back")
    assert not alive(pid)


def test_several_instances_share_one_deployment(served: Platform) -> None:
    """Each its own process; losing one leaves the deployment ready."""
    served.place(ENDPOINT, served.spec("several", instance_count=2, max_concurrent_requests=4))
    pids: set[int] = set()
    end = time.monotonic() + 30
    with ThreadPoolExecutor(2) as pool:
        body = b'{"do": "sleep", "seconds": 0.1}'
        while len(pids) < 2 and time.monotonic() < end:
            answers = pool.map(lambda _: served.serving.score(ENDPOINT, Request(body, "several")), range(2))
            pids = {json.loads(answer.body)["pid"] for answer in answers}
    assert len(pids) == 2
    os.kill(pids.pop(), signal.SIGKILL)
    assert served.look(ENDPOINT).deployments["several"].ready
    assert served.serving.score(ENDPOINT, Request(b"{}", "several")).status == 200
