"""What somebody else did to an endpoint in the middle of a rollout. It is noticed, told, and not fought."""

from __future__ import annotations

from ctrain.rollout.actions import Rollout, Seen
from ctrain.rollout.splits import live, shares_of, split, told
from ctrain.serving import Deployment, Endpoint, Traffic
from ctrain.verdict import Outcome


def foreign_split(rollout: Rollout, endpoint: Endpoint, before: Traffic) -> str | None:
    """What became of the traffic, where it is at none of the splits that this rollout goes through."""
    now, name = live(endpoint.traffic), rollout.target.name
    ours = [live(before), *(live(split(before, name, share)) for share in shares_of(rollout, before))]
    if now in ours:
        return None
    return f"its traffic is {told(now)}, and this rollout left it at {' or '.join(dict.fromkeys(map(told, ours)))}"


def foreign_change(rollout: Rollout, endpoint: Endpoint, before: Traffic, seen: Seen) -> str | None:
    """What somebody else did that this rollout cannot go on from; None where it can.

    A deployment that is being deleted is gone. One that the ledger has never seen up may be absent: then it is placed.
    """
    if (why := foreign_split(rollout, endpoint, before)) is not None:
        return why
    if (why := _foreign_mirror(rollout, endpoint)) is not None:
        return why
    target = endpoint.deployments.get(rollout.target.name)
    if target is not None and target.model_digest != rollout.target.model_digest:
        return f"{target.name} was replaced: it serves another model than the one that was placed"
    if gone(target) and _was_up(seen):
        return f"{rollout.target.name}, which was placed and passed its smoke tests, was removed"
    for name in live(before):
        if name != rollout.target.name and name not in seen.missed and gone(endpoint.deployments.get(name)):
            return f"{name}, which served before and is kept for a rollback, was removed"
    return None


def _foreign_mirror(rollout: Rollout, endpoint: Endpoint) -> str | None:
    now, mirror = live(endpoint.mirror), rollout.settings.mirror
    if not now or (mirror and now == {rollout.target.name: mirror}):
        return None
    ours = f"mirrors {mirror}% to {rollout.target.name}" if mirror else "mirrors none"
    return f"its live requests are mirrored, {told(now)}, and this rollout {ours}"


def _was_up(seen: Seen) -> bool:
    return seen.smoked is Outcome.PASS


def gone(deployment: Deployment | None) -> bool:
    """Whether it is not there, or on its way out."""
    return deployment is None or deployment.leaving
