"""How long a stage's promotion takes at least, and a rollback at most: what settings and limits add up to."""

from __future__ import annotations

from dataclasses import dataclass

from ctrain.rollout.splits import at_share
from ctrain.rollout.stage import Stage

RECOVER_SECONDS = 60.0
"""How long one that has live traffic, or is to take it back, may not be healthy: a probe that was missed is no end."""

RESTORE_SECONDS = 300.0
"""For so long ctrain tries anew to give the traffic back, where the platform does not do it; then it calls a person."""


@dataclass(frozen=True)
class Part:
    """One of the times that a figure is made of, in seconds."""

    what: str
    seconds: float


@dataclass(frozen=True)
class Times:
    """Seconds. `at_least` is what a promotion waits for whatever happens, pauses for a person (at these shares) aside.

    `at_most` is from the moment at which a version is given up until the traffic is back, or a person is called
    (exit code 7). How soon a bad version is found out depends on how bad it is, and is not in it.
    """

    at_least: float
    promotion: tuple[Part, ...]
    pauses: tuple[int, ...]
    at_most: float
    rollback: tuple[Part, ...]


def times_of(stage: Stage, *, serving: bool, route_seconds: float) -> Times:
    """Of that stage; `serving` says whether anything serves it yet: a first version is not watched.

    `route_seconds` is how long the platform may take over one change of weights.
    """
    settings, load = stage.rollout, stage.smoke.load
    promotion = [Part("load by the smoke tests", load.seconds)] if load is not None else []
    promotion += [Part(f"watched {at_share(share)}", bake) for share, bake in settings.bakes.items() if serving]
    rollback = [
        Part("until what served before is healthy, if it is not at that moment", RECOVER_SECONDS),
        Part("asking the platform again, if it fails", RESTORE_SECONDS),
        Part("one change of weights, as long as the platform may take", route_seconds),
    ]
    return Times(
        sum(part.seconds for part in promotion),
        tuple(promotion),
        tuple(sorted(settings.pauses)) if serving else (),
        sum(part.seconds for part in rollback),
        tuple(rollback),
    )
