"""Ports at which everything can happen: to one process of ctrain, call by call, by a seed of its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import PurePath
from typing import Any, NamedTuple

from ctrain.errors import CtrainError, PlatformUnavailable
from ctrain.events import Event
from ctrain.plan import Plan
from ctrain.ports import Backend, Lease, Pace
from ctrain.project import Project
from ctrain.rollout import Stage
from ctrain.serving import DeploymentSpec, Endpoint
from ctrain.training import TrainingRun
from ctrain.verdict import Finding, Verdict
from ctrain.version import Lineage, ModelVersion
from tests.memory import MemoryData
from tests.simulation.baton import Baton
from tests.simulation.checker import Checker
from tests.simulation.schedule import Fault, Schedule
from tests.simulation.world import BEGIN, World, trained_folder

WRITES = {
    "serving": {"create", "place", "route", "mirror", "remove"},
    "registry": {"register", "crown", "promote"},
    "trainer": {"submit", "cancel"},
    "ledger": {"append", "keep", "acquire", "renew", "release"},
    "data": {"sample"},
}
OUTAGE_SHARE = 0.7
SLOW_TO_TELL = 4.0
"""So much more often an append is slow, and then to tell that it was done: an act waits for it, and the lease runs."""

STALE_BY = 45.0
"""Seconds that a stale read may be old, at most."""


class Killed(BaseException):
    """SIGKILL: whatever is in a `finally` runs in this thread, and reaches nothing any more."""


class Call(NamedTuple):
    """A line of the journal, unwritten: what was called, by whom, when, and what came of it."""

    at: float
    who: str
    port: str
    method: str
    words: tuple[object, ...]
    came: object

    def told(self) -> str:
        words = ", ".join(map(short, self.words))
        told = f"{self.at:9.2f}  {self.who:14}  {self.port}.{self.method}({words}) -> {short(self.came)}"
        return told.replace(f"{trained_folder()}/", "").replace("\n", " ")


def short(value: object) -> str:
    """In a line that says what matters of it."""
    match value:
        case Endpoint():
            made = {name: "ok" if one.healthy else str(one.state) for name, one in value.deployments.items()}
            mirror = f" mirror {dict(value.mirror)}" if value.mirror else ""
            return f"traffic {dict(value.traffic)}{mirror} of {made}"
        case CtrainError():
            return f"{type(value).__name__}: {value.what}: {value.why}"
        case str():
            return value if len(value) < 60 else f"{value[:60]}…"
        case list() | tuple():
            return f"[{', '.join(map(short, value))}]" if len(value) < 4 else f"{len(value)} of them"
        case _:
            return _by_name(value)


def _by_name(value: object) -> str:
    match value:
        case Lease():
            return f"{value.name} #{value.token}"
        case Event():
            return short(value.what)
        case TrainingRun():
            return f"{value.job} {value.status}"
        case Verdict():
            return str(value.outcome)
        case DeploymentSpec() | Stage():
            return value.name
        case Plan() | Lineage():
            return f"a {type(value).__name__.lower()}"
        case bytes():
            return f"{len(value)} bytes"
        case ModelVersion() | StrEnum() | PurePath():
            return value.name if isinstance(value, PurePath) else str(value)
        case _ if is_dataclass(value):
            parts = (f"{one.name}={short(getattr(value, one.name))}" for one in fields(value) if one.name != "kind")
            return f"{type(value).__name__}({', '.join(parts)})"
        case _:
            return str(value)


@dataclass
class Weather:
    """What happens to everybody's calls, and how often each thing happened. Calm from `until` on."""

    schedule: Schedule
    counted: Counter[str] = field(default_factory=Counter)
    calm: bool = False

    def fate(self, rng: random.Random, port: str, method: str, now: float) -> Fault | None:
        if self.calm:
            return None
        for outage in self.schedule.outages:
            if outage.port == port and outage.begins <= now < outage.ends and rng.random() < OUTAGE_SHARE:
                return Fault.OUTAGE
        drawn = rng.random()
        for kind, rate in self.schedule.rates.items():
            often = rate * SLOW_TO_TELL if kind is Fault.SLOW and method == "append" else rate
            if drawn < often:
                return kind
            drawn -= often
        return None


@dataclass
class RunClock:
    """The clock of one machine: its wall clock is off by `skew` seconds."""

    baton: Baton
    skew: float

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.baton.now + self.skew)

    def monotonic(self) -> float:
        return self.baton.now

    def sleep(self, seconds: float) -> None:
        self.baton.pause(seconds)


class Unasked:
    """A doctor for whom nobody calls."""

    def examine(self, project: Project) -> Iterator[Finding]:
        yield from ()


