"""When what happened: the phases of a release, and how the traffic moved, out of its events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ctrain import events as of
from ctrain.events import Event
from ctrain.report.report import Phase, PhaseKind, Share


def phases(events: Sequence[Event], waits: Sequence[str], now: datetime) -> tuple[Phase, ...]:
    """In the order in which they began; the last one may not be over. `waits` are the stages that a person opens."""
    walk = _Walk(events[0].at if events else now, waits)
    for event in events:
        walk.take(event)
    return walk.told(now)


def traffic(events: Sequence[Event], stage: str, deployment: str) -> tuple[Share, ...]:
    """The share of the live traffic that the deployment had, from the rollout's last beginning on."""
    shares: list[Share] = []
    began: datetime | None = None
    for event in events:
        match event.what:
            case of.RolloutBegan(at, name) if at == stage and name == deployment:
                began, shares = event.at, [Share(0.0, 0)]
            case of.Shifted(at, split) if at == stage and began is not None:
                shares.append(Share((event.at - began).total_seconds(), split.get(deployment, 0)))
    return tuple(shares)


def rollout_seconds(events: Sequence[Event], stage: str, now: datetime) -> float | None:
    """From the first act at the stage, in its last rollout, to its end, or until now."""
    began: datetime | None = None
    ended: datetime | None = None
    for event in events:
        match event.what:
            case of.Creating(at) | of.RolloutBegan(at) if at == stage:
                if began is None or ended is not None:
                    began, ended = event.at, None
            case of.Promoted(at) | of.Restored(at) if at == stage:
                ended = event.at
            case of.Closed() if began is not None and ended is None:
                ended = event.at
    return None if began is None else ((ended or now) - began).total_seconds()


class _Walk:
    """What is under way, as the events go by."""

    def __init__(self, opened: datetime, waits: Sequence[str]) -> None:
        self.opened = opened
        self.last = opened
        self.waits = set(waits)
        self.done: list[Phase] = []
        self.now: tuple[str, datetime, PhaseKind] | None = None

    def take(self, event: Event) -> None:
        match event.what:
            case of.Submitting():
                self.begin("train", event.at)
            case of.Extending():
                self.begin("more rows", event.at, "train")
            case of.Trained(run):
                self.end(event.at)
                if run.status.succeeded:
                    self.begin("gate", event.at, "gate")
            case of.Judged():
                self.end(event.at)
            case of.Registering():
                self.begin("register", event.at, "register")
            case of.Registered():
                self.end(event.at)
            case of.Creating(stage) | of.RolloutBegan(stage):
                self.stage(stage, event.at)
            case of.Paused(stage):
                self.begin(f"paused, {stage}", event.at, "waiting")
            case of.Resumed(stage) if self.now is not None and self.now[2] == "waiting":
                self.begin(stage, event.at, "deploy")
            case of.Promoted() | of.Restored() | of.Closed():
                self.end(event.at)
            case _:
                pass
        self.last = event.at

    def stage(self, name: str, at: datetime) -> None:
        if self.now is not None and self.now[0] == name:
            return
        self.end(at)
        if name in self.waits:
            self.waits.discard(name)
            self.add(f"waiting for a person, {name}", self.ended, at, "waiting")
        self.begin(name, at, "deploy")

    @property
    def ended(self) -> datetime:
        """When the last phase ended: a wait began there, whoever has approved since."""
        last = max((phase.began + phase.seconds for phase in self.done), default=0.0)
        return self.opened + timedelta(seconds=last)

    def begin(self, name: str, at: datetime, kind: PhaseKind = "train") -> None:
        self.end(at)
        self.now = (name, at, kind)

    def end(self, at: datetime) -> None:
        if self.now is not None:
            name, began, kind = self.now
            self.now = None
            self.add(name, began, at, kind)

    def add(self, name: str, began: datetime, ended: datetime, kind: PhaseKind, *, over: bool = True) -> None:
        seconds = max((ended - began).total_seconds(), 0.0)
        place = (began - self.opened).total_seconds()
        self.done.append(Phase(name, place, seconds, kind, over))

    def told(self, now: datetime) -> tuple[Phase, ...]:
        if self.now is not None:
            name, began, kind = self.now
            self.add(name, began, now, kind, over=False)
        return tuple(self.done)
