"""What a later step or job may want to know of what a verb did, in single words: the step outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from ctrain.cli.ci.host import Host
from ctrain.errors import CtrainError, StillRunning
from ctrain.events import (
    Approved,
    Creating,
    Event,
    Mirroring,
    Placing,
    Promoted,
    Rejected,
    Removing,
    Restored,
    RolledBack,
    RolloutBegan,
    Shifted,
    Shifting,
    Smoked,
    Watched,
    Watching,
)
from ctrain.flow.journal import News
from ctrain.ports import Backend
from ctrain.project import Project
from ctrain.release import Release
from ctrain.report import state_of as state_of_ended
from ctrain.verdict import Outcome

_OF_A_STAGE = (
    Approved
    | Creating
    | Mirroring
    | Placing
    | Promoted
    | Rejected
    | Removing
    | Restored
    | RolledBack
    | RolloutBegan
    | Shifted
    | Shifting
    | Smoked
    | Watched
    | Watching
)


class State(StrEnum):
    """Where a release is, in one word that a workflow can compare with.

    `failed` is a training that failed, or an error that says by its exit code what it was.
    """

    RUNNING = "running"
    TRAINED = "trained"
    PASSED = "passed"
    DEPLOYED = "deployed"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    INCONCLUSIVE = "inconclusive"
    ROLLED_BACK = "rolled_back"
    NOT_RESTORED = "not_restored"


def state_of(release: Release | None, problem: BaseException | None = None) -> State:
    """Where the release is, after a verb that ended with this problem, if any."""
    if release is not None and release.ended:
        return State(state_of_ended(release))
    match problem:
        case None:
            return _open(release) if release is not None else State.FAILED
        case StillRunning():
            return State.RUNNING
        case Exception():
            return State.FAILED
        case _:  # a signal
            return State.INTERRUPTED


def _open(release: Release) -> State:
    if release.waits_for is not None or release.paused_at is not None:
        return State.WAITING
    if any(release.serves(name) for name in release.stages):
        return State.DEPLOYED
    if release.verdict is not None and release.verdict.passed:
        return State.PASSED
    if release.training is not None and release.training.status.succeeded:
        return State.TRAINED
    return State.RUNNING


@dataclass
class Noted:
    """What a verb was about, gathered as it goes. `verdict` is of a verb that found one of its own."""

    release: Release | None = None
    stage: str = ""
    verdict: Outcome | None = None
    endpoint: str = ""

    def about(self, release: Release) -> Release:
        """The verb is about this release; gives it back."""
        self.release = release
        return release

    def read(self, releases: Mapping[str, Release]) -> None:
        """Take the release as a journal has it now; without one that is known, the journal's only one."""
        if self.release is None:
            self.release = next(iter(releases.values()), None)
        elif self.release.id in releases:
            self.release = releases[self.release.id]

    @property
    def place(self) -> str:
        """The stage that it is about: the one that a person must let it go to, else the last that was acted upon."""
        if self.release is None:
            return self.stage
        return (
            self.release.paused_at
            or self.release.waits_for
            or self.stage
            or next(iter(reversed(list(self.release.stages))), "")
        )

    def look(self, project: Project, at: Backend) -> None:
        """Find out where that stage is asked, if it can be found out."""
        with suppress(CtrainError):
            stage = project.stage(self.place)
            endpoint = at.serving(stage).look(stage.endpoint)
            self.endpoint = endpoint.scoring_url if endpoint is not None else ""

    def hear(self, news: News) -> None:
        """Remember the stage that was acted upon last."""
        if isinstance(news, Event) and isinstance(news.what, _OF_A_STAGE):
            self.stage = news.what.stage

    def outputs(self, problem: BaseException | None = None) -> Mapping[str, str]:
        """All outputs, each of which is there whatever happened; empty where there is nothing to say."""
        release = self.release
        judged = release.verdict.outcome if release is not None and release.verdict is not None else ""
        return {
            "release": release.id if release is not None else "",
            "state": state_of(release, problem),
            "verdict": self.verdict or judged,
            "model": str(release.version or "") if release is not None else "",
            "stage": self.place,
            "stages": json.dumps(ahead(release) if release is not None else []),
            "endpoint": self.endpoint,
        }


def ahead(release: Release) -> list[str]:
    """The stages that the release may go to next, in order: those of its plan that it does not serve yet.

    None before it passed the gate, nor after it ended: a job for each of them can be made of this.
    """
    if release.ended or release.verdict is None or not release.verdict.passed:
        return []
    return [step.stage.name for step in release.plan.deploys if not release.serves(step.stage.name)]


def tell_outputs(noted: Noted, host: Host, problem: BaseException | None = None) -> None:
    """Give a later step the outputs."""
    for name, value in noted.outputs(problem).items():
        host.put(name, value)
