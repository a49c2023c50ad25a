"""How live traffic moves to a new version: the strategy of a stage, as it is configured."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from ctrain.bake import BakeSettings

Strategy = Literal["direct", "blue_green", "canary"]


@dataclass(frozen=True)
class Step:
    """One share of the live traffic on the way of a canary.

    It is watched for `bake`, left out: for as long as the rollout's `bake` says. With `pause` the rollout then stops
    there until a person lets it go on.
    """

    traffic: int
    bake: str | None = None
    pause: bool = False

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose


@dataclass(frozen=True)
class RolloutSettings:
    """How live traffic moves to a version whose smoke tests have passed.

    `direct` gives it all of it; `blue_green` as well, and watches it for `bake` before it is promoted; `canary` goes by
    `steps`, percentages that grow up to 100, and watches each of them for `bake`. `mirror` percent of the live requests
    are copied to it before that, for as long, and its answers are dropped. What is watched is judged by `judge`.
    What served before the last promotion stays for a rollback; what served before that, for `keep` after it was
    taken off.
    """

    strategy: Strategy = "direct"
    steps: tuple[int | Step, ...] = (10, 50, 100)
    bake: str = "0s"
    mirror: int = 0
    keep: str = "0s"
    judge: BakeSettings = field(default_factory=BakeSettings)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose

    @property
    def way(self) -> tuple[Step, ...]:
        """The steps to all of the traffic, a plain number as a step of its own."""
        if self.strategy != "canary":
            return (Step(100),)
        return tuple(step if isinstance(step, Step) else Step(step) for step in self.steps)

    @property
    def shares(self) -> tuple[int, ...]:
        """The percentages that the new version gets, in order; the last one is 100."""
        return tuple(step.traffic for step in self.way)

    @property
    def pauses(self) -> frozenset[int]:
        """The shares at which it stops until a person lets it go on."""
        return frozenset(step.traffic for step in self.way if step.pause)

    def bake_at(self, share: int) -> float:
        """How many seconds a version is watched at that share (0: mirrored); 0 where it is not."""
        if self.strategy == "direct" or (share == 0 and not self.mirror):
            return 0.0
        own = next((step.bake for step in self.way if step.traffic == share), None)
        return seconds_of(own if own is not None else self.bake)

    @property
    def bakes(self) -> dict[int, float]:
        """For each share at which a version is watched on its way (0: mirrored), for how many seconds."""
        told = {share: self.bake_at(share) for share in (0, *self.shares)}
        return {share: seconds for share, seconds in told.items() if seconds > 0}

    @property
    def watches(self) -> int:
        """How often a version is watched on its way, mirrored traffic included."""
        return len(self.bakes)

    @property
    def at_least(self) -> float:
        """Seconds that a promotion takes, whatever else it takes."""
        return sum(self.bakes.values())

    @property
    def keep_seconds(self) -> float:
        """How long a deployment stays after it was taken off, in seconds."""
        return seconds_of(self.keep)


_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh])", re.ASCII)


def seconds_of(duration: str) -> float:
    """Of `90s`, `5m`, `1.5h` or `5h30m`. Raises ValueError for anything else."""
    if not duration or _DURATION.sub("", duration):
        raise ValueError(f"{duration!r} is no duration: write a number and s, m or h, such as 5m")
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in _DURATION.findall(duration))
