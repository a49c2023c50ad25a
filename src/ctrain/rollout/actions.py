"""What is wanted, what is, and the actions that lead from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ctrain.rollout.strategy import RolloutSettings
from ctrain.serving import DeploymentSpec, Endpoint, Traffic
from ctrain.verdict import Outcome


@dataclass(frozen=True)
class Rollout:
    """What is wanted: this deployment at 100% of the endpoint's traffic, and how it gets there."""

    endpoint: str
    target: DeploymentSpec
    settings: RolloutSettings = field(default_factory=RolloutSettings)


@dataclass(frozen=True)
class Seen:
    """What is: the endpoint as observed, and what the ledger remembers of this rollout.

    `before` is the split when the rollout began (None until that was recorded); `smoked` and `proven` are the
    outcomes of the smoke tests by name and through the endpoint; `watched` those of watching it, by its share of the
    live traffic (0: mirrored); `rejected` says why the target was given up, and `logged` that the end of its log was
    recorded then. `overdue`: what it waits for has taken too long.

    What people said: `paused` and `aborted` are why it shall stop, or be taken back; `resumed` are the shares at which
    they let it go on, `missed` what served before and they can do without. `kept` are other deployments that must stay.
    """

    endpoint: Endpoint | None
    before: Traffic | None = None
    smoked: Outcome | None = None
    proven: Outcome | None = None
    rejected: str | None = None
    overdue: bool = False
    watched: Mapping[int, Outcome] = field(default_factory=dict)
    logged: bool = False
    paused: str | None = None
    aborted: str | None = None
    resumed: frozenset[int] = frozenset()
    missed: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Create:
    """Bring the endpoint into being, or back up."""


@dataclass(frozen=True)
class Begin:
    """Record what is to be placed, and the split that a failure must restore."""

    deployment: str
    before: Traffic


@dataclass(frozen=True)
class Place:
    """Put the target beside what serves, at 0%."""

    spec: DeploymentSpec


@dataclass(frozen=True)
class Wait:
    """A deployment is not ready yet, or not at the moment."""

    deployment: str


@dataclass(frozen=True)
class Smoke:
    """Ask the target: by name, or (`live`) through the endpoint."""

    deployment: str
    live: bool


@dataclass(frozen=True)
class Shift:
    """Set the split of the live traffic."""

    traffic: Traffic


@dataclass(frozen=True)
class Mirror:
    """Copy this share of the live requests to a deployment; empty ends it."""

    traffic: Traffic


@dataclass(frozen=True)
class Watch:
    """Watch the target at its share of the live traffic (0: mirrored)."""

    deployment: str
    share: int


@dataclass(frozen=True)
class Pause:
    """Stop at this share of the traffic, and leave all as it is, until a person lets it go on."""

    share: int
    why: str


@dataclass(frozen=True)
class Yield:
    """Somebody else changes the endpoint: stop, and don't fight."""

    why: str


@dataclass(frozen=True)
class Reject:
    """Give the target up; what follows restores the stage."""

    deployment: str
    why: str


@dataclass(frozen=True)
class Collect:
    """Record the end of the log of a target that was given up, now that it serves nobody."""

    deployment: str


@dataclass(frozen=True)
class Remove:
    """Take a deployment away that carries no traffic."""

    deployment: str
    why: str


@dataclass(frozen=True)
class Done:
    """The target serves, proven; the one that served before is kept for a rollback."""


@dataclass(frozen=True)
class Restored:
    """The target was given up, and the stage serves what it served."""

    why: str


@dataclass(frozen=True)
class Stuck:
    """The target was given up, and what served before cannot take the traffic back. A person must act."""

    why: str


Action = (
    Create
    | Begin
    | Place
    | Wait
    | Smoke
    | Shift
    | Mirror
    | Watch
    | Pause
    | Reject
    | Collect
    | Remove
    | Done
    | Restored
    | Stuck
    | Yield
)
