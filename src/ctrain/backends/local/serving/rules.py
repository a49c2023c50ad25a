"""Which wish may follow which: pure, so that every rule can be tested without a process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import accumulate

from ctrain.backends.local.serving.wish import Placement, Wish
from ctrain.errors import Conflict
from ctrain.serving import DeploymentState, Traffic

MIRROR_LIMIT = 50
"""Percent. Source: "Safe rollout of online endpoints", Microsoft Learn, on mirrored traffic."""


def placing(wish: Wish, placement: Placement) -> Wish | None:
    """The wish with that deployment in it, or None where it is there already; a failed one is tried again."""
    name = placement.spec.name
    there = wish.deployments.get(name)
    if there is not None and there.spec != placement.spec:
        raise Conflict(
            f"the deployment {name} of {wish.name} is a different one",
            why="a deployment of that name was placed with other settings",
            hint="remove it first, or place this one under another name",
        )
    if there is not None and there.state is not DeploymentState.FAILED:
        return None
    return replace(wish, deployments={**wish.deployments, name: placement})


def routing(wish: Wish, traffic: Traffic, healthy: Collection[str]) -> Wish:
    """The wish with these shares set; those not named keep theirs.

    Raises Conflict where a name is unknown, an unhealthy deployment would get traffic, or the shares sum to neither
    100 nor 0 (a first release that is rolled back leaves nothing that serves). A deployment that gets live traffic
    is mirrored no more.
    """
    for name, share in traffic.items():
        if name not in wish.deployments:
            raise Conflict(
                f"{name} cannot get traffic",
                why=f"{wish.name} has no deployment of that name",
                hint=f"place it first; there are {_listed(wish.deployments)}",
            )
        if share and name not in healthy:
            raise Conflict(
                f"{name} cannot get traffic",
                why="it is not healthy, and its callers would get errors",
                hint="wait until it is ready, or read its log",
            )
    merged = {name: share for name, share in {**wish.traffic, **traffic}.items() if share}
    total = sum(merged.values())
    if total not in (0, 100) or any(not 0 < share <= 100 for share in merged.values()):
        shares = ", ".join(f"{name} {share}%" for name, share in merged.items()) or "nothing"
        raise Conflict(
            f"the traffic of {wish.name} cannot be split like that",
            why=f"the shares must sum to 100, or to 0, and would be {shares}",
            hint="name every deployment whose share changes",
        )
    return replace(
        wish, traffic=merged, mirror={name: share for name, share in wish.mirror.items() if name not in merged}
    )


def mirroring(wish: Wish, mirror: Traffic) -> Wish:
    """The wish with this mirror, which replaces the one before; an empty one ends mirroring.

    Raises Conflict where Azure would refuse: more than one deployment, over 50%, or one that carries live traffic.
    """
    wanted = {name: share for name, share in mirror.items() if share}
    problem = None
    if len(wanted) > 1:
        problem = "only one deployment can be mirrored to"
    elif any(name not in wish.deployments for name in wanted):
        problem = f"{wish.name} has no deployment of that name; there are {_listed(wish.deployments)}"
    elif any(not 0 < share <= MIRROR_LIMIT for share in wanted.values()):
        problem = f"at most {MIRROR_LIMIT}% can be mirrored"
    elif any(wish.traffic.get(name) for name in wanted):
        problem = "it carries live traffic already"
    if problem:
        raise Conflict(
            f"the traffic of {wish.name} cannot be mirrored to {_listed(wanted)}",
            why=problem,
            hint=f"mirror up to {MIRROR_LIMIT}% to one deployment that is at 0%",
        )
    return replace(wish, mirror=wanted)


def removing(wish: Wish, name: str) -> Wish | None:
    """The wish without that deployment, or None where it is absent. Raises Conflict where it carries traffic."""
    if name not in wish.deployments:
        return None
    if wish.traffic.get(name):
        raise Conflict(
            f"{name} of {wish.name} cannot be removed",
            why=f"it carries {wish.traffic[name]}% of the traffic",
            hint="route its traffic to another deployment first",
        )
    return replace(
        wish,
        deployments={other: placed for other, placed in wish.deployments.items() if other != name},
        mirror={other: share for other, share in wish.mirror.items() if other != name},
    )


def choose(traffic: Traffic, point: float) -> str | None:
    """The deployment whose share of the line from 0 to 1 holds that point; None where nobody has a share."""
    names = [name for name, share in traffic.items() if share > 0]
    ends = list(accumulate(traffic[name] for name in names))
    for name, end in zip(names, ends, strict=True):
        if point * ends[-1] < end:
            return name
    return names[-1] if names else None


def _listed(deployments: Mapping[str, object]) -> str:
    return ", ".join(sorted(deployments)) or "none"