@dataclass
class Storm:
    """All that a process meets: the world, the weather, and who watches."""

    world: World
    weather: Weather
    checker: Checker
    calls: list[Call] = field(default_factory=list)

    def note(self, who: str, port: str, method: str, came: object, *words: object) -> None:
        self.calls.append(Call(self.world.baton.now, who, port, method, words, came))


class Visit:
    """One process of ctrain, from its first call to its end."""

    def __init__(self, name: str, skew: float, storm: Storm) -> None:
        self.name = name
        self.storm = storm
        self.world = world = storm.world
        self.checker = storm.checker
        self.dead = False
        self.rng = random.Random(f"{world.schedule.seed} {name}")  # noqa: S311  chance, not secrecy
        self.clock = RunClock(world.baton, skew)
        servings: dict[str, Any] = {}

        def serving(stage: Stage) -> Any:
            if stage.name not in servings:
                servings[stage.name] = Port("serving", world.serving, self, stage)
            return servings[stage.name]

        parts: dict[str, Any] = {
            "trainer": Port("trainer", world.trainer, self),
            "registry": Port("registry", world.registry, self),
            "ledger": Port("ledger", world.ledger, self),
            "serving": serving,
        }
        self.ports = Backend(
            name="memory",
            data=MemoryData(),
            clock=self.clock,
            doctor=Unasked(),
            pace=Pace(first=1.0, share=0.1),
            **parts,
        )

    def call(self, port: Port, method: str, words: tuple[Any, ...], named: Mapping[str, Any]) -> object:
        """The call, with all that happens to it."""
        if self.dead:
            raise Killed
        baton, rng, writes = self.world.baton, self.rng, method in WRITES[port.name]
        fate = self.storm.weather.fate(rng, port.name, method, baton.now)
        late = rng.uniform(60, 300) if fate is Fault.SLOW else 0.0
        early = rng.random() < 0.5 and not (fate is Fault.SLOW and method == "append")
        if writes:
            self.checker.begins(self.name, port.name, method, port.stage, words)
            baton.pause(rng.uniform(0.01, 0.15) + (late if early else 0.0))
        self._strike(fate, port, method, words, early=early, writes=writes)
        try:
            came = self._answer(fate, port, method, words, named)
        except CtrainError as failure:
            self.storm.note(self.name, port.name, method, failure, *words)
            raise
        if writes:
            self.checker.took_effect(self.name, port.name, method, port.stage, words)
        self.storm.note(self.name, port.name, method, came, *words)
        self._strike(fate, port, method, words, early=not early, writes=writes, after=True)
        baton.pause(rng.uniform(0.01, 0.15) + (0.0 if early and writes else late))
        return came

    def _strike(
        self,
        fate: Fault | None,
        port: Port,
        method: str,
        words: object,
        *,
        early: bool,
        writes: bool,
        after: bool = False,
    ) -> None:
        """What ends the call before it took effect, or after it did."""
        match fate:
            case Fault.KILL if early:
                self.dead = True
                self._happens(fate, port, method)
                raise Killed
            case Fault.INTERRUPT if early:
                self._happens(fate, port, method)
                raise KeyboardInterrupt
            case Fault.FAIL | Fault.OUTAGE if not after:
                self._happens(fate, port, method)
                raise unavailable(method)
            case Fault.LOSE if after and writes:
                self._happens(fate, port, method)
                raise unavailable(method)
            case Fault.SLOW if not after:
                self._happens(fate, port, method)

    def _happens(self, fault: Fault, port: Port, method: str) -> None:
        self.storm.weather.counted[fault.value] += 1
        self.storm.note(self.name, port.name, method, f"*** {fault.value} ***")

    def _answer(
        self, fate: Fault | None, port: Port, method: str, words: tuple[Any, ...], named: Mapping[str, Any]
    ) -> object:
        if fate is Fault.STALE and method == "look" and port.name == "serving":
            self._happens(fate, port, method)
            return self.world.serving.earlier(words[0], self.rng.uniform(0, STALE_BY))
        return getattr(port.real, method)(*words, **named)


class Port:
    """One port, as one process sees it."""

    def __init__(self, name: str, real: Any, visit: Visit, stage: Stage | None = None) -> None:
        self.name = name
        self.real = real
        self.stage = stage
        self._visit = visit

    def __getattr__(self, method: str) -> Callable[..., object]:
        def call(*words: Any, **named: Any) -> object:
            return self._visit.call(self, method, words, named)

        self.__dict__[method] = call
        return call


def unavailable(what: str) -> PlatformUnavailable:
    """What a backend says that has lost patience, with words of a service that cannot keep a secret."""
    return PlatformUnavailable(f"{what} failed", why="the platform did not answer", hint="run the same command again")
