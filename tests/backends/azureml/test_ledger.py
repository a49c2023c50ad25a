"""The ledger on Azure: calls counted, answers lost, writers raced; over the loopback Azure and its Azurite."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from ctrain.backends.azureml.blobs import listed, read
from ctrain.backends.azureml.bodies import section
from ctrain.backends.azureml.ledger import AzureLedger
from ctrain.backends.azureml.workspace import WORKSPACES, AzureSession, AzureWorkspace
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.events import Closed, Event
from ctrain.release import Ending
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import LoopbackTime

BLOBS = r".*\.blob\..*"


def an_event(release: str = "r-1", why: str = "because") -> Event:
    return Event(release, datetime(2026, 1, 1, tzinfo=UTC), "a test", Closed(Ending.DELIVERED, why))


def whys(ledger: AzureLedger, release: str = "r-1") -> list[str]:
    return [event.what.why for event in ledger.events(release) if isinstance(event.what, Closed)]


def calls(azure: Loopback, mark: int) -> list[tuple[str, int]]:
    """Method and status of the calls to blobs since the mark."""
    return [(call["method"], call["status"]) for call in azure.calls(since=mark, host=BLOBS)]


@pytest.fixture
def clock(azure: Loopback) -> LoopbackTime:
    return LoopbackTime(azure=azure)


@pytest.fixture
def workspace(place: Place, session: AzureSession, clock: LoopbackTime) -> AzureWorkspace:
    session.clock = clock
    return AzureWorkspace(place.address, session)


Make = Callable[..., AzureLedger]


@pytest.fixture
def make(workspace: AzureWorkspace) -> Iterator[Make]:
    """The ledger as one process has it; locks are given back in the end."""
    made: list[AzureLedger] = []

    def make(project: str = "visits") -> AzureLedger:
        made.append(AzureLedger(workspace, project))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


@pytest.fixture
def ledger(make: Make) -> AzureLedger:
    return make()


def test_a_new_release_costs_two_calls_and_every_further_event_one(ledger: AzureLedger, azure: Loopback) -> None:
    """The blob is made, then appended to at the position that is known."""
    ledger.releases()
    before = azure.mark()
    ledger.append(an_event())
    after = azure.mark()
    ledger.append(an_event())

    assert calls(azure, before) == [("PUT", 201)] * 3
    assert calls(azure, after) == [("PUT", 201)]


def test_events_that_did_not_change_are_not_sent_again(ledger: AzureLedger, azure: Loopback) -> None:
    """One call, with the ETag of what is known."""
    ledger.append(an_event())
    assert whys(ledger) == ["because"]
    mark = azure.mark()

    assert whys(ledger) == ["because"]
    assert calls(azure, mark) == [("GET", 304)]


def test_another_process_sees_what_was_appended_since(make: Make, ledger: AzureLedger) -> None:
    """What is known is asked about every time."""
    other = make()
    ledger.append(an_event(why="one"))
    assert whys(other) == ["one"]

    ledger.append(an_event(why="two"))

    assert whys(other) == ["one", "two"]


def test_an_append_whose_answer_was_lost_is_there_once(ledger: AzureLedger, azure: Loopback) -> None:
    """The storage client sends it again, at a position that is taken; by what, is looked at."""
    ledger.append(an_event(why="one"))
    azure.fault("answer after", method="PUT", host=BLOBS, path=r".*comp=appendblock.*", status=412)

    ledger.append(an_event(why="two"))
    ledger.append(an_event(why="three"))

    assert whys(ledger) == ["one", "two", "three"]


def test_writers_of_one_release_lose_and_mix_nothing(make: Make) -> None:
    """Four at once, each with a ledger of its own: every line is there, each writer's in order."""
    ledgers = [make() for _ in range(4)]

    def write(number: int) -> None:
        for count in range(5):
            ledgers[number].append(an_event(why=f"{number} {count}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = whys(make())
    assert len(found) == 20
    assert all([why for why in found if why[0] == str(n)] == [f"{n} {c}" for c in range(5)] for n in range(4))


def test_a_holder_who_slept_is_refused_where_the_next_one_has_written(
    make: Make, clock: LoopbackTime, azure: Loopback
) -> None:
    """Though it still believes in its lease: its clock stood still meanwhile."""
    asleep, awake = make(), make()
    asleep.append(an_event(why="one"))
    late = asleep.acquire("prod", "anna", 60)
    azure.advance(61)
    lease = awake.acquire("prod", "bert", 60)
    awake.append(an_event(why="two"), lease)

    with pytest.raises(Conflict, match="bert has it now"):
        asleep.append(an_event(why="stale"), late)
    assert whys(awake) == ["one", "two"]


def test_a_line_of_a_holder_who_had_been_superseded_is_not_read(make: Make, workspace: AzureWorkspace) -> None:
    """Whoever wrote it: the token of its lock had been passed when it came."""
    writer = make()
    first = writer.acquire("prod", "anna", 60)
    writer.release(first)
    second = writer.acquire("prod", "bert", 60)
    writer.append(an_event(why="one"), second)
    blob = workspace.blobs.get_blob_client("ctrain/visits/releases/r-1.jsonl")
    line = blob.download_blob().readall().replace(b'"token": 2', b'"token": 1')
    blob.append_block(line)
    writer.append(an_event(why="two"), second)

    assert whys(make()) == ["one", "two"]


def test_releases_come_in_one_call_in_the_order_they_were_opened(ledger: AzureLedger, azure: Loopback) -> None:
    """Also those of one second, which the service's clock does not tell apart."""
    names = [f"r-{number}" for number in (3, 1, 4, 2)]
    for name in names:
        ledger.append(an_event(name))
    mark = azure.mark()

    assert list(ledger.releases()) == names
    assert calls(azure, mark) == [("GET", 200)]


def test_a_release_that_was_opened_and_never_written_is_none(ledger: AzureLedger, workspace: AzureWorkspace) -> None:
    """Killed between the two calls: the blob is there and empty, and takes the event of the next run."""
    workspace.blobs.get_blob_client("ctrain/visits/releases/r-1.jsonl").create_append_blob()
    assert list(ledger.releases()) == []
    assert list(ledger.events("r-1")) == []

    ledger.append(an_event())

    assert list(ledger.releases()) == ["r-1"]


def test_a_history_is_read_ahead(ledger: AzureLedger, make: Make, azure: Loopback) -> None:
    """Newest first, each once; what was read ahead is from after the listing."""
    for number in range(12):
        ledger.append(an_event(f"r-{number}", str(number)))
    reader = make()
    mark = azure.mark()

    found = [whys(reader, name) for name in reversed(reader.releases())]

    assert found == [[str(number)] for number in reversed(range(12))]
    assert calls(azure, mark) == [("GET", 200)] + [("GET", 206)] * 12


def test_what_was_read_ahead_is_dropped_when_we_write(ledger: AzureLedger) -> None:
    """An event of ours is never missing from what we read."""
    for number in range(4):
        ledger.append(an_event(f"r-{number}", "old"))
    names = list(reversed(ledger.releases()))
    for name in names[:2]:
        ledger.events(name)

    ledger.append(an_event(names[2], "new"))

    assert whys(ledger, names[2]) == ["old", "new"]


def test_projects_do_not_see_each_others_releases(make: Make, workspace: AzureWorkspace) -> None:
    """Two of them may share a workspace, and a name may hold anything."""
    one, other = make(), make("../visits")
    one.append(an_event("r-1"))
    other.append(an_event("../r-1/ü?"))
    other.keep("..", ".", b"odd")

    assert (list(one.releases()), list(other.releases())) == (["r-1"], ["../r-1/ü?"])
    assert list(one.events("../../other")) == []
    assert (other.evidence("..", "."), one.evidence("..", ".")) == (b"odd", None)
    assert all(blob.name.startswith("ctrain/") for blob in listed(workspace.blobs, ""))


def test_evidence_costs_one_call_to_keep_and_one_to_read(ledger: AzureLedger, azure: Loopback) -> None:
    """Replaced as a whole."""
    ledger.keep("r-1", "rows", b"old")
    mark = azure.mark()
    ledger.keep("r-1", "rows", b"new")

    assert ledger.evidence("r-1", "rows") == b"new"
    assert calls(azure, mark) == [("PUT", 201), ("GET", 206)]


@pytest.mark.parametrize("rest", [b'{"release": "r-1", "at"', b"\x00\xff\n", b"7\n"])
def test_a_damaged_record_is_told_with_its_blob_and_line(
    ledger: AzureLedger, workspace: AzureWorkspace, rest: bytes
) -> None:
    """Another version of ctrain would be no way out; the blob's history may be one."""
    ledger.append(an_event())
    workspace.blobs.get_blob_client("ctrain/visits/releases/r-1.jsonl").append_block(rest)

    with pytest.raises(PlatformUnavailable, match="record of r-1 is damaged") as told:
        AzureLedger(workspace, "visits").events("r-1")
    assert "line 2 of the blob releases/r-1.jsonl" in told.value.why


def test_a_record_that_cannot_be_read_is_named(ledger: AzureLedger, workspace: AzureWorkspace) -> None:
    """Somebody else's, or a later version's."""
    ledger.append(an_event())
    workspace.blobs.get_blob_client("ctrain/visits/releases/r-1.jsonl").append_block(b'{"what": 1}\n')

    with pytest.raises(PlatformUnavailable, match="cannot be read"):
        ledger.events("r-1")


def test_a_blob_that_is_not_there_reads_as_nothing(workspace: AzureWorkspace) -> None:
    """Absence is no error."""
    assert read(workspace.blobs, "ctrain/none") is None


def test_a_404_that_is_not_storages_own_is_no_absence(ledger: AzureLedger, azure: Loopback) -> None:
    """A proxy's, or one of a bad moment: what it hid would be recorded a second time."""
    ledger.append(an_event())
    ledger.keep("r-1", "golden.json", b"{}")
    asks: list[Callable[[], object]] = [
        ledger.releases,
        lambda: ledger.events("r-1"),
        lambda: ledger.evidence("r-1", "golden.json"),
    ]
    for ask in asks:
        azure.fault("answer", host=BLOBS, method="GET", status=404, headers={"x-ms-error-code": "ResourceNotFound"})
        with pytest.raises(PlatformUnavailable, match="could not"):
            ask()
        ask()


def test_a_release_that_is_listed_is_not_taken_for_none(ledger: AzureLedger, azure: Loopback) -> None:
    """Not even where storage itself says so: it would be opened again."""
    ledger.append(an_event())
    ledger.releases()
    path = r".*/releases/r-1\.jsonl.*"
    azure.fault(
        "answer",
        host=BLOBS,
        method="GET",
        path=path,
        times=None,
        status=404,
        headers={"x-ms-error-code": "BlobNotFound"},
    )

    with pytest.raises(PlatformUnavailable, match="could not be read"):
        ledger.events("r-1")


def test_a_hiccup_of_storage_is_waited_out_on_our_clock(
    ledger: AzureLedger, azure: Loopback, clock: LoopbackTime
) -> None:
    """Also where a body is sent: nothing is lost, and nothing is written twice."""
    ledger.append(an_event(why="one"))
    azure.fault("answer", host=BLOBS, method="PUT", status=503, times=3)
    azure.fault("reset after", host=BLOBS, method="PUT", path=r".*comp=appendblock.*")
    before = clock.monotonic()

    ledger.append(an_event(why="two"))
    ledger.keep("r-1", "rows", b"rows")

    assert whys(ledger) == ["one", "two"]
    assert ledger.evidence("r-1", "rows") == b"rows"
    assert clock.monotonic() - before > 1


def test_a_store_that_is_opened_by_sign_in_serves_as_well(
    make: Make, workspace: AzureWorkspace, clock: LoopbackTime
) -> None:
    """Identity-based access: leases, appends and reads with Entra's tokens, also when they have run out meanwhile."""
    shown = section(workspace.arm.get("datastores/workspaceblobstore", WORKSPACES), "properties")
    found = {key: value for key, value in shown.items() if key != "isDefault"}
    workspace.arm.put(
        "datastores/workspaceblobstore",
        WORKSPACES,
        {"properties": {**found, "credentials": {"credentialsType": "None"}}},
    )
    assert workspace.store.credentials == "None"
    ledger = make()
    lease = ledger.acquire("prod", "anna", 60)
    ledger.append(an_event(why="one"), lease)
    clock.sleep(5000)
    ledger.append(an_event(why="two"), lease)

    assert whys(make()) == ["one", "two"]
