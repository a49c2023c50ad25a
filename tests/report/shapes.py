"""Releases in every shape that a report has to tell of, each with its events; verdicts are those of the real gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from ctrain import events as of
from ctrain.data import SampleSpec
from ctrain.gate import Evidence, GateSettings, Rule, Slices, judge
from ctrain.gate.settings import Segments
from ctrain.plan import Plan
from ctrain.project import Trigger
from ctrain.release import Ending, Release
from ctrain.report import Beside, Report, curves_of, make_report
from ctrain.rollout import RolloutSettings
from ctrain.training import JobStatus, StepRun, TrainingRun
from ctrain.verdict import Finding, Outcome, Verdict
from ctrain.version import ModelVersion
from tests.builders import DEV, a_plan, a_stage, a_version
from tests.gate.cases import BINARY, scored, sliced

BEGAN = datetime(2026, 11, 28, 9, 0, 0, tzinfo=UTC)
RUN_URL = "https://github.com/acme/visits/actions/runs/42"
GATE = GateSettings(
    metrics={
        "auc": Rule(direction="up", rule="non_inferior", margin=0.02, floor=0.7),
        "log_loss": Rule(direction="down", rule="absolute", ceiling=0.6, beats=("majority",)),
        "brier": Rule(direction="down", rule="non_inferior", margin="5%", blocking=False),
    },
    slices=Slices(by=("region",), margin=0.05, min_rows=200),
    segments=Segments(min_rows=100),
    min_rows=50,
    resamples=200,
)
CANARY = replace(
    a_stage("prod", approval="required"),
    rollout=RolloutSettings(strategy="canary", steps=(10, 50, 100), bake="5m", mirror=10),
)
REGIONS = ("north", "south", "east", "west")
CHAMPION = a_version(6, digest="d6")


@dataclass
class Story:
    """Events, one after the other, on a clock of their own."""

    plan: Plan
    name: str = "main-b41c9e2-1"
    at: datetime = BEGAN
    events: list[of.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tell(of.Opened(self.plan), 0)

    def tell(self, what: of.What, after: float = 1.0) -> Story:
        self.at += timedelta(seconds=after)
        self.events.append(of.Event(self.name, self.at, "anna in GitHub Actions run 42", what))
        return self

    @property
    def release(self) -> Release:
        made = of.replay(self.events)
        assert made is not None
        return made

    def trained(self, run: TrainingRun, seconds: float = 95.0) -> Story:
        return self.tell(of.Submitting(run.job)).tell(of.Trained(run), seconds)

    def judged(self, verdict: Verdict, rows: int) -> Story:
        return self.tell(of.Judged(verdict, rows, "e" * 64), 2.5)

    def registered(self, version: ModelVersion) -> Story:
        return self.tell(of.Registering(version.name, version.digest)).tell(of.Registered(version), 3.0)

    def approved(self, stage: str, after: float = 900.0) -> Story:
        proof = self.release.proof
        return self.tell(of.Approved(stage, "anna", "agreed with the clinic", proof), after)

    def rolled_out(self, stage: str, *shares: int, fails: str = "", paused: bool = False) -> Story:
        """By those shares, each watched, to the end; or given up at the last of them, or paused there."""
        new, old = "v7-1a2b3c4d", "v6-99aa00bb"
        self.tell(of.Creating(stage, f"visits-{stage}")).tell(of.RolloutBegan(stage, new, {old: 100}))
        self.tell(of.Placing(stage, new)).tell(of.Smoked(stage, new, live=False, verdict=SMOKED), 40)
        for share in shares:
            self.tell(of.Shifting(stage, {old: 100 - share, new: share}))
            self.tell(of.Shifted(stage, {old: 100 - share, new: share}), 0.2)
            bad = fails if share == shares[-1] else ""
            self.tell(of.Watched(stage, new, share, _watched(bad)), 300) if len(shares) > 1 else None
        if fails:
            self.tell(of.Rejected(stage, new, fails))
            self.tell(of.Shifting(stage, {old: 100, new: 0})).tell(of.Shifted(stage, {old: 100, new: 0}), 0.2)
            return self.tell(of.Logged(stage, new, "worker 1 said:\nValueError: out of memory"))
        if paused:
            return self
        return self.tell(of.Smoked(stage, new, live=True, verdict=SMOKED), 5).tell(of.Promoted(stage, new))


SMOKED = Verdict(
    (
        Finding("3 golden rows at once", Outcome.PASS, "the gate's scores came back, within 1e-06"),
        Finding("a body that is not JSON", Outcome.PASS, "refused with 400"),
    )
)


def _watched(bad: str) -> Verdict:
    seen = {"bad": 21.0 if bad else 1.0, "asked": 600.0, "limit": 0.01}
    if bad:
        return Verdict((Finding("errors", Outcome.FAIL, bad, measured=seen),))
    return Verdict((Finding("errors", Outcome.PASS, "1 of 600 failed, at most 1.0% may", measured=seen),))


def a_job(*, reused: bool = False, error: str = "") -> TrainingRun:
    steps = [
        StepRun("prep", JobStatus.COMPLETED, 0.1 if reused else 31.0, "ctrain-0af1-1" if reused else None),
        StepRun("train", JobStatus.FAILED if error else JobStatus.COMPLETED, 52.0, error=error or None),
        *([] if error else [StepRun("evaluate", JobStatus.COMPLETED, 11.5)]),
    ]
    return TrainingRun(
        "ctrain-84c852a4e38f2b793217-1",
        JobStatus.FAILED if error else JobStatus.COMPLETED,
        run_id="181faa5e643147278cf382de2ea34dfe",
        steps=tuple(steps),
        metrics={"train.rows": 14137.0, "evaluate.auc": 0.771847},
        submitted=BEGAN,
        ended=BEGAN + timedelta(seconds=95),
        log="https://ml.azure.com/runs/ctrain-84c852a4e38f2b793217-1",
    )


def evidence_of(rows: int, ours: float) -> Evidence:
    """The rows that are judged, in four regions."""
    where = [REGIONS[row % 17 % 4] for row in range(rows)]
    return sliced(scored(rows, np.random.default_rng(7), ours=ours), "region", where)


@cache
def verdict_of(rows: int, ours: float, *, champion: bool = True, comparable: bool = True) -> Verdict:
    """What the gate says of a challenger with that much noise; the champion has 0.6."""
    seen = sliced(
        scored(rows, np.random.default_rng(7), ours=ours), "region", [REGIONS[r % 17 % 4] for r in range(rows)]
    )
    seen = replace(seen, features=seen.slices, champion=seen.champion if champion else None)
    return judge(GATE, BINARY, seen, champion=str(CHAMPION) if champion else None, comparable=comparable)


def plan_of(trigger: Trigger = Trigger.MAIN, *, champion: bool = True, gate: GateSettings = GATE) -> Plan:
    proposal = trigger is Trigger.PULL_REQUEST
    made = a_plan(
        trigger=trigger,
        stages=() if proposal else (DEV, CANARY),
        champion=CHAMPION if champion else None,
        parameters={"max_iter": 100, "learning_rate": 0.1},
        sample=SampleSpec(0.2, "person", seed=7) if proposal else None,
        gate=gate,
    )
    data = replace(made.data, version="300d528d9751", size=300_646, rows=20_190)
    return replace(made, data=data, source=replace(made.source, run_url=RUN_URL, branch="faster-prep"))


def _passed() -> Story:
    return Story(plan_of()).trained(a_job(reused=True)).judged(verdict_of(4000, 0.4), 4000)


def _delivered() -> Story:
    story = _passed().registered(replace(CHAMPION, version=7, digest="d7")).rolled_out("dev", 100)
    story.approved("prod").rolled_out("prod", 10, 50, 100)
    return story.tell(of.Crowned(a_version(7))).tell(of.Closed(Ending.DELIVERED, "visits:7 serves dev, prod"))


def _first() -> Story:
    story = Story(plan_of(champion=False)).trained(a_job()).judged(verdict_of(4000, 0.4, champion=False), 4000)
    return story.registered(a_version(1)).rolled_out("dev", 100)


def _proposal() -> Story:
    story = Story(plan_of(Trigger.PULL_REQUEST), "pull-request-b41c9e2-1").trained(a_job(reused=True))
    return story.judged(verdict_of(1200, 0.4, comparable=False), 1200).tell(of.Closed(Ending.DELIVERED, "passed"))


def _inconclusive() -> Story:
    story = Story(plan_of(Trigger.PULL_REQUEST), "pull-request-b41c9e2-1").trained(a_job())
    return story.judged(verdict_of(260, 1.2, comparable=False), 260).tell(
        of.Closed(Ending.NEUTRAL, "auc: too few rows")
    )


def _undecided() -> Story:
    story = Story(plan_of()).trained(a_job()).judged(verdict_of(500, 0.6), 500)
    return story.tell(of.Closed(Ending.UNDECIDED, "auc: too few rows"))


def _rejected() -> Story:
    story = Story(plan_of()).trained(a_job()).judged(verdict_of(4000, 2.5), 4000)
    return story.tell(of.Closed(Ending.REJECTED, "auc: too low"))


def _failed() -> Story:
    error = "it ended with exit code 1\nTraceback (most recent call last):\n  ...\nKeyError: 'coinsurance'"
    story = Story(plan_of()).trained(a_job(error=error), 60)
    return story.tell(of.Closed(Ending.TRAINING_FAILED, "train: it ended with exit code 1"))


def _waiting() -> Story:
    return _passed().registered(replace(CHAMPION, version=7, digest="d7")).rolled_out("dev", 100)


def _given_up() -> Story:
    why = "21 of 600 failed, at most 1.0% may: more than chance explains"
    story = _waiting().approved("prod").rolled_out("prod", 10, 50, fails=why)
    return story.tell(of.Restored("prod", why), 4).tell(of.Closed(Ending.ROLLED_BACK, f"prod: {why}"))


def _paused() -> Story:
    story = _waiting().approved("prod").rolled_out("prod", 10, 50, paused=True)
    return story.tell(of.Paused("prod", "v7-1a2b3c4d", 50, "anna asked for it: the clinic has a question"), 20)


def _not_restored() -> Story:
    why = "v6-99aa00bb is not healthy, so that it cannot take the traffic back"
    story = _waiting().approved("prod").rolled_out("prod", 10, fails="3 of 3 requests failed")
    return story.tell(of.Closed(Ending.NOT_RESTORED, f"prod: {why}"))


def _taken_back() -> Story:
    return _delivered().tell(of.RolledBack("prod", "v6-99aa00bb", "the clinic saw wrong scores"), 7200)


def _running() -> Story:
    return Story(plan_of()).tell(of.Submitting("ctrain-84c852a4e38f2b793217-1"))


SHAPES: Mapping[str, Callable[[], Story]] = {
    "delivered": _delivered,
    "first-model": _first,
    "passed-proposal": _proposal,
    "inconclusive-proposal": _inconclusive,
    "undecided": _undecided,
    "rejected": _rejected,
    "training-failed": _failed,
    "waiting": _waiting,
    "given-up": _given_up,
    "paused": _paused,
    "not-restored": _not_restored,
    "rolled-back": _taken_back,
    "running": _running,
}


def beside_of(name: str) -> Beside:
    """The champion's release judged by a stricter gate, what an earlier job took, and the job that runs."""
    stricter = {**GATE.metrics, "auc": replace(GATE.metrics["auc"], margin=0.005)}
    champions = Story(plan_of(gate=replace(GATE, metrics=stricter)), "main-0af1c2d-1").release
    champions = replace(champions, plan=replace(champions.plan, policy="older"))
    return Beside(
        champions=champions if name == "rejected" else None,
        earlier={"ctrain-0af1-1": replace(a_job(), job="ctrain-0af1-1")},
        running=_under_way() if name == "running" else None,
    )


def _under_way() -> TrainingRun:
    steps = (a_job().steps[0], StepRun("train", JobStatus.RUNNING, 22.0))
    return replace(a_job(), status=JobStatus.RUNNING, ended=None, steps=steps)


def report_of(name: str) -> Report:
    """The report of that shape; `nothing` is that of no release."""
    if name == "nothing":
        return make_report(None, (), now=BEGAN)
    story = SHAPES[name]()
    now = story.at + timedelta(seconds=30)
    return make_report(story.release, tuple(story.events), now=now, beside=beside_of(name))


ALL = ("nothing", *SHAPES)


def curves(report: Report) -> Report:
    """With how the predictions were spread, where there were any."""
    if not report.rows:
        return report
    where = evidence_of(report.rows, 0.4)
    return replace(report, curves=curves_of(where, BINARY))


def with_run_url(url: str) -> Report:
    """A delivered release that somebody's CI run of that address made."""
    plan = plan_of()
    story = Story(replace(plan, source=replace(plan.source, run_url=url))).trained(a_job())
    return make_report(story.release, tuple(story.events), now=BEGAN)
