"""What can happen to a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ctrain.plan import Plan
from ctrain.release import Ending
from ctrain.rollout.drilling import Drilled, Drilling
from ctrain.serving import Traffic
from ctrain.training import TrainingRun
from ctrain.verdict import Verdict
from ctrain.version import ModelVersion


@dataclass(frozen=True)
class Opened:
    """A release began, with this plan."""

    plan: Plan
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True)
class Submitting:
    """A job is about to be submitted, or (`adopted`) taken as it is, for it trains or has trained the same."""

    job: str
    adopted: bool = False
    kind: Literal["submitting"] = "submitting"


@dataclass(frozen=True)
class Trained:
    """The job ended, in whatever state."""

    run: TrainingRun
    kind: Literal["trained"] = "trained"


@dataclass(frozen=True)
class Cancelling:
    """The job is about to be asked to stop."""

    job: str
    why: str
    kind: Literal["cancelling"] = "cancelling"


@dataclass(frozen=True)
class Extending:
    """The evaluation's rows were too few, and a job that makes more of them is about to be submitted."""

    job: str
    kind: Literal["extending"] = "extending"


@dataclass(frozen=True)
class Judged:
    """The gate spoke, over so many rows; `evidence` is the sha256 of the evaluation rows."""

    verdict: Verdict
    rows: int
    evidence: str
    kind: Literal["judged"] = "judged"


@dataclass(frozen=True)
class Registering:
    """The model's files are about to be registered."""

    model: str
    digest: str
    kind: Literal["registering"] = "registering"


@dataclass(frozen=True)
class Registered:
    """The model has a version."""

    version: ModelVersion
    kind: Literal["registered"] = "registered"


@dataclass(frozen=True)
class RolloutBegan:
    """A stage's rollout began; `before` is the split that a failure restores."""

    stage: str
    deployment: str
    before: Traffic
    kind: Literal["rollout_began"] = "rollout_began"


@dataclass(frozen=True)
class Approved:
    """A person lets the release go to a stage: on this proof, and on no other (see `Release.proof`)."""

    stage: str
    who: str
    reason: str
    proof: str
    kind: Literal["approved"] = "approved"


@dataclass(frozen=True)
class Creating:
    """An endpoint is about to be created, or brought back up."""

    stage: str
    endpoint: str
    kind: Literal["creating"] = "creating"


@dataclass(frozen=True)
class Placing:
    """A deployment is about to be placed."""

    stage: str
    deployment: str
    kind: Literal["placing"] = "placing"


@dataclass(frozen=True)
class Smoked:
    """The smoke tests ran: by name at 0% traffic, or (`live`) through the endpoint."""

    stage: str
    deployment: str
    live: bool
    verdict: Verdict
    kind: Literal["smoked"] = "smoked"


@dataclass(frozen=True)
class Shifting:
    """The live traffic is about to move."""

    stage: str
    traffic: Traffic
    kind: Literal["shifting"] = "shifting"


@dataclass(frozen=True)
class Shifted:
    """The live traffic moved."""

    stage: str
    traffic: Traffic
    kind: Literal["shifted"] = "shifted"


@dataclass(frozen=True)
class Mirroring:
    """A share of the live requests is about to be copied to a deployment; or, where it is empty, no more."""

    stage: str
    traffic: Traffic
    kind: Literal["mirroring"] = "mirroring"


@dataclass(frozen=True)
class Watching:
    """A deployment is about to be watched at this share of the traffic (0: mirrored), for so many seconds."""

    stage: str
    deployment: str
    share: int
    seconds: float
    kind: Literal["watching"] = "watching"


@dataclass(frozen=True)
class Watched:
    """A deployment was watched at this share of the traffic (0: mirrored)."""

    stage: str
    deployment: str
    share: int
    verdict: Verdict
    kind: Literal["watched"] = "watched"


@dataclass(frozen=True)
class PauseAsked:
    """A person wants the rollout to stop where it is."""

    stage: str
    who: str
    reason: str
    kind: Literal["pause_asked"] = "pause_asked"


@dataclass(frozen=True)
class Paused:
    """The rollout stopped at this share of the traffic until a person lets it go on."""

    stage: str
    deployment: str
    share: int
    why: str
    kind: Literal["paused"] = "paused"


@dataclass(frozen=True)
class Resumed:
    """A person lets a paused rollout go on from this share; also without those that served before, if they are gone."""

    stage: str
    share: int
    who: str
    reason: str
    without: tuple[str, ...] = ()
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True)
class AbortAsked:
    """A person wants the stage to serve what it served before; or the release `superseded_by` takes its turn."""

    stage: str
    who: str
    reason: str
    superseded_by: str = ""
    kind: Literal["abort_asked"] = "abort_asked"


@dataclass(frozen=True)
class Rejected:
    """A deployment was given up; what follows is the traffic's way back. `log` is from before there was `Logged`."""

    stage: str
    deployment: str
    why: str
    log: str = ""
    kind: Literal["rejected"] = "rejected"


@dataclass(frozen=True)
class Logged:
    """The end of the log of a deployment that was given up, fetched once it serves nobody; empty where that failed."""

    stage: str
    deployment: str
    log: str
    kind: Literal["logged"] = "logged"


@dataclass(frozen=True)
class Removing:
    """A deployment is about to be taken away."""

    stage: str
    deployment: str
    why: str
    kind: Literal["removing"] = "removing"


@dataclass(frozen=True)
class Promoted:
    """The new version serves the stage."""

    stage: str
    deployment: str
    kind: Literal["promoted"] = "promoted"


@dataclass(frozen=True)
class Restored:
    """A rollout failed, and the stage serves what it served."""

    stage: str
    why: str
    kind: Literal["restored"] = "restored"


@dataclass(frozen=True)
class Crowning:
    """The version is about to become the champion."""

    version: ModelVersion
    kind: Literal["crowning"] = "crowning"


@dataclass(frozen=True)
class Crowned:
    """The version is the champion."""

    version: ModelVersion
    kind: Literal["crowned"] = "crowned"


@dataclass(frozen=True)
class RolledBack:
    """Somebody takes a stage back from this release's version to another deployment; has taken it, unless `begun`."""

    stage: str
    to: str
    why: str
    begun: bool = False
    kind: Literal["rolled_back"] = "rolled_back"


@dataclass(frozen=True)
class Readmitted:
    """A person lets a version that was rolled back go to the stage again."""

    stage: str
    version: str
    who: str
    reason: str
    kind: Literal["readmitted"] = "readmitted"


@dataclass(frozen=True)
class Closed:
    """The release came to its end."""

    ending: Ending
    why: str
    kind: Literal["closed"] = "closed"


_Drill = Drilling | Drilled
Announced = (
    Registering | Creating | Placing | Shifted | Mirroring | Watching | Removing | Crowning | Readmitted | _Drill
)
"""What a release is not changed by: the record of what is about to be done, and was."""

OfStage = (
    RolloutBegan
    | Smoked
    | Shifting
    | Watched
    | PauseAsked
    | Paused
    | Resumed
    | AbortAsked
    | Rejected
    | Logged
    | Promoted
    | Restored
    | RolledBack
)
"""What changes a release's record of a stage."""

What = (
    Announced
    | OfStage
    | Opened
    | Submitting
    | Trained
    | Cancelling
    | Extending
    | Judged
    | Registered
    | Approved
    | Crowned
    | Closed
)
