"""Locks on Azure: one holder, kept alive while it lives, free by itself when it died; over Azurite's real leases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ctrain.backends.azureml.leases import Locks
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.errors import Conflict
from ctrain.ports import Lease
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import LoopbackTime

BLOBS = r".*\.blob\..*"
LEASES = r".*/locks/.*comp=lease.*"
HOLDER = Path(__file__).parent / "holder.py"


@pytest.fixture
def clock(azure: Loopback) -> LoopbackTime:
    return LoopbackTime(azure=azure)


@pytest.fixture
def workspace(place: Place, session: AzureSession, clock: LoopbackTime) -> AzureWorkspace:
    session.clock = clock
    return AzureWorkspace(place.address, session)


Make = Callable[..., Locks]


@pytest.fixture
def make(workspace: AzureWorkspace) -> Iterator[Make]:
    """Locks as one process has them; all are given back in the end."""
    made: list[Locks] = []

    def make(project: str = "visits", run_url: str = "", beat: float | None = None) -> Locks:
        made.append(Locks(workspace, project, run_url, beat))
        return made[-1]

    yield make
    for locks in made:
        locks.close()


@pytest.fixture
def locks(make: Make) -> Locks:
    return make()


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it becomes true within so many real seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return true()


def renewals(azure: Loopback, place: Place) -> int:
    """How many leases of the workspace's account the service has renewed so far."""
    found = azure.calls(host=f"{place.storage_account}\\..*", method="PUT", path=r".*/locks/.*")
    return sum(1 for call in found if call["status"] == 200)


def beating() -> bool:
    return "ctrain-lock" in {thread.name for thread in threading.enumerate()}


def test_one_of_eight_gets_the_lock(make: Make) -> None:
    """At the same moment; the others are told who."""
    ours = [make() for _ in range(8)]
    won: list[Lease] = []
    lost: list[str] = []
    barrier = threading.Barrier(8)

    def take(number: int) -> None:
        barrier.wait()
        try:
            won.append(ours[number].acquire("prod", f"runner {number}", 60))
        except Conflict as conflict:
            lost.append(str(conflict))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(lost)) == (1, 7)
    assert all("the lock 'prod' is held" in conflict for conflict in lost)


def test_who_waits_is_told_who_holds_the_lock_since_when_and_in_which_run(make: Make) -> None:
    """All that a person needs to decide whether to wait."""
    url = "https://github.com/loopback/visits/actions/runs/1"
    lease = make(run_url=url).acquire("prod", "änne", 60)

    with pytest.raises(Conflict) as told:
        make().acquire("prod", "bert", 60)

    since = lease.acquired.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert told.value.why.startswith(f"änne has had it since {since}, in {url}; ")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_lock_that_runs_out_before_it_is_signed_is_taken_again(make: Make, azure: Loopback, method: str) -> None:
    """Storage may ask for a longer wait than a lease lasts; then nobody has the lock, and nobody else is to blame."""
    locks = make("one")
    locks.release(locks.acquire("release/1", "one", 60))
    path = r".*/locks/release%2F1\.json(?!.*comp=lease).*"
    azure.fault("answer", host=BLOBS, method=method, path=path, status=429, headers={"Retry-After": "100"})

    lease = locks.acquire("release/1", "one", 60)

    locks.verify(lease)
    assert lease.token == 2


def test_tokens_grow_with_each_holder(make: Make) -> None:
    """In this process and in others."""
    tokens = []
    for _ in range(3):
        locks = make()
        lease = locks.acquire("prod", "anna", 60)
        tokens.append(lease.token)
        locks.release(lease)

    assert tokens == [1, 2, 3]


def test_an_endpoints_lock_is_one_for_all_projects(make: Make) -> None:
    """The endpoint is the workspace's; a release's lock is its project's own."""
    make().acquire("endpoint/visits-prod", "anna", 60)
    make().acquire("release/main-b41c9e2", "anna", 60)
    other = make("bookings")

    with pytest.raises(Conflict, match="anna"):
        other.acquire("endpoint/visits-prod", "bert", 60)
    assert other.acquire("release/main-b41c9e2", "bert", 60).token == 1


