"""A release: the record of one pass of one commit through the flow, which a later CI job or a resumed run picks up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from ctrain.errors import ExitCode
from ctrain.plan import Plan
from ctrain.serving import Traffic
from ctrain.training import TrainingRun
from ctrain.verdict import Outcome, Verdict
from ctrain.version import ModelVersion


class Ending(StrEnum):
    """How a release came to its end."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    NEUTRAL = "inconclusive"
    TRAINING_FAILED = "training failed"
    ROLLED_BACK = "rolled back"
    NOT_RESTORED = "not restored"

    @property
    def exit_code(self) -> ExitCode:
        match self:
            case Ending.DELIVERED | Ending.NEUTRAL:
                return ExitCode.DONE
            case Ending.REJECTED:
                return ExitCode.REJECTED
            case Ending.UNDECIDED:
                return ExitCode.UNDECIDED
            case Ending.TRAINING_FAILED:
                return ExitCode.TRAINING_FAILED
            case Ending.ROLLED_BACK:
                return ExitCode.ROLLED_BACK
            case Ending.NOT_RESTORED:
                return ExitCode.NOT_RESTORED
        assert_never(self)


@dataclass(frozen=True)
class StageRecord:
    """What this release did at one stage: the memory that `rollout.Seen` needs, and when it took over.

    `share` is the most of the live traffic that its deployment was given. `paused` and `aborted` are why the rollout
    shall stop, or be taken back; `halted` that it did stop. `resumed` are the shares at which a person let it go on,
    `missed` the deployments that they can do without. `superseded` is the release that took its place. `going_back`:
    it is being rolled back, and not known to be.
    """

    deployment: str
    before: Traffic | None = None
    began: datetime | None = None
    share: int = 0
    smoked: Verdict | None = None
    proven: Verdict | None = None
    watched: Mapping[int, Verdict] = field(default_factory=dict)
    rejected: str | None = None
    logged: bool = False
    paused: str | None = None
    halted: int | None = None
    resumed: frozenset[int] = frozenset()
    missed: frozenset[str] = frozenset()
    aborted: str | None = None
    superseded: str = ""
    promoted: datetime | None = None
    restored: bool = False
    rolled_back: str | None = None
    rolled_back_at: datetime | None = None
    rolled_back_to: str | None = None
    going_back: bool = False

    @property
    def over(self) -> bool:
        return self.promoted is not None or self.restored

    @property
    def under_way(self) -> bool:
        """Whether its rollout began, and came to no end."""
        return self.before is not None and not self.over


@dataclass(frozen=True)
class Approval:
    """Who let a release go to a stage, why, and on what proof."""

    who: str
    reason: str
    proof: str
    at: datetime


@dataclass(frozen=True)
class Release:
    """One pass of one commit. Made by `events.replay`, never stored as such.

    `looks` counts how often the gate judged it: twice where the first rows were too few. `awaits` is the job that was
    submitted last and whose end is not recorded, `adopted` says that it was there before. `cancelled` says why the
    training was asked to stop, where ctrain did so.
    """

    id: str
    plan: Plan
    opened: datetime
    training: TrainingRun | None = None
    verdict: Verdict | None = None
    rows: int | None = None
    evidence: str | None = None
    looks: int = 0
    version: ModelVersion | None = None
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    crowned: bool = False
    awaits: str | None = None
    adopted: bool = False
    cancelled: str | None = None
    ending: Ending | None = None
    why: str = ""
    closed: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.ending is not None

    @property
    def amid(self) -> str | None:
        """The stage whose rollout has begun and is neither done nor undone."""
        began = (name for name, record in self.stages.items() if record.under_way)
        return None if self.ended else next(began, None)

    def stage(self, name: str) -> StageRecord | None:
        return self.stages.get(name)

    def serves(self, name: str) -> bool:
        """Whether this release took that stage over, and nobody took it back."""
        record = self.stages.get(name)
        return record is not None and record.promoted is not None and record.rolled_back is None

    def judged_against(self, champion: ModelVersion | None) -> bool:
        """Whether this is the champion that the release was planned with, or the release's own version."""
        if champion is None or self.plan.champion is None:
            return champion is self.plan.champion or champion == self.version
        return champion.digest in (self.plan.champion.digest, self.version.digest if self.version else "")

    @property
    def proof(self) -> str:
        """A sha256 over what a person approves: this model, judged on this evidence, against this champion."""
        champion = self.plan.champion.digest if self.plan.champion else ""
        parts = (self.version.digest if self.version else "", self.evidence or "", champion, self.plan.policy)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def approved(self, stage: str) -> bool:
        """Whether a person has approved it for that stage as it is now."""
        approval = self.approvals.get(stage)
        return approval is not None and approval.proof == self.proof

    @property
    def waits_for(self) -> str | None:
        """The stage that a person must let it go to next, if that is what it waits for."""
        if self.ended or self.version is None:
            return None
        ahead = next((step for step in self.plan.deploys if not self.serves(step.stage.name)), None)
        if ahead is None or not ahead.waits or self.approved(ahead.stage.name):
            return None
        begun = self.stages.get(ahead.stage.name)  # by somebody who was allowed to
        return None if begun is not None and begun.under_way else ahead.stage.name

    @property
    def paused_at(self) -> str | None:
        """The stage whose rollout stopped until a person lets it go on, if that is what it waits for."""
        if self.ended:
            return None
        return next((name for name, one in self.stages.items() if one.under_way and one.halted is not None), None)

    def with_stage(self, name: str, record: StageRecord) -> Release:
        return replace(self, stages={**self.stages, name: record})


def ending_of(verdict: Verdict, *, neutral: bool = False) -> Ending | None:
    """How a verdict ends a release, or None where the release goes on.

    `neutral`: too few rows to tell are no failure, by the project's `gate.on_inconclusive`. Nothing is deployed then.
    """
    match verdict.outcome:
        case Outcome.PASS:
            return None
        case Outcome.FAIL:
            return Ending.REJECTED
        case Outcome.INCONCLUSIVE if neutral:
            return Ending.NEUTRAL
        case Outcome.INCONCLUSIVE | Outcome.ERROR:
            return Ending.UNDECIDED
    assert_never(verdict.outcome)


def release_id(plan: Plan, taken: int) -> str:
    """`main-b41c9e2-1`: trigger, commit, and how many releases that pair has had, this one included."""
    return f"{plan.trigger.replace('_', '-')}-{plan.source.short}-{taken + 1}"
