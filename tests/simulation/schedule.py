"""What happens to one project, drawn from a seed: a value, of which parts can be left out to find what matters."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ctrain.bake import BakeSettings
from ctrain.flow.journal import Patience
from ctrain.rollout import RolloutSettings, Stage
from ctrain.rollout.strategy import Strategy
from ctrain.smoke import SmokeSettings

HORIZON = 1500.0
"""Seconds in which people begin to act; the storm is over a while later."""


class Fault(StrEnum):
    """What can happen to a call, or between calls."""

    KILL = "killed"
    INTERRUPT = "interrupted"
    FAIL = "failed calls"
    LOSE = "lost answers"
    SLOW = "slow calls"
    STALE = "stale reads"
    OUTAGE = "outages"


RATES: Mapping[Fault, float] = {
    Fault.KILL: 0.003,
    Fault.INTERRUPT: 0.001,
    Fault.FAIL: 0.002,
    Fault.LOSE: 0.004,
    Fault.SLOW: 0.003,
    Fault.STALE: 0.03,
}
"""How many of the calls, at most, each fault happens to; a schedule draws a share of it."""


class Nature(StrEnum):
    """How a commit's model behaves."""

    GOOD = "good"
    POOR = "refused by the gate"
    CRASHES = "crashes as it starts"
    SLUGGISH = "never becomes ready"
    WRONG = "answers by name are wrong"
    TIRES = "fails under traffic only"


class Verb(StrEnum):
    """What people call."""

    RUN = "run"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    DEPLOY = "deploy"
    BACK_TO = "rollback --to"
    PAUSE = "rollout pause"
    GO_ON = "rollout resume"
    ABORT = "rollout abort"
    RESUME = "resume"
    COLLECT = "gc"


CALLED: Mapping[Verb, int] = {
    Verb.RUN: 4,
    Verb.ROLLBACK: 4,
    Verb.APPROVE: 2,
    Verb.DEPLOY: 2,
    Verb.BACK_TO: 1,
    Verb.PAUSE: 2,
    Verb.GO_ON: 2,
    Verb.ABORT: 1,
    Verb.RESUME: 2,
    Verb.COLLECT: 2,
}
"""How often each is called, beside the run that each commit has."""


class Meddling(StrEnum):
    """What strangers do to an endpoint, past ctrain."""

    SPLIT = "moves the traffic"
    MIRROR = "mirrors"
    REMOVE = "removes a deployment"


@dataclass(frozen=True)
class Commit:
    """One commit, and how its model behaves. `readies` is how many seconds a deployment of it takes to come up."""

    number: int
    nature: Nature
    readies: float

    @property
    def sha(self) -> str:
        return f"{self.number:x}" * 40

    @property
    def committed(self) -> str:
        return f"2026-01-{self.number:02d}T00:00:00+00:00"


@dataclass(frozen=True)
class Person:
    """Somebody who calls a verb at some time, and again while it does not come to an end.

    `about` is the commit's number; `skew` is what the clock of the machine is off by, in seconds; `patience` how long
    they wait for a lock, and when they leave.
    """

    name: str
    verb: Verb
    at: float
    about: int
    stage: str
    skew: float
    tries: int
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Stranger:
    """Somebody who edits an endpoint past ctrain."""

    what: Meddling
    stage: str
    at: float


@dataclass(frozen=True)
class Outage:
    """While it lasts, most calls of that port fail."""

    port: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Schedule:
    """All that is drawn beforehand. What happens to each call is drawn as it is made, from the same seed."""

    seed: int
    stages: tuple[Stage, ...]
    commits: tuple[Commit, ...]
    people: tuple[Person, ...]
    strangers: tuple[Stranger, ...]
    outages: tuple[Outage, ...]
    rates: Mapping[Fault, float]

    def commit(self, number: int) -> Commit:
        return self.commits[number - 1]

    def told(self) -> str:
        """In lines, without what is as always."""
        ways = [f"{one.name} {one.rollout.strategy}, bake {one.rollout.bake}" for one in self.stages]
        rates = [f"{kind.value} {rate:.2%}" for kind, rate in self.rates.items() if rate]
        rest = [*self.commits, *self.people, *self.strangers, *self.outages]
        lines = [f"seed {self.seed}: {'; '.join(ways)}", f"  {', '.join(rates)}", *(f"  {one}" for one in rest)]
        return "\n".join(lines)

    def without(
        self, *, person: str | None = None, fault: Fault | None = None, stranger: int | None = None
    ) -> Schedule:
        """The same, with one thing left out."""
        return replace(
            self,
            people=tuple(one for one in self.people if one.name != person),
            strangers=tuple(one for number, one in enumerate(self.strangers) if number != stranger),
            rates={kind: rate for kind, rate in self.rates.items() if kind is not fault},
            outages=() if fault is Fault.OUTAGE else self.outages,
        )


