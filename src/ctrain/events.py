"""What happened, as frozen values: who, what, when. A release is the sum of its events.

Acts that change the world are recorded before (`Placing`, `Shifting`, ...) and after they are done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

from ctrain.plan import Plan
from ctrain.release import Approval, Ending, Release, StageRecord
from ctrain.rollout.drilling import Drilled, Drilling
from ctrain.serving import Traffic
from ctrain.training import TrainingRun
from ctrain.verdict import Verdict
from ctrain.version import ModelVersion

if TYPE_CHECKING:
    from pydantic import TypeAdapter


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
class Rejected:
    """A deployment was given up; `log` is the end of what it printed."""

    stage: str
    deployment: str
    why: str
    log: str = ""
    kind: Literal["rejected"] = "rejected"


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
    """Somebody took a stage back from this release's version to another deployment."""

    stage: str
    to: str
    why: str
    kind: Literal["rolled_back"] = "rolled_back"


@dataclass(frozen=True)
class Closed:
    """The release came to its end."""

    ending: Ending
    why: str
    kind: Literal["closed"] = "closed"


_Drill = Drilling | Drilled
Announced = Registering | Creating | Placing | Shifting | Shifted | Mirroring | Watching | Removing | Crowning | _Drill
"""What a release is not changed by: the record of what is about to be done, and was."""

What = (
    Announced
    | Opened
    | Submitting
    | Trained
    | Cancelling
    | Extending
    | Judged
    | Registered
    | Approved
    | RolloutBegan
    | Smoked
    | Watched
    | Rejected
    | Promoted
    | Restored
    | Crowned
    | RolledBack
    | Closed
)


@dataclass(frozen=True)
class Event:
    """One thing that happened in a release. `at` is in UTC; `by` says who ran ctrain, and where."""

    release: str
    at: datetime
    by: str
    what: What


@cache
def _adapter() -> TypeAdapter[What]:
    from pydantic import Discriminator, TypeAdapter

    return TypeAdapter(Annotated[What, Discriminator("kind")])


def to_json(event: Event) -> str:
    """One line of JSON; `from_json` gives the equal event back."""
    what = _adapter().dump_python(event.what, mode="json")
    return json.dumps({"release": event.release, "at": event.at.isoformat(), "by": event.by, "what": what})


def from_json(line: str) -> Event:
    """Raises ValueError or KeyError for a line that no version of ctrain wrote."""
    told = json.loads(line)
    what = _adapter().validate_python(told["what"])
    return Event(told["release"], datetime.fromisoformat(told["at"]), told["by"], what)


def replay(events: Iterable[Event], release: Release | None = None) -> Release | None:
    """The release that these events, oldest first, add up to; or what they make of one that is known already."""
    for event in events:
        if isinstance(event.what, Opened):
            release = Release(event.release, event.what.plan, event.at)
        elif release is not None:
            release = _after(release, event)
    return release


def _after(release: Release, event: Event) -> Release:
    if isinstance(event.what, Announced):
        return release
    match event.what:
        case Submitting(job, adopted):
            own = release.awaits == job and not release.adopted  # and adopted now by a run that goes on with it
            return replace(release, awaits=job, adopted=adopted and not own)
        case Extending(job):
            return replace(release, awaits=job, adopted=False)
        case Trained(run):
            return replace(release, training=run, awaits=None)
        case Cancelling(_, why):
            return replace(release, cancelled=why)
        case Judged(verdict, rows, evidence):
            return replace(release, verdict=verdict, rows=rows, evidence=evidence, looks=release.looks + 1)
        case Registered(version):
            return replace(release, version=version)
        case Approved(stage, who, reason, proof):
            return replace(release, approvals={**release.approvals, stage: Approval(who, reason, proof, event.at)})
        case Crowned():
            return replace(release, crowned=True)
        case Opened():
            return release
        case Closed(ending, why):
            return replace(release, ending=ending, why=why, closed=event.at)
        case RolloutBegan() | Smoked() | Watched() | Rejected() | Promoted() | Restored() | RolledBack():
            return _at_stage(release, event.at, event.what)
    assert_never(event.what)


def _at_stage(
    release: Release,
    at: datetime,
    what: RolloutBegan | Smoked | Watched | Rejected | Promoted | Restored | RolledBack,
) -> Release:
    match what:
        case RolloutBegan(stage, deployment, before):
            return replace(release.with_stage(stage, StageRecord(deployment, before)), ending=None, closed=None)
        case Smoked(stage, _, live, verdict):
            record = _record(release, stage)
            record = replace(record, proven=verdict) if live else replace(record, smoked=verdict)
        case Watched(stage, _, share, verdict):
            record = _record(release, stage)
            record = replace(record, watched={**record.watched, share: verdict})
        case Rejected(stage, _, why):
            record = replace(_record(release, stage), rejected=why)
        case Promoted(stage):
            record = replace(_record(release, stage), promoted=at)
        case Restored(stage):
            record = replace(_record(release, stage), restored=True)
        case RolledBack(stage, to, why):
            told = f"{why} (to {to})"
            record = replace(_record(release, stage), rolled_back=told, rolled_back_at=at, rolled_back_to=to)
        case _:
            assert_never(what)
    return release.with_stage(stage, record)


def _record(release: Release, stage: str) -> StageRecord:
    return release.stage(stage) or StageRecord(deployment="")
