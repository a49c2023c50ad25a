"""What a report holds, as plain values: whoever shows it decides nothing, and neutralises all of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from ctrain.training import JobStatus, Scalar
from ctrain.verdict import Finding, Outcome, Verdict

Tone = Literal["good", "bad", "unsure", "open"]
Level = Literal["error", "warning", "notice"]
AtStage = Literal["ahead", "waits", "under way", "paused", "serves", "given up", "taken back", "not reached"]
Model = Literal["challenger", "champion"]
PhaseKind = Literal["train", "gate", "register", "deploy", "waiting"]


class State(StrEnum):
    """How far a release has come, in one word."""

    NOTHING = "nothing"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    INCONCLUSIVE = "inconclusive"
    PASSED = "passed"
    DELIVERED = "delivered"
    ROLLED_BACK = "rolled_back"
    NOT_RESTORED = "not_restored"

    @property
    def tone(self) -> Tone:
        match self:
            case State.PASSED | State.DELIVERED:
                return "good"
            case State.FAILED | State.REJECTED | State.ROLLED_BACK | State.NOT_RESTORED:
                return "bad"
            case State.UNDECIDED | State.INCONCLUSIVE | State.WAITING:
                return "unsure"
            case State.NOTHING | State.RUNNING:
                return "open"


@dataclass(frozen=True)
class Line:
    """A finding of the gate, and what it is about: `asked` is its part of the rule, in words."""

    about: Literal["rule", "slice", "segment", "other"]
    metric: str
    where: str
    asked: str
    opponent: str
    finding: Finding

    def seen(self, name: str) -> float | None:
        """What was measured under that name."""
        return self.finding.measured.get(name)

    @property
    def compares(self) -> bool:
        return "difference" in self.finding.measured

    @property
    def rows(self) -> int | None:
        rows = self.seen("rows")
        return None if rows is None else int(rows)

    @property
    def power(self) -> float | None:
        """In how many cases an equally good model passes on as many rows, where that left it undecided."""
        return self.seen("power")

    @property
    def gain(self) -> float:
        """What the challenger gains, as a share of what it may lose (or as it is): negative is worse."""
        difference = self.seen("difference") or 0.0
        better = -1.0 if "most" in self.finding.measured and "least" not in self.finding.measured else 1.0
        return better * difference / (self.seen("margin") or 1.0)


@dataclass(frozen=True)
class Change:
    """One key of the gate that is not what it was when the champion was judged."""

    key: str
    before: str
    after: str
    effect: Literal["relaxed", "tightened", "changed"]


@dataclass(frozen=True)
class PolicyChange:
    """How the gate differs from the one that let the champion pass, in the release `since`."""

    since: str
    changes: tuple[Change, ...]

    @property
    def relaxed(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.effect == "relaxed")


@dataclass(frozen=True)
class Data:
    """What was trained on."""

    name: str
    version: str
    size: int
    rows: int | None
    sample: str


@dataclass(frozen=True)
class Step:
    """A step of the training. `saved` is what it took in the job it was reused from, as far as that is known."""

    name: str
    status: JobStatus
    seconds: float
    reused_from: str | None = None
    saved: float | None = None
    why: str = ""
    log: str = ""


@dataclass(frozen=True)
class Training:
    """The training job: `adopted` where an earlier job had trained the same."""

    job: str
    status: JobStatus
    run_id: str
    seconds: float | None
    adopted: bool
    steps: tuple[Step, ...]
    metrics: Mapping[str, float]
    why: str = ""

    @property
    def saved(self) -> float:
        """Seconds that need not be spent, because they had been."""
        return sum(step.saved or 0.0 for step in self.steps)


@dataclass(frozen=True)
class Checked:
    """Tests of a deployment, or a watch over it, and what came of them."""

    what: str
    verdict: Verdict


@dataclass(frozen=True)
class Share:
    """From that moment on, so many seconds after the rollout began, the new deployment has this share of the
    traffic."""

    seconds: float
    percent: int


@dataclass(frozen=True)
class StageLine:
    """What a release did at a stage, or will. `seconds` is how long its rollout took, or takes so far."""

    name: str
    endpoint: str
    state: AtStage
    how: str
    why: str = ""
    deployment: str = ""
    approval: str = ""
    seconds: float | None = None
    checks: tuple[Checked, ...] = ()
    traffic: tuple[Share, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class Phase:
    """A part of the release on its time line: seconds since it was opened."""

    name: str
    began: float
    seconds: float
    kind: PhaseKind
    over: bool = True


@dataclass(frozen=True)
class Link:
    """Somewhere to go on reading. Only `https:` and `http:` addresses become one."""

    title: str
    url: str


@dataclass(frozen=True)
class Remark:
    """One thing to be shown where it comes from. `file` is relative to the repository; without it, nowhere."""

    level: Level
    title: str
    text: str
    rule: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Curve:
    """How one model's predictions are spread, and how often they come true, over equal bins of 0 to 1.

    Each bin has its number of rows by label; `mean` is the mean prediction within it.
    """

    model: Model
    negatives: tuple[int, ...]
    positives: tuple[int, ...]
    mean: tuple[float, ...]


@dataclass(frozen=True)
class Headline:
    """What a person reads first: how it stands, and the number or the reason that says so, if there is one."""

    stands: str
    because: str = ""
    joined: Literal[": ", "; "] = ": "

    def __str__(self) -> str:
        return f"{self.stands}{self.joined}{self.because}" if self.because else self.stands


@dataclass(frozen=True)
class Report:
    """All that there is to tell of one release. `seconds` is how long it took, or takes so far."""

    project: str
    state: State
    headline: Headline
    summary: str
    release: str = ""
    trigger: str = ""
    commit: str = ""
    branch: str = ""
    dirty: bool = False
    opened: datetime | None = None
    seconds: float | None = None
    model: str = ""
    champion: str = ""
    outcome: Outcome | None = None
    rows: int | None = None
    confidence: float = 0.95
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    policy: PolicyChange | None = None
    data: Data | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    training: Training | None = None
    stages: tuple[StageLine, ...] = ()
    ahead: str = ""
    next: tuple[str, ...] = ()
    reproduce: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    links: tuple[Link, ...] = ()
    remarks: tuple[Remark, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def rules(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.about in ("rule", "other"))

    @property
    def slices(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.about == "slice")

    @property
    def segments(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.about == "segment")

    @property
    def worst_slice(self) -> Line | None:
        """The one that decided for the worse, those that block before others; among those alike, what gains least."""
        order = (Outcome.FAIL, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.PASS)
        compared = [line for line in self.slices if line.compares]
        return min(
            compared,
            key=lambda line: (not line.finding.blocking, order.index(line.finding.outcome), line.gain),
            default=None,
        )
