"""Reading ahead: what is read, when, and that nothing stale is given out."""

from __future__ import annotations

import threading

import pytest

from ctrain.backends.azureml.read_ahead import WIDTH, ReadAhead


class Slow:
    """Reads that are counted, and last until as many as `together` are under way at once."""

    def __init__(self, together: int = 1) -> None:
        self.read: list[str] = []
        self.barrier = threading.Barrier(together)

    def __call__(self, name: str) -> str:
        self.read.append(name)
        self.barrier.wait(5)
        return f"{name} {self.read.count(name)}"


def test_who_reads_one_by_one_has_the_next_ones_read_at_once() -> None:
    """Two at a time, then four, then eight; each is read once and given out in its place."""
    names = [str(number) for number in range(30)]
    reads = Slow()
    ahead = ReadAhead(reads)
    ahead.expect(names)

    assert [ahead.take(name) for name in names] == [f"{name} 1" for name in names]
    assert sorted(reads.read, key=int) == names


def test_reads_are_under_way_together() -> None:
    """Each of these waits for another one."""
    reads = Slow(together=2)
    ahead = ReadAhead(reads)
    ahead.expect("abcd")
    ahead._window, ahead._next = 2, 0

    assert [ahead.take(name) for name in "abcd"] == ["a 1", "b 1", "c 1", "d 1"]


def test_who_picks_a_few_has_nothing_read_that_was_not_asked_for() -> None:
    """The releases of one commit among many."""
    reads = Slow()
    ahead = ReadAhead(reads)
    ahead.expect("abcdef")

    assert [ahead.take(name) for name in "acez"] == ["a 1", "c 1", "e 1", "z 1"]
    assert reads.read == list("acez")


def test_what_was_read_is_given_out_once_and_dropped_when_it_changes() -> None:
    """A second question is asked again."""
    ahead = ReadAhead(Slow())
    ahead.expect("abcd")
    assert [ahead.take(name) for name in "ab"] == ["a 1", "b 1"]
    ahead.drop("c")

    assert ahead.take("c").startswith("c")
    assert ahead.take("d") == "d 1"
    assert ahead.take("d") == "d 2"


def test_a_new_listing_drops_what_was_read_before_it() -> None:
    """What is given out is from after the listing."""
    reads = Slow()
    ahead = ReadAhead(reads)
    ahead.expect("abcd")
    assert [ahead.take(name) for name in "abc"] == ["a 1", "b 1", "c 1"]
    ahead.expect("abcd")

    assert ahead.take("d").startswith("d")
    assert not ahead._coming


def test_what_reading_raises_is_raised_where_it_is_asked_for() -> None:
    """Not in a thread that nobody looks at."""

    def read(name: str) -> str:
        if name == "c":
            raise LookupError(name)
        return name

    ahead = ReadAhead(read)
    ahead.expect("abcd")
    assert [ahead.take(name) for name in "ab"] == ["a", "b"]

    with pytest.raises(LookupError):
        ahead.take("c")
    assert ahead.take("d") == "d"


def test_so_many_threads_and_no_more() -> None:
    """However long the history is."""
    before = threading.active_count()
    ahead = ReadAhead(str)
    ahead.expect([str(number) for number in range(200)])
    for number in range(200):
        ahead.take(str(number))

    assert threading.active_count() <= before + WIDTH
