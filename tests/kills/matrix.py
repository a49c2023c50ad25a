"""All the places where a run is killed, one after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kills.arena import Arena, State, calls_in


@dataclass(frozen=True)
class Kill:
    """Before or after the call with that number, which was of that name in the run that was watched."""

    number: int
    call: str
    when: str

    def __str__(self) -> str:
        return f"{self.when} call {self.number} ({self.call})"


@dataclass(frozen=True)
class Fate:
    """What became of it: None where there was nothing to say against it. `killed`: it had not ended before."""

    kill: Kill
    killed: bool
    wrong: str | None


def learn(arena: Arena, folder: Path, deliveries: int = 3) -> tuple[list[Kill], State]:
    """The places, and the state that an undisturbed delivery leaves: from the third one on all are alike, as it is the
    first that takes a deployment away."""
    told = folder / "learn-1.jsonl"
    assert arena.strike(told) == 0
    for _ in range(deliveries - 1):
        arena.another_model()
        told = folder / f"learn-{arena.models}.jsonl"
        assert arena.strike(told) == 0
    calls = calls_in(told)
    kills = [Kill(number, call, when) for number, call in enumerate(calls, 1) for when in ("before", "after")]
    return kills, arena.state()


def chosen(kills: list[Kill], count: int, seed: int) -> list[Kill]:
    """So many of them, by chance, in their order."""
    picked = random.Random(seed).sample(kills, min(count, len(kills)))  # noqa: S311  the same ones each time
    return sorted(picked, key=lambda kill: (kill.number, kill.when))


def strike_all(arena: Arena, kills: list[Kill], wanted: State, folder: Path) -> Iterator[Fate]:
    """Each of them: killed there, run again, and held against the state that is wanted."""
    for kill in kills:
        arena.another_model()
        code = arena.strike(folder / f"killed-{arena.models}.jsonl", kill.number, kill.when)
        arena.wait()
        again = arena.run()
        if again.code != 0:
            yield Fate(kill, code != 0, f"running again ended with {again.code}: {again.err[-2000:]}")
            continue
        found = arena.state()
        yield Fate(kill, code != 0, None if found == wanted else f"it came to {found}, and not to {wanted}")