def draw(seed: int) -> Schedule:
    """The schedule of that seed."""
    rng = random.Random(f"schedule {seed}")  # noqa: S311  chance, not secrecy
    stages = _stages(rng)
    commits = tuple(_commit(number, rng) for number in range(1, rng.choice((2, 2, 3, 3, 4)) + 1))
    names = [stage.name for stage in stages]
    people = [
        Person(f"ci-{one.number}", Verb.RUN, _begins(one, rng), one.number, "", _skew(rng), 6, _patience(rng))
        for one in commits
    ]
    for number in range(rng.randint(0, 8 - len(people))):
        verb = rng.choices(list(CALLED), weights=list(CALLED.values()))[0]
        about = rng.choice(commits).number
        name = f"{verb.value}-{number}"
        tries = rng.choice((1, 2, 3))
        people.append(
            Person(name, verb, rng.uniform(0, HORIZON), about, rng.choice(names), _skew(rng), tries, _patience(rng))
        )
    strangers = tuple(
        Stranger(rng.choice(list(Meddling)), rng.choice(names), rng.uniform(HORIZON * 0.1, HORIZON))
        for _ in range(rng.choice((0, 0, 0, 1, 2)))
    )
    outages = tuple(_outage(rng) for _ in range(rng.choice((0, 0, 0, 1, 2))))
    rates = {kind: most * rng.choice((0, 0.5, 1, 2)) for kind, most in RATES.items()}
    return Schedule(seed, stages, commits, tuple(people), strangers, outages, rates)


def _begins(commit: Commit, rng: random.Random) -> float:
    """The first is on its way before anybody else comes; the others may come at once, or one after another."""
    return 0.0 if commit.number == 1 else rng.uniform(0, HORIZON * 0.7)


def _patience(rng: random.Random) -> Patience:
    """Half of them wait for a lock, and some leave before all is done."""
    return Patience(deadline=rng.choice((None, None, None, rng.uniform(20, 300))), lock=rng.choice((0.0, 60.0, 400.0)))


def _skew(rng: random.Random) -> float:
    """Up to five minutes either way, on every other machine."""
    return rng.choice((0.0, rng.uniform(-300, 300)))


def _commit(number: int, rng: random.Random) -> Commit:
    natures = list(Nature)
    nature = Nature.GOOD if number == 1 else rng.choices(natures, weights=(12, 1, 1, 1, 1, 3))[0]
    return Commit(number, nature, rng.choice((2.0, 10.0, 60.0)))


def _outage(rng: random.Random) -> Outage:
    begins = rng.uniform(0, HORIZON)
    return Outage(rng.choice(("serving", "ledger", "registry")), begins, begins + rng.choice((5.0, 60.0, 300.0)))


def _stages(rng: random.Random) -> tuple[Stage, ...]:
    names = rng.choice((("prod",), ("dev", "prod"), ("dev", "test", "prod")))
    return tuple(_stage(name, rng, last=name == names[-1]) for name in names)


def _stage(name: str, rng: random.Random, *, last: bool) -> Stage:
    strategies: tuple[Strategy, ...] = ("direct", "blue_green", "canary")
    strategy = rng.choice((*strategies, "canary") if last else strategies)
    baked = strategy != "direct"
    judge = BakeSettings(errors=0.2, per_second=0.2, min_requests=4) if baked else BakeSettings()
    return Stage(
        name,
        endpoint=f"visits-{name}",
        approval="required" if last and rng.random() < 0.3 else "none",
        smoke=SmokeSettings(golden=2),
        rollout=RolloutSettings(
            strategy=strategy,
            steps=rng.choice(((10, 100), (10, 50, 100), (50, 100))),
            bake=rng.choice(("30s", "60s", "150s")) if baked else "0s",
            mirror=rng.choice((0, 0, 10)) if baked else 0,
            keep=rng.choice(("0s", "20m")),
            judge=judge,
        ),
    )
