"""The order in which steps can run."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence


def runnable(after: Mapping[str, frozenset[str]]) -> list[str]:
    """The names so that each comes after all that it waits for; where free, as they were written.

    Names on a cycle, and those that wait for one, are left out: see `cycle`.
    """
    place = {name: number for number, name in enumerate(after)}
    waiting = {name: len(needed) for name, needed in after.items()}
    next_to: dict[str, list[str]] = {name: [] for name in after}
    for name, needed in after.items():
        for one in needed:
            next_to[one].append(name)
    ready = [place[name] for name, count in waiting.items() if not count]
    names, ordered = list(after), []
    while ready:
        name = names[heapq.heappop(ready)]
        ordered.append(name)
        for other in next_to[name]:
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, place[other])
    return ordered


def cycle(after: Mapping[str, frozenset[str]], left: Sequence[str]) -> list[str]:
    """One cycle among the names that could not be ordered: each waits for the next, and the last is the first."""
    among = set(left)
    path = [left[0]]
    while True:
        name = min(after[path[-1]] & among, key=left.index)
        if name in path:
            return [*path[path.index(name) :], name]
        path.append(name)
