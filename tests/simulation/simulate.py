"""One schedule from its beginning to the calm after the storm."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ctrain.flow import side_by_side
from tests.simulation.baton import Baton, Runaway
from tests.simulation.calm import Calm
from tests.simulation.checker import Checker, Violation
from tests.simulation.people import AGAIN, visit
from tests.simulation.ports import Call, Storm, Visit, Weather
from tests.simulation.schedule import Person, Schedule, Stranger, draw
from tests.simulation.strangers import meddle
from tests.simulation.world import World, remembered_gate


@dataclass
class Told:
    """What came of a schedule."""

    schedule: Schedule
    calls: list[Call] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    ended: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def journal(self) -> str:
        """Every call, in order, and what was wrong."""
        return "\n".join([*(call.told() for call in self.calls), *map(str, self.violations)]) + "\n"


def simulate(schedule: Schedule | int) -> Told:
    """Let it happen, and look."""
    schedule = draw(schedule) if isinstance(schedule, int) else schedule
    told, began = Told(schedule), time.perf_counter()
    baton = Baton()
    world = World(schedule, baton)
    storm = Storm(world, Weather(schedule), Checker(world), told.calls)
    for person in schedule.people:
        baton.enter(person.name, _Life(person, storm, told).live, after=person.at)
    for stranger in schedule.strangers:
        baton.enter("a stranger", _meddling(stranger, storm), after=stranger.at)
    with remembered_gate(), one_after_another():
        try:
            baton.run()
            storm.weather.calm = True
            Calm(storm, told.ended).settle()
        except Runaway:
            storm.checker.wrong(0, "everybody", "it never comes to an end")
    told.violations = storm.checker.violations
    told.counted = storm.weather.counted + storm.checker.counted
    told.counted.update({"hand-overs": baton.handed, "calls": len(told.calls)})
    told.counted["skews"] = sum(person.skew != 0 for person in schedule.people)
    told.seconds = time.perf_counter() - began
    return told


@dataclass
class _Life:
    """Somebody who calls a verb, and somebody who calls it again where that was killed, or could not be done."""

    person: Person
    storm: Storm
    told: Told

    def live(self) -> None:
        person, storm = self.person, self.storm
        rng = random.Random(f"{storm.world.schedule.seed} {person.name}")  # noqa: S311  chance, not secrecy
        for attempt in range(1, person.tries + 1):
            name = f"{person.name}.{attempt}"
            skew = person.skew if attempt == 1 else rng.choice((0.0, rng.uniform(-300, 300)))
            code = visit(person, Visit(name, skew, storm))
            self.told.endings["killed" if code is None else f"{int(code)} {code.name}"] += 1
            if code is not None and code not in AGAIN:
                self.told.ended.add(person.name)
                return
            storm.world.baton.pause(rng.uniform(5, 200))


def _meddling(stranger: Stranger, storm: Storm) -> Callable[[], None]:
    def act() -> None:
        done = meddle(stranger, storm.world, storm.checker)
        if done:
            storm.checker.counted["foreign edits"] += 1
            storm.note("a stranger", "endpoint", stranger.what.value, done, stranger.stage)

    return act


@contextmanager
def one_after_another() -> Iterator[None]:
    """Looks that the flow makes side by side, in threads of their own, are made one after another: in one order."""
    real = vars(side_by_side)["threading"]
    setattr(side_by_side, "threading", _Threading)  # noqa: B010  its own name for it, and nobody else's
    try:
        yield
    finally:
        setattr(side_by_side, "threading", real)  # noqa: B010


@dataclass
class _AtOnce:
    """A thread that has ended once it was started."""

    target: Callable[..., object]
    args: tuple[object, ...]
    name: str
    daemon: bool

    def start(self) -> None:
        self.target(*self.args)


class _Threading:
    """As much of `threading` as is asked for there."""

    Thread = _AtOnce


def shrunk(schedule: Schedule) -> Schedule:
    """The same with what does not matter left out: what is left still breaks the same promises."""
    broken = {violation.promise for violation in simulate(schedule).violations}
    smaller = True
    while smaller:
        smaller = False
        for less in _less(schedule):
            if broken <= {violation.promise for violation in simulate(less).violations}:
                schedule, smaller = less, True
                break
    return schedule


def _less(schedule: Schedule) -> Iterator[Schedule]:
    for person in schedule.people:
        yield schedule.without(person=person.name)
        if person.tries > 1:
            fewer = tuple(replace(one, tries=one.tries - 1) if one == person else one for one in schedule.people)
            yield replace(schedule, people=fewer)
    for number in range(len(schedule.strangers)):
        yield schedule.without(stranger=number)
    for kind, rate in schedule.rates.items():
        if rate:
            yield schedule.without(fault=kind)
