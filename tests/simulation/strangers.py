"""Edits of an endpoint past ctrain, as somebody makes them in the portal."""

from __future__ import annotations

import random
from dataclasses import replace

from ctrain.serving import Endpoint
from tests.simulation.checker import Checker
from tests.simulation.schedule import Meddling, Stranger
from tests.simulation.world import World


def meddle(stranger: Stranger, world: World, checker: Checker) -> str | None:
    """What was done, if there was anything to do it to."""
    stage = next(stage for stage in world.schedule.stages if stage.name == stranger.stage)
    rng = random.Random(f"{world.schedule.seed} {stranger}")  # noqa: S311  chance, not secrecy
    world.serving.settle(stage.endpoint)
    seen = world.serving.endpoints.get(stage.endpoint)
    made = _made(stranger.what, seen, rng) if seen is not None else None
    if made is None or made == seen:
        return None
    world.serving.endpoints[stage.endpoint] = made
    checker.meddled("a stranger", stage)
    return f"traffic {dict(made.traffic)} of {list(made.deployments)}"


def _made(what: Meddling, seen: Endpoint, rng: random.Random) -> Endpoint | None:
    well = sorted(name for name, one in seen.deployments.items() if one.healthy)
    idle = [name for name in sorted(seen.deployments) if not seen.traffic.get(name, 0)]
    match what:
        case Meddling.SPLIT if len(well) > 1:
            one, other = rng.sample(well, 2)
            share = rng.choice((20, 50, 100))
            return replace(seen, traffic=dict.fromkeys(seen.traffic, 0) | {one: share, other: 100 - share})
        case Meddling.MIRROR if [name for name in idle if name in well]:
            return replace(seen, mirror={rng.choice([name for name in idle if name in well]): 20})
        case Meddling.REMOVE if idle:
            gone = rng.choice(idle)
            return replace(
                seen,
                traffic={name: percent for name, percent in seen.traffic.items() if name != gone},
                mirror={name: percent for name, percent in seen.mirror.items() if name != gone},
                deployments={name: one for name, one in seen.deployments.items() if name != gone},
            )
    return None
