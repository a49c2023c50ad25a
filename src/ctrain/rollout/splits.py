"""Splits of the live traffic: what they are, and those that a rollout goes through."""

from __future__ import annotations

from ctrain.rollout.actions import Rollout
from ctrain.serving import Traffic


def live(traffic: Traffic) -> dict[str, int]:
    """The split without those that carry nothing."""
    return {name: percent for name, percent in sorted(traffic.items()) if percent > 0}


def split(before: Traffic, name: str, share: int) -> dict[str, int]:
    """`share` percent for that deployment; the others keep their proportions. Sums to 100."""
    left = 100 - share
    parts = {other: percent * left // 100 for other, percent in live(before).items() if other != name}
    # What rounding left over goes to those that lost most by it.
    lost = sorted(parts, key=lambda other: (-(before[other] * left % 100), other))
    for other in lost[: left - sum(parts.values())]:
        parts[other] += 1
    return {**parts, name: share}


def shares_of(rollout: Rollout, before: Traffic) -> tuple[int, ...]:
    """The target's shares on its way; all at once where nothing serves yet."""
    return rollout.settings.shares if before else (100,)


def told(traffic: Traffic) -> str:
    """In words."""
    return ", ".join(f"{name} {percent}%" for name, percent in traffic.items()) or "nothing"


def at_share(share: int) -> str:
    """In words."""
    return f"at {share}% of the traffic" if share else "on mirrored traffic"
