"""Several threads of which exactly one moves: time is virtual, and passes only as they all wait."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class Runaway(BaseException):
    """Somebody goes on for ever."""


@dataclass
class Actor:
    """Somebody who acts, in a thread of its own; it moves while it has been woken, and until it pauses."""

    name: str
    act: Callable[[], None]
    woken: threading.Lock = field(default_factory=threading.Lock)
    begun: bool = False

    def __post_init__(self) -> None:
        self.woken.acquire()


class Baton:
    """Whoever is to wake first moves next; among those of one moment, who asked first."""

    def __init__(self, *, pauses: int = 60_000) -> None:
        self.now = 0.0
        self.pauses = 0
        self.handed = 0
        self._most = pauses
        self._waiting: list[tuple[float, int, Actor]] = []
        self._asked = 0
        self._current: Actor | None = None
        self._over = threading.Lock()
        self._broken: BaseException | None = None

    def enter(self, name: str, act: Callable[[], None], *, after: float = 0.0) -> None:
        """Somebody will begin to act, so many seconds from now."""
        self._queue(Actor(name, act), self.now + after)

    def run(self) -> None:
        """Until all have ended. Raises what an actor raised and did not mean to."""
        if not self._waiting:
            return
        self._over.acquire()
        self._hand_on()
        self._over.acquire()
        self._over.release()
        self._current = None
        if self._broken is not None:
            raise self._broken

    def pause(self, seconds: float) -> None:
        """Let so much time pass for whoever calls, in which others move."""
        self.pauses += 1
        if self.pauses > self._most:
            raise Runaway
        me, wakes = self._current, self.now + seconds
        if me is None or not self._waiting or wakes < self._waiting[0][0]:
            self.now = wakes
            return
        self._queue(me, wakes)
        self.handed += 1
        self._hand_on()
        me.woken.acquire()

    def _queue(self, actor: Actor, wakes: float) -> None:
        self._asked += 1
        heapq.heappush(self._waiting, (wakes, self._asked, actor))

    def _hand_on(self) -> None:
        wakes, _, actor = heapq.heappop(self._waiting)
        self.now = max(self.now, wakes)
        self._current = actor
        if actor.begun:
            actor.woken.release()
        else:
            actor.begun = True
            threading.Thread(target=self._live, args=(actor,), name=actor.name, daemon=True).start()

    def _live(self, actor: Actor) -> None:
        try:
            actor.act()
        except BaseException as failure:  # noqa: BLE001  it is raised where all of them are waited for
            self._broken = self._broken or failure
        if self._waiting:
            self._hand_on()
        else:
            self._over.release()
