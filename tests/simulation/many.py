"""Many schedules: what came of all of them, in a table."""

from __future__ import annotations

import multiprocessing
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.simulate import Told, simulate


@dataclass
class Sum:
    """What came of many schedules. `broken` are the seeds of those that broke a promise, by how."""

    schedules: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    broken: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    violations: int = 0
    seconds: float = 0.0

    def add(self, told: Told) -> None:
        self.schedules += 1
        self.counted += told.counted
        self.endings += told.endings
        self.violations += len(told.violations)
        self.seconds += told.seconds
        for violation in told.violations:
            how = re.sub(r"\bv\d+-\w+|\b[0-9a-f]{64}\b|\d+", "#", violation.says)
            seeds = self.broken[f"{violation.promise}: {how[:120]}"]
            if told.schedule.seed not in seeds:
                seeds.append(told.schedule.seed)


def every(seeds: Sequence[int], beside: int) -> Iterator[Told]:
    """What came of each, in so many processes."""
    if beside == 1:
        yield from (brief(seed) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(beside) as processes:
        yield from processes.imap(brief, seeds, chunksize=20)


def brief(seed: int) -> Told:
    """Without the calls, which are many."""
    told = simulate(seed)
    told.calls = []
    return told


def table(total: Sum, first: int, seconds: float, beside: int) -> str:
    """In Markdown, as docs/reliability.md shows it."""
    last = first + total.schedules - 1
    rows: list[tuple[str, int | str]] = [
        (f"schedules (seeds {first} to {last})", total.schedules),
        ("steps: calls of a port", total.counted["calls"]),
        ("hand-overs between runs amid their calls", total.counted["hand-overs"]),
        *((name, total.counted[name]) for name in COUNTED),
        ("runs on a clock that is wrong", total.counted["skews"]),
        *(
            (f"ended with {name}", count)
            for name, count in sorted(total.endings.items(), key=lambda one: _code(one[0]))
        ),
        ("**violations**", f"**{total.violations}**"),
        (f"seconds, {beside} beside each other", f"{seconds:.0f}"),
    ]
    lines = ["| what | how many |", "|---|---:|", *(f"| {name} | {_shown(count)} |" for name, count in rows)]
    for how, seeds in sorted(total.broken.items(), key=lambda one: -len(one[1])):
        lines.append(f"\nbroken by {len(seeds)} seeds, such as {seeds[0]}: promise {how}")
    return "\n".join(lines)


COUNTED = (
    "killed",
    "interrupted",
    "failed calls",
    "outages",
    "lost answers",
    "slow calls",
    "stale reads",
    "foreign edits",
    "late effects",
)


def _code(ending: str) -> int:
    return int(ending.split(maxsplit=1)[0]) if ending[0].isdigit() else 1000


def _shown(count: int | str) -> str:
    return f"{count:,}" if isinstance(count, int) else count
