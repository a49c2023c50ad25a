"""Which deployments of an endpoint nobody needs any more, and why the others stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ctrain.rollout.drilling import PREFIX
from ctrain.rollout.splits import live
from ctrain.serving import Deployment, DeploymentState, Endpoint


@dataclass(frozen=True)
class Past:
    """What the ledger knows of one deployment of a stage: who placed it last, and what became of it.

    `needed`: a rollout that is under way goes to it, or must be able to go back to it. `given_up` says why it was,
    where that was the last of it; `taken_off` when another one took its place.
    """

    release: str
    needed: bool = False
    given_up: str | None = None
    served: bool = False
    taken_off: datetime | None = None


@dataclass(frozen=True)
class Leftover:
    """One deployment: whether it goes, and why it goes or stays. `release` is who placed it, where that is known."""

    deployment: str
    goes: bool
    why: str
    release: str | None = None


def leftovers(
    endpoint: Endpoint, past: Mapping[str, Past], back_to: Collection[str], keep: float, now: datetime
) -> tuple[Leftover, ...]:
    """Every deployment of the endpoint, by name. `back_to` are those that a rollback gives the traffic to."""
    found = []
    for name, one in sorted(endpoint.deployments.items()):
        known = past.get(name)
        if name.startswith(PREFIX) and not one.leaving:
            goes, why = True, "a drill that was cut off left it"
            found.append(Leftover(name, goes, why, one.tags.get("drill")))
            continue
        stays = _stays(endpoint, one, known, back_to)
        if stays is None and known is not None:
            goes, why = _judged(one, known, keep, now)
        else:
            goes, why = False, stays or ""
        found.append(Leftover(name, goes, why, known.release if known else None))
    return tuple(found)


def _stays(endpoint: Endpoint, one: Deployment, known: Past | None, back_to: Collection[str]) -> str | None:
    """Why it must stay, whatever became of it."""
    if (share := live(endpoint.traffic).get(one.name)) is not None:
        return f"it serves {share}% of the traffic"
    if (share := live(endpoint.mirror).get(one.name)) is not None:
        return f"{share}% of the live requests are mirrored to it"
    if one.leaving:
        return "it is being deleted already"
    if not one.ours:
        return "ctrain did not place it"
    if known is None:
        return "no release of this ledger placed it"
    if one.name in back_to:
        return "a rollback goes back to it"
    if known.needed:
        return f"the rollout of {known.release} is under way"
    return None


def _judged(one: Deployment, known: Past, keep: float, now: datetime) -> tuple[bool, str]:
    if one.state in (DeploymentState.FAILED, DeploymentState.CANCELED):
        return True, f"it is {one.state.lower()}"
    if known.given_up is not None:
        return True, f"it was given up: {known.given_up}"
    if not known.served:
        return True, "it never served, and no rollout goes on with it"
    if known.taken_off is None:
        return False, "the ledger does not say since when it serves no more"
    until = known.taken_off + timedelta(seconds=keep)
    if now < until:
        return False, f"it is kept until {until:%Y-%m-%d %H:%M} UTC"
    return True, f"it serves no more since {known.taken_off:%Y-%m-%d %H:%M} UTC"
