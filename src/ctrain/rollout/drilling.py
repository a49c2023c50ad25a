"""A drill: a rollback that is rehearsed, and what its answers say of how long the way back takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ctrain.serving import Traffic

PREFIX = "drill-"
"""What the names of a drill's deployments begin with: whoever finds one knows what it is."""

IN_A_ROW = 20
"""So many good answers from the one that served before, one after another, end a drill: the traffic is back."""


@dataclass(frozen=True)
class Drilling:
    """A rollback is about to be rehearsed with this deployment; `before` is the split that it goes back to."""

    stage: str
    deployment: str
    before: Traffic
    kind: Literal["drilling"] = "drilling"


@dataclass(frozen=True)
class Drilled:
    """The rehearsal came to its end, and the stage serves as before. Times are in seconds from the decision."""

    stage: str
    deployment: str
    first: float
    settled: float
    asked: int
    failed: int
    kind: Literal["drilled"] = "drilled"


@dataclass(frozen=True)
class Heard:
    """One answer through the endpoint: when it came, in seconds from the decision, from whom, and if it was good."""

    at: float
    by: str | None
    good: bool


@dataclass(frozen=True)
class WayBack:
    """What the answers say: when the first good one came, and from when on all came from who served before.

    Both are None where that has not been yet.
    """

    first: float | None
    settled: float | None
    asked: int
    failed: int


def way_back(heard: Sequence[Heard], before: Mapping[str, int]) -> WayBack:
    """Of answers in the order in which they came. One whose sender is not told counts for nobody."""
    first = next((one.at for one in heard if one.good and one.by in before), None)
    tail: list[Heard] = []
    for one in reversed(heard):
        if not one.good or one.by not in before:
            break
        tail.append(one)
    settled = tail[-1].at if len(tail) >= IN_A_ROW else None
    return WayBack(first, settled, len(heard), sum(not one.good for one in heard))
