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
from ctrain.rollout.decision import next_step
from ctrain.rollout.foreign import foreign_change
from ctrain.rollout.leftovers import Leftover, Past, leftovers
from ctrain.rollout.splits import at_share, live, split, told
from ctrain.rollout.stage import DeploymentSettings, Stage, deployment_of
from ctrain.rollout.strategy import RolloutSettings, Step, seconds_of
from ctrain.rollout.times import Times, times_of

__all__ = [
    "Action",
    "Begin",
    "Collect",
    "Create",
    "DeploymentSettings",
    "Done",
    "Leftover",
    "Mirror",
    "Past",
    "Pause",
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
    "Step",
    "Stuck",
    "Times",
    "Wait",
    "Watch",
    "Yield",
    "at_share",
    "deployment_of",
    "foreign_change",
    "leftovers",
    "live",
    "next_step",
    "seconds_of",
    "split",
    "times_of",
    "told",
]
