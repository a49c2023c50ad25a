"""The one next action of a rollout: pure, and level-triggered."""

from __future__ import annotations

from ctrain.rollout.actions import (
    Action,
    Begin,
    Collect,
    Create,
    Done,
    Mirror,
    Pause,
    Place,
    Reject,
    Remove,
    Restored,
    Rollout,
    Seen,
    Shift,
    Smoke,
    Stuck,
    Wait,
    Watch,
    Yield,
)
from ctrain.rollout.foreign import foreign_change, foreign_split, gone
from ctrain.rollout.splits import at_share, live, shares_of, split
from ctrain.serving import Deployment, DeploymentState, Endpoint, Traffic
from ctrain.verdict import Outcome


def next_step(rollout: Rollout, seen: Seen) -> Action:
    """The one next action. Only `Done`, `Restored`, `Stuck`, `Pause` and `Yield` are final.

    What was given up is restored before anything else is looked at, and what a person aborts is given up whatever
    somebody else did: it is they who say how it shall be.
    """
    name = rollout.target.name
    if seen.before is not None and seen.rejected is None and seen.aborted is not None:
        return Reject(name, seen.aborted)
    if seen.endpoint is None or not seen.endpoint.running:
        return _bring_up(seen)
    endpoint = seen.endpoint
    if seen.before is None:
        return Begin(name, live(endpoint.traffic))
    if seen.rejected is not None:
        if seen.aborted is None and (why := foreign_split(rollout, endpoint, seen.before)) is not None:
            return Yield(why)
        return _restore(endpoint, name, seen, seen.before, seen.rejected)
    if (why := foreign_change(rollout, endpoint, seen.before, seen)) is not None:
        return Yield(why)
    return _place(rollout, endpoint, seen, seen.before)


def _bring_up(seen: Seen) -> Action:
    """An endpoint that is down comes up again; one that is gone in the middle was deleted by somebody."""
    if seen.endpoint is not None or not seen.before:
        return Create()
    if seen.rejected is not None:
        return Stuck(seen.rejected)
    return Yield("the endpoint was deleted")


def _place(rollout: Rollout, endpoint: Endpoint, seen: Seen, before: Traffic) -> Action:
    """Until the target is there and healthy; a person's pause comes first only while it serves nobody."""
    name = rollout.target.name
    share = live(endpoint.traffic).get(name, 0)
    if seen.paused is not None and share == 0:
        return Pause(0, seen.paused)
    target = endpoint.deployments.get(name)
    if target is None or target.state is DeploymentState.CANCELED:
        return Place(rollout.target)
    if target.state is DeploymentState.FAILED:
        # In a line: what may follow is the end of the log, which is recorded once it serves nobody.
        return Reject(name, (target.error or "the platform says that the deployment failed").partition("\n")[0])
    if not target.healthy:
        late = "it was not healthy any more" if share else "it did not become ready in time"
        return Reject(name, late) if seen.overdue else Wait(name)
    return _take_over(rollout, endpoint, seen, before)


def _take_over(rollout: Rollout, endpoint: Endpoint, seen: Seen, before: Traffic) -> Action:
    name, share = rollout.target.name, live(endpoint.traffic).get(rollout.target.name, 0)
    for watched, outcome in seen.watched.items():
        if outcome is not Outcome.PASS:
            return Reject(name, f"watching it {at_share(watched)} ended in {outcome}")
    if seen.paused is not None:
        return Pause(share, seen.paused)
    if share < 100:
        match seen.smoked:
            case None:
                return Smoke(name, live=False)
            case Outcome.PASS:
                return _further(rollout, endpoint, seen, before)
            case outcome:
                return Reject(name, f"its smoke tests ended in {outcome}")
    match seen.proven:
        case None:
            return Smoke(name, live=True)
        case Outcome.PASS:
            return _stay(rollout, seen, before, 100) or _tidy(endpoint, name, seen, before)
        case outcome:
            return Reject(name, f"the smoke tests through the endpoint ended in {outcome}")


def _further(rollout: Rollout, endpoint: Endpoint, seen: Seen, before: Traffic) -> Action:
    """From one share of the traffic to the next: mirrored first, each watched."""
    name, settings, share = rollout.target.name, rollout.settings, live(endpoint.traffic).get(rollout.target.name, 0)
    mirrored = live(endpoint.mirror)
    if share == 0 and _to_watch(rollout, seen, before, 0):
        wanted = {name: settings.mirror}
        return Watch(name, 0) if mirrored == wanted else Mirror(wanted)
    if mirrored:
        return Mirror({})
    if share > 0 and (stay := _stay(rollout, seen, before, share)) is not None:
        return stay
    following = next(further for further in shares_of(rollout, before) if further > share)
    return Shift(dict.fromkeys(endpoint.traffic, 0) | split(before, name, following))


def _stay(rollout: Rollout, seen: Seen, before: Traffic, share: int) -> Action | None:
    """What is still to be done at that share: to watch it, and to wait for a person where its step asks for one."""
    if _to_watch(rollout, seen, before, share):
        return Watch(rollout.target.name, share)
    if before and share in rollout.settings.pauses and share not in seen.resumed:
        return Pause(share, "its step says `pause`")
    return None


def _to_watch(rollout: Rollout, seen: Seen, before: Traffic, share: int) -> bool:
    """Whether it has to be watched at that share. Where nothing serves, nobody can be hurt, and nothing is compared."""
    return bool(before) and rollout.settings.bake_at(share) > 0 and share not in seen.watched


def _tidy(endpoint: Endpoint, name: str, seen: Seen, before: Traffic) -> Action:
    """Keep what served before this rollout, what its stage keeps for a while, and what is somebody else's.

    Where nothing new took over, nothing is in the way.
    """
    if name in before:
        return Done()
    for other, one in sorted(endpoint.deployments.items()):
        staying = other == name or other in before or other in seen.kept or live(endpoint.mirror).get(other)
        if one.ours and not one.leaving and not staying:
            return Remove(other, "it is older than the one that is kept for a rollback")
    return Done()


def _restore(endpoint: Endpoint, name: str, seen: Seen, before: Traffic, why: str) -> Action:
    """The traffic first; the log, and taking the target away, once it serves nobody."""
    if live(endpoint.traffic) != live(before):
        for other in live(before):
            if _may_recover(endpoint.deployments.get(other)) and not seen.overdue:
                return Wait(other)
        if all(_healthy(endpoint.deployments.get(other)) for other in live(before)):
            return Shift(dict.fromkeys(endpoint.traffic, 0) | dict(before))
        return Stuck(why)
    if name in live(endpoint.mirror):
        return Mirror({})
    if not gone(endpoint.deployments.get(name)) and name not in before:
        return Remove(name, "it was given up") if seen.logged else Collect(name)
    return Restored(why)


def _may_recover(deployment: Deployment | None) -> bool:
    """Whether it is not healthy, and may be in a moment."""
    return not (deployment is None or deployment.healthy or deployment.leaving) and (
        deployment.state is not DeploymentState.FAILED
    )


def _healthy(deployment: Deployment | None) -> bool:
    return deployment is not None and deployment.healthy
