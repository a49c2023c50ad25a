"""Live progress: a line for everything that happened, and, on a terminal, what is going on right now."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, assert_never

from ctrain import events
from ctrain.amounts import duration
from ctrain.cli.neutral import neutral
from ctrain.cli.terminal import mark, say
from ctrain.events import Event
from ctrain.flow.journal import Asking, News, Queueing, Waiting
from ctrain.ports import Backend
from ctrain.rollout import at_share
from ctrain.rollout.drilling import Drilled, Drilling
from ctrain.training import JobStatus, StepRun, TrainingRun
from ctrain.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from rich.live import Live
    from rich.spinner import Spinner


SILENCE = 60.0
"""Seconds after which a log hears that we are still there: who reads it, and CIs that end silent jobs, want to know."""


class Progress:
    """Tell it the news. As a context manager it keeps a live line on a terminal; elsewhere it only prints lines."""

    def __init__(self, at: Backend | None) -> None:
        self.at = at
        self.live: Live | None = None
        self.spinner: Spinner | None = None
        self.told: set[tuple[str, str]] = set()
        self.adopted: set[str] = set()
        self.began: dict[str, datetime] = {}
        self.heard = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._still()

    def __call__(self, news: News) -> None:
        if self.at is None:
            return
        match news:
            case Event():
                self._still()
                self._event(news)
            case TrainingRun():
                self._training(news)
            case Waiting():
                self._now(f"{news.stage}: {news.deployment} is starting, {duration(news.seconds)}")
            case Asking(stage, deployment):
                self._now(f"{stage}: asking {deployment}")
            case Queueing():
                self._queue(news)
            case _:
                assert_never(news)

    def _queue(self, news: Queueing) -> None:
        if ("wait", news.lock) not in self.told:
            self.told.add(("wait", news.lock))
            place = f", in {news.where}" if news.where else ""
            self._line("·", None, "wait", f"for the lock {news.lock}, which {news.holder} has{place}")
        self._now(f"waiting for {news.holder}, {duration(news.seconds)}")

    def _line(self, sign: str, color: str | None, subject: str, text: str) -> None:
        self._still()
        self.heard = time.monotonic()
        say(f" {subject:<10} {text}", color=color, lead=f"  {sign}")

    def _event(self, event: Event) -> None:
        match event.what:
            case events.Opened(plan):
                dirty = " + uncommitted changes" if plan.source.dirty else ""
                where = f"{plan.source.short} on {plan.source.branch}" if plan.source.branch else plan.source.short
                say(f"release {event.release}  ({plan.trigger}, {where}{dirty})", bold=True)
            case events.Submitting(job, adopted):
                self._submitting(job, adopted=adopted)
            case events.Trained(run):
                self._trained(run)
            case events.Judged(verdict, rows):
                self._verdict("gate", f"{verdict.outcome}, over {rows:,} rows", verdict, every=True)
            case events.Registered(version):
                self._line("✓", "green", "register", f"{version}, digest {version.digest[:12]}")
            case events.Smoked(stage, deployment, live, verdict):
                passed = sum(finding.outcome is Outcome.PASS for finding in verdict.findings)
                how = "through the endpoint" if live else "by name, at 0% traffic"
                text = f"smoke {deployment} {how}: {passed} of {len(verdict.findings)} checks passed"
                self._verdict(stage, text, verdict, every=False)
            case events.Shifted(stage, traffic):
                split = ", ".join(f"{name} {percent}%" for name, percent in traffic.items() if percent) or "nothing"
                self._line("→", None, stage, f"traffic: {split}")
            case events.RolloutBegan(stage):
                self.began[stage] = event.at
            case events.Promoted(stage, deployment):
                began = self.began.get(stage)
                took = f", after {duration((event.at - began).total_seconds())}" if began else ""
                self._line("✓", "green", stage, f"{deployment} serves{took}")
            case events.Mirroring() | events.Watching() | events.Watched() | Drilling() | Drilled():
                self._watch(event.what)
            case _:
                self._person(event)

    def _watch(self, what: events.Mirroring | events.Watching | events.Watched | Drilling | Drilled) -> None:
        match what:
            case Drilling(stage, deployment):
                self._line("→", None, stage, f"drill: a rollback is rehearsed with {deployment}")
            case Drilled(stage, _, first, settled):
                self._line("✓", "green", stage, f"drill: back after {first:.2f} s, wholly after {settled:.2f} s")
            case events.Mirroring(stage, traffic):
                copied = ", ".join(f"{percent}% to {name}" for name, percent in traffic.items()) or "no more"
                self._line("→", None, stage, f"mirror live requests: {copied}")
            case events.Watching(stage, deployment, share, seconds):
                self._line("→", None, stage, f"watch {deployment} {at_share(share)} for {duration(seconds)}")
            case events.Watched(stage, deployment, share, verdict):
                self._verdict(stage, f"{deployment} {at_share(share)}: {verdict.outcome}", verdict, every=True)
            case _:
                assert_never(what)

    def _person(self, event: Event) -> None:
        """What people said, and that something waits for them."""
        match event.what:
            case events.Approved(stage, who, reason):
                self._line("✓", "green", stage, f"approved by {who}: {reason}")
            case events.PauseAsked(stage, who, reason):
                self._line("·", "yellow", stage, f"{who} asks for a pause: {reason}")
            case events.Paused(stage, _, share, why):
                self._line("·", "yellow", stage, f"paused {at_share(share)}: {why}")
            case events.Resumed(stage, _, who, reason, without):
                gone = f"; without {', '.join(without)}" if without else ""
                self._line("·", "yellow", stage, f"{who} lets it go on: {reason}{gone}")
            case events.AbortAsked(stage, who, reason, superseded_by):
                text = f"{superseded_by} takes its turn" if superseded_by else f"{who} aborts it: {reason}"
                self._line("·", "yellow", stage, text)
            case events.Readmitted(stage, version, who, reason):
                self._line("·", "yellow", stage, f"{who} lets {version} go there again: {reason}")
            case _:
                self._trouble(event)

    def _submitting(self, job: str, *, adopted: bool) -> None:
        if adopted:
            self.adopted.add(job)
            text = f"job {job}: the same code, data, parameters and environment, not trained again"
            self._line("↻", "cyan", "train", text)
        else:
            self._line("→", None, "train", f"job {job}")

    def _trouble(self, event: Event) -> None:
        match event.what:
            case events.Creating(stage, endpoint):
                self._line("→", None, stage, f"start {endpoint}")
            case events.Placing(stage, deployment):
                self._line("→", None, stage, f"place {deployment} at 0% traffic")
            case events.Rejected(stage, deployment, why, log):
                self._line("✗", "red", stage, f"{deployment} was given up: {why}")
                self._excerpt(log, 30)  # a traceback, and what the server says after it
            case events.Logged(_, _, log):
                self._excerpt(log, 30)  # a traceback, and what the server says after it
            case events.Removing(stage, deployment, why):
                self._line("→", None, stage, f"remove {deployment}: {why}")
            case events.Restored(stage):
                self._line("↺", "yellow", stage, "serves what it served before")
            case events.RolledBack(stage, to, why, begun=False):
                self._line("↺", "yellow", stage, f"rolled back to {to}: {why}")
            case events.Cancelling(job, why):
                self._line("→", None, "train", f"cancel the job {job}: {why}")
            case events.Registering(model):
                self._now(f"registering {model}")
            case events.Crowning(version):
                self._now(f"making {version} the champion")
            case events.Crowned(version):
                self._line("✓", "green", "champion", str(version))
            case _:
                pass

    def _verdict(self, subject: str, text: str, verdict: Verdict, *, every: bool) -> None:
        sign, color = mark(verdict.outcome)
        self._line(sign, color, subject, text)
        for finding in verdict.findings:
            if every or finding.outcome is not Outcome.PASS:
                sign, color = mark(finding.outcome)
                aside = "" if finding.blocking else " (advisory)"
                self._line(f"    {sign}", color, finding.subject, finding.says + aside)
        for note in verdict.notes if every else ():
            self._line("    ·", None, "note", note)

    def _training(self, run: TrainingRun) -> None:
        for step in run.steps if run.job not in self.adopted else ():
            if step.status.ended and (run.job, step.name) not in self.told:
                self.told.add((run.job, step.name))
                self._step(step)
        if not run.status.ended:
            self._now(_going(run.steps) or f"the job {run.job} is {run.status.told}")

    def _step(self, step: StepRun) -> None:
        if step.reused_from is not None:
            self._line("    ↻", "cyan", step.name, f"reused from {step.reused_from}")
        elif step.status is JobStatus.COMPLETED:
            self._line("    ✓", "green", step.name, f"{duration(step.seconds)}   {_near(step.log)}")
        else:
            how, _, log = (step.error or "").partition("\n")
            text = f"{step.status} after {duration(step.seconds)}{f': {how}' if how else ''}   {_near(step.log)}"
            self._line("    ✗", "red", step.name, text)
            self._excerpt(log, 20)

    def _trained(self, run: TrainingRun) -> None:
        if run.job in self.adopted and run.status.succeeded:
            return
        took = duration((run.ended - run.submitted).total_seconds()) if run.ended and run.submitted else ""
        if run.status.succeeded:
            self._line("✓", "green", "train", f"{took}   {_near(run.log)}")
        else:
            how, _, log = (run.error or "").partition("\n")
            self._line("✗", "red", "train", f"{run.status}{f': {how}' if how else f' after {took}'}")
            self._excerpt(log, 20)

    def _excerpt(self, log: str, lines: int) -> None:
        for line in log.strip().splitlines()[-lines:]:
            say(f"      │ {line}")

    def _now(self, text: str) -> None:
        """What is going on: on a terminal a line that changes in place, elsewhere a line now and then."""
        if not sys.stderr.isatty():
            if time.monotonic() - self.heard >= SILENCE:
                self._line("·", None, "still", text)
            return
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner
        from rich.text import Text

        if self.spinner is None:
            self.spinner = Spinner("dots")
        self.spinner.update(text=Text(neutral(text)))
        if self.live is None:
            self.live = Live(self.spinner, console=Console(stderr=True), refresh_per_second=8, transient=True)
            self.live.start()

    def _still(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


def _near(file: str | None) -> str:
    """A file's path as one would type it here."""
    if file is None:
        return ""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):
        return file


def _going(steps: Sequence[StepRun]) -> str:
    running = [f"{step.name} {duration(step.seconds)}" for step in steps if not step.status.ended and step.seconds]
    done = sum(step.status.ended for step in steps)
    return f"{done} of {len(steps)} steps; now {', '.join(running)}" if running else ""