def test_the_lock_of_a_living_process_is_kept(make: Make, place: Place, clock: LoopbackTime, azure: Loopback) -> None:
    """Through an upload that takes longer than the lease lasts, without a word from the flow."""
    locks = make(beat=0.01)
    lease = locks.acquire("prod", "anna", 15)
    for _ in range(3):
        clock.sleep(10)
        so_far = renewals(azure, place)
        assert eventually(lambda more=so_far + 1: renewals(azure, place) > more)  # type: ignore[misc]

    with pytest.raises(Conflict, match="anna"):
        make().acquire("prod", "bert", 60)
    locks.verify(lease)


def test_the_heart_stops_with_the_lock(make: Make, place: Place, azure: Loopback) -> None:
    """Nothing is renewed that nobody holds, and no thread is left."""
    locks = make(beat=0.01)
    lease = locks.acquire("prod", "anna", 15)
    assert eventually(lambda: renewals(azure, place) > 1)

    locks.release(lease)

    assert eventually(lambda: not beating())
    assert locks.acquire("prod", "anna", 15).token == 2


def test_the_heart_finds_out_that_the_lock_was_lost(make: Make, clock: LoopbackTime, azure: Loopback) -> None:
    """The process slept; somebody else has it; whoever writes under it is refused without another call."""
    locks = make(beat=0.3)
    lease = locks.acquire("prod", "anna", 15)
    clock.sleep(16)
    make().acquire("prod", "bert", 60)
    clock.at -= timedelta(seconds=16)  # as on a machine whose clocks stood still meanwhile

    assert eventually(lambda: _refused(locks, lease))
    mark = azure.mark()
    with pytest.raises(Conflict, match="bert has it now"):
        locks.verify(lease)
    assert azure.calls(since=mark, host=BLOBS) == []


def _refused(locks: Locks, lease: Lease) -> bool:
    try:
        locks.verify(lease)
    except Conflict:
        return True
    return False


def test_a_renewal_that_fails_once_is_tried_again(make: Make, place: Place, azure: Loopback) -> None:
    """A hiccup of the network loses no lock."""
    azure.fault("answer", host=BLOBS, method="PUT", path=LEASES, nth=3, status=503)
    locks = make(beat=0.01)
    lease = locks.acquire("prod", "anna", 15)

    assert eventually(lambda: renewals(azure, place) > 1)
    locks.renew(lease)


def test_a_lock_that_ran_out_is_renewed_where_nobody_took_it(locks: Locks, clock: LoopbackTime) -> None:
    """Late, and no harm done."""
    lease = locks.acquire("prod", "anna", 60)
    clock.sleep(300)

    assert locks.renew(lease).expires > lease.expires
    locks.verify(lease)


def test_a_lock_is_verified_without_a_call_while_it_is_known_to_be_ours(locks: Locks, azure: Loopback) -> None:
    """An append under it costs no more than one without."""
    lease = locks.acquire("prod", "anna", 60)
    mark = azure.mark()

    locks.verify(lease)

    assert azure.calls(since=mark, host=BLOBS) == []


def test_a_lock_given_back_is_not_ours_to_write_under(locks: Locks) -> None:
    """Nor to renew; giving it back again does nothing."""
    lease = locks.acquire("prod", "anna", 60)
    locks.release(lease)
    locks.release(lease)

    with pytest.raises(Conflict, match="given back"):
        locks.verify(lease)
    with pytest.raises(Conflict, match="given back"):
        locks.renew(lease)


def command(place: Place, *words: str) -> list[str]:
    """A process of its own that takes the lock `prod`."""
    a = place.address
    return [sys.executable, str(HOLDER), a.subscription_id, a.resource_group, a.workspace, *words]


def surroundings() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_lock_of_a_killed_process_frees_itself_within_a_minute(
    workspace: AzureWorkspace, place: Place, clock: LoopbackTime, locks: Locks
) -> None:
    """SIGKILL: no goodbye, no heart. Until then it is held, and its holder named."""
    with subprocess.Popen(command(place), stdout=subprocess.PIPE, text=True, env=surroundings()) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "held\n"
        runner.send_signal(signal.SIGKILL)

    with pytest.raises(Conflict, match="the runner"):
        locks.acquire("prod", "bert", 60)
    clock.sleep(60)
    assert locks.acquire("prod", "bert", 60).token == 2


def test_a_held_lock_does_not_keep_the_process(workspace: AzureWorkspace, place: Place) -> None:
    """It ends when its work is done, though nobody gave the lock back."""
    ended = subprocess.run(
        command(place, "leave"), capture_output=True, text=True, timeout=30, check=False, env=surroundings()
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "held\n", "")
