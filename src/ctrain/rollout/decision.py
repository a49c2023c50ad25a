"""The one next action of a rollout: pure, and level-triggered."""

from __future__ import annotations

from ctrain.rollout.actions import (
    Action,
    Begin,
    Create,
    Done,
    Mirror,
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
from ctrain.serving import Deployment, DeploymentState, Endpoint, Traffic
from ctrain.verdict import Outcome


def next_step(rollout: Rollout, seen: Seen) -> Action:
    """The one next action. Only `Done`, `Restored`, `Stuck` and `Yield` are final."""
    if seen.endpoint is None or not seen.endpoint.running:
        return Create()
    endpoint, name = seen.endpoint, rollout.target.name
    if seen.before is None:
        return Begin(name, live(endpoint.traffic))
    if (why := _foreign(rollout, endpoint, seen.before)) is not None:
        return Yield(why)
    if seen.rejected is not None:
        return _restore(endpoint, name, seen.before, seen.rejected)
    target = endpoint.deployments.get(name)
    if target is None or target.state is DeploymentState.CANCELED:
        return Place(rollout.target)
    if target.state is DeploymentState.FAILED:
        # In a line: what may follow is the end of the log, which is recorded with the rejection.
        return Reject(name, (target.error or "the platform says that the deployment failed").partition("\n")[0])
    if not target.healthy:
        return Reject(name, "it did not become ready in time") if seen.overdue else Wait(name)
    return _take_over(rollout, endpoint, seen, seen.before)


def _take_over(rollout: Rollout, endpoint: Endpoint, seen: Seen, before: Traffic) -> Action:
    name, share = rollout.target.name, live(endpoint.traffic).get(rollout.target.name, 0)
    for watched, outcome in seen.watched.items():
        if outcome is not Outcome.PASS:
            return Reject(name, f"watching it {at_share(watched)} ended in {outcome}")
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
            if _to_watch(rollout, seen, before, 100):
                return Watch(name, 100)
            return _tidy(endpoint, name, before)
        case outcome:
            return Reject(name, f"the smoke tests through the endpoint ended in {outcome}")


def _further(rollout: Rollout, endpoint: Endpoint, seen: Seen, before: Traffic) -> Action:
    """From one share of the traffic to the next: mirrored first, each watched."""
    name, settings, share = rollout.target.name, rollout.settings, live(endpoint.traffic).get(rollout.target.name, 0)
    mirrored = live(endpoint.mirror)
    if share == 0 and settings.mirror and _to_watch(rollout, seen, before, 0):
        wanted = {name: settings.mirror}
        return Watch(name, 0) if mirrored == wanted else Mirror(wanted)
    if mirrored:
        return Mirror({})
    if share > 0 and _to_watch(rollout, seen, before, share):
        return Watch(name, share)
    following = next(further for further in shares_of(rollout, before) if further > share)
    return Shift(dict.fromkeys(endpoint.traffic, 0) | split(before, name, following))


def _to_watch(rollout: Rollout, seen: Seen, before: Traffic, share: int) -> bool:
    """Whether it has to be watched at that share. Where nothing serves, nobody can be hurt, and nothing is compared."""
    return bool(before) and rollout.settings.bake_seconds > 0 and share not in seen.watched


def shares_of(rollout: Rollout, before: Traffic) -> tuple[int, ...]:
    """The target's shares on its way; all at once where nothing serves yet."""
    return rollout.settings.shares if before else (100,)


def split(before: Traffic, name: str, share: int) -> dict[str, int]:
    """`share` percent for that deployment; the others keep their proportions. Sums to 100."""
    left = 100 - share
    parts = {other: percent * left // 100 for other, percent in live(before).items() if other != name}
    # What rounding left over goes to those that lost most by it.
    lost = sorted(parts, key=lambda other: (-(before[other] * left % 100), other))
    for other in lost[: left - sum(parts.values())]:
        parts[other] += 1
    return {**parts, name: share}


def _foreign(rollout: Rollout, endpoint: Endpoint, before: Traffic) -> str | None:
    """What somebody else made of the traffic, where it is at none of the splits that this rollout goes through."""
    now, name = live(endpoint.traffic), rollout.target.name
    ours = [live(before), *(live(split(before, name, share)) for share in shares_of(rollout, before))]
    if now in ours:
        return None
    return f"its traffic is {_told(now)}, and this rollout left it at {' or '.join(dict.fromkeys(map(_told, ours)))}"


def _told(traffic: Traffic) -> str:
    return ", ".join(f"{name} {percent}%" for name, percent in traffic.items()) or "nothing"


def at_share(share: int) -> str:
    """In words."""
    return f"at {share}% of the traffic" if share else "on mirrored traffic"


def _tidy(endpoint: Endpoint, name: str, before: Traffic) -> Action:
    """Keep what served before this rollout. Where nothing new took over, nothing is in the way."""
    if name in before:
        return Done()
    for other in sorted(_to_stay(endpoint)):
        if other != name and other not in before:
            return Remove(other, "it is older than the one that is kept for a rollback")
    return Done()


def _restore(endpoint: Endpoint, name: str, before: Traffic, why: str) -> Action:
    if live(endpoint.traffic) != live(before):
        if all(_healthy(endpoint.deployments.get(other)) for other in before):
            return Shift(dict.fromkeys(endpoint.traffic, 0) | dict(before))
        return Stuck(why)
    if live(endpoint.mirror):
        return Mirror({})
    if name in _to_stay(endpoint) and name not in before:
        return Remove(name, "it was given up")
    return Restored(why)


def _to_stay(endpoint: Endpoint) -> set[str]:
    """Those that are not on their way out already: nobody has to wait for the end of them."""
    return {name for name, one in endpoint.deployments.items() if one.state is not DeploymentState.DELETING}


def _healthy(deployment: Deployment | None) -> bool:
    return deployment is not None and deployment.healthy


def live(traffic: Traffic) -> dict[str, int]:
    """The split without those that carry nothing."""
    return {name: percent for name, percent in sorted(traffic.items()) if percent > 0}
