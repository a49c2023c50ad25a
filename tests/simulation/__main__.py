"""`make simulate`: many schedules and a table, or one of them call by call.

python -m tests.simulation [--seeds N] [--first N] [--beside N]
python -m tests.simulation --seed N [--tell] [--shrink]
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation.many import Sum, every, table
from tests.simulation.schedule import draw
from tests.simulation.simulate import shrunk, simulate

MOST_TOLD = 3
"""So many failing seeds are told call by call."""


def main() -> int:
    """0 where no promise was broken."""
    asked = _asked()
    if asked.seed is not None:
        return _one(asked.seed, tell=asked.tell, shrink=asked.shrink)
    began = time.perf_counter()
    total = Sum()
    for told in every(range(asked.first, asked.first + asked.seeds), asked.beside):
        total.add(told)
    print(table(total, asked.first, time.perf_counter() - began, asked.beside))
    for seed in sorted({seed for seeds in total.broken.values() for seed in seeds})[:MOST_TOLD]:
        print()
        _one(seed, tell=True, shrink=False)
    return 1 if total.violations else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--beside", type=int, default=os.cpu_count() or 1, help="how many processes")
    parser.add_argument("--seed", type=int, help="this schedule only")
    parser.add_argument("--tell", action="store_true", help="print its journal")
    parser.add_argument("--shrink", action="store_true", help="leave out of it what does not matter")
    return parser.parse_args()


def _one(seed: int, *, tell: bool, shrink: bool) -> int:
    schedule = shrunk(draw(seed)) if shrink else draw(seed)
    told = simulate(schedule)
    if tell:
        print(schedule.told())
        print(told.journal(), end="")
    for violation in told.violations:
        print(violation)
    print(f"seed {seed}: {len(told.violations)} violations, {told.counted['calls']} calls")
    if told.violations:
        print(f"replay: python -m tests.simulation --seed {seed} --tell     (and --shrink)")
    return 1 if told.violations else 0


if __name__ == "__main__":
    sys.exit(main())
