"""How a version takes over one stage's endpoint: a pure decision over what is wanted and what is.

    Stage             an endpoint in the order dev, test, prod, and how traffic moves there
    Rollout, Seen     what is wanted, and what is
    next_step(...)    the one next action

`next_step` looks at what is observed now and at what the ledger remembers, and names the one next action. The verb
does it and looks again, so that a run that was killed, run again or raced goes on from what is.
"""

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
from ctrain.rollout.decision import at_share, live, next_step, split
from ctrain.rollout.stage import DeploymentSettings, RolloutSettings, Stage, deployment_of, seconds_of

__all__ = [
    "Action",
    "Begin",
    "Create",
    "DeploymentSettings",
    "Done",
    "Mirror",
    "Place",
    "Reject",
    "Remove",
    "Restored",
    "Rollout",
    "RolloutSettings",
    "Seen",
    "Shift",
    "Smoke",
    "Stage",
    "Stuck",
    "Wait",
    "Watch",
    "Yield",
    "at_share",
    "deployment_of",
    "live",
    "next_step",
    "seconds_of",
    "split",
]
