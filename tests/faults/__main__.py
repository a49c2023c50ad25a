"""`make test-faults`: every fault at every call of a release, or some of them by chance; prints a table.

python -m tests.faults [--count N --seed S] [--share I/N] [--fault NAME] [--site WORDS]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.azure.loopback import running
from tests.e2e.azure import azure_tiny
from tests.faults.release import Trial
from tests.faults.table import FAULTS
from tests.faults.trial import Result, attempt, cases, learn


def main() -> int:
    """0 where nothing is wrong."""
    asked = _asked()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder, "azure")) as azure:
        with pytest.MonkeyPatch.context() as patch:
            trial = Trial(azure_tiny(Path(folder, "tiny"), azure, patch))
            sites = learn(trial)
            chosen = [
                case
                for place, case in enumerate(cases(sites, asked.seed, asked.count))
                if place % asked.of == asked.share - 1
                and asked.fault in (None, case.fault)
                and (asked.site is None or asked.site in str(case.site))
            ]
            print(f"{len(sites)} calls x {len(FAULTS)} faults; {len(chosen)} tried here", flush=True)
            for case in chosen:
                result = attempt(trial, case)
                results.append(result)
                for wrong in result.wrong:
                    print(f"WRONG  {case}: {result.under.code} {result.under.told[:300]}\n{wrong}", flush=True)
    print(table(results))
    return 1 if any(result.wrong for result in results) else 0


def table(results: list[Result]) -> str:
    """A line a fault: how its releases ended under it, how often running again delivered, and what was wrong."""
    ended: dict[str, Counter[int]] = defaultdict(Counter)
    delivered: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for result in results:
        name = result.case.fault
        ended[name][result.under.code] += 1
        delivered[name] += result.after.code == 0
        wrong[name] += bool(result.wrong)
    lines = [f"{'fault':28} {'tried':>5}  {'ended with exit code':40} {'then delivered':>14} {'wrong':>5}"]
    for name in FAULTS:
        if name in ended:
            codes = ", ".join(f"{code}: {count}" for code, count in sorted(ended[name].items()))
            lines.append(f"{name:28} {ended[name].total():5}  {codes:40} {delivered[name]:14} {wrong[name]:5}")
    lines.append(f"{'all':28} {len(results):5}  {'':40} {delivered.total():14} {wrong.total():5}")
    return "\n".join(lines)


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser()
    words.add_argument("--count", type=int)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--share", default="1/1", help="which part of so many: 1/2")
    words.add_argument("--fault", choices=list(FAULTS))
    words.add_argument("--site", help="words in the site's name")
    asked = words.parse_args()
    asked.share, asked.of = (int(part) for part in asked.share.split("/"))
    return asked


if __name__ == "__main__":
    sys.exit(main())
