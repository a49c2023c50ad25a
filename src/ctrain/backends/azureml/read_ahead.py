"""Reads in threads what will be asked for next: a history of a hundred releases is not a hundred waits in a row.

As an operating system does with a file: who asks for one thing after another in the order expected gets the next ones
read ahead, two, then four, then eight at a time; who picks a few gets nothing that was not asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

WIDTH: Final = 8
"""Reads under way at once, at most."""

Read = TypeVar("Read")


class ReadAhead(Generic[Read]):
    """Each thing read ahead was read after `expect` named it, and is given out once."""

    def __init__(self, read: Callable[[str], Read]) -> None:
        self._read = read
        self._order: dict[str, int] = {}
        self._names: Sequence[str] = ()
        self._coming: dict[str, Future[Read]] = {}
        self._next = -1
        self._window = 1
        self._wanted: SimpleQueue[tuple[str, Future[Read]]] = SimpleQueue()
        self._readers: list[threading.Thread] = []

    def expect(self, names: Sequence[str]) -> None:
        """What may be asked for, in this order, from now on. What was read ahead so far is dropped."""
        self._names, self._order = names, {name: place for place, name in enumerate(names)}
        self._coming, self._next, self._window = {}, -1, 1

    def drop(self, name: str) -> None:
        """It has changed: what was read of it does not count."""
        self._coming.pop(name, None)

    def take(self, name: str) -> Read:
        """What is there; raises what reading it raised."""
        place = self._order.get(name, -2)
        self._window = min(WIDTH, self._window * 2) if place == self._next else 1
        self._next = place + 1
        coming = self._coming.pop(name, None)
        if self._window > 1:
            for ahead in self._names[place + 1 : place + 1 + self._window]:
                if ahead not in self._coming:
                    self._coming[ahead] = self._started(ahead)
        return coming.result() if coming is not None else self._read(name)

    def _started(self, name: str) -> Future[Read]:
        future: Future[Read] = Future()
        self._wanted.put((name, future))
        if len(self._readers) < WIDTH:
            # Daemons: what nobody waits for must not keep the process. They stay, as a connection is a thread's own.
            self._readers.append(threading.Thread(target=self._work, name="ctrain-read", daemon=True))
            self._readers[-1].start()
        return future

    def _work(self) -> None:
        while True:
            name, future = self._wanted.get()
            try:
                future.set_result(self._read(name))
            except BaseException as failure:  # noqa: BLE001  it is raised where it is asked for
                future.set_exception(failure)
