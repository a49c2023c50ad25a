"""`make test-faults`: every fault at every call of a release, or some of them by chance; prints a table.

python -m tests.faults [--share I/N] [--fault NAME]... [--place WORDS] [--count N --seed S] [--told FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.azure.loopback import running
from tests.e2e.azure import azure_tiny
from tests.faults.release import Trial
from tests.faults.sites import Place
from tests.faults.table import FAULTS
from tests.faults.trial import Case, Result, learn, some, try_all

HOURS = 4 * 3600.0


def main() -> int:
    """0 where nothing is wrong."""
    asked = _asked()
    results: list[Result] = []
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder, "azure"), HOURS) as azure,
        pytest.MonkeyPatch.context() as patch,
    ):
        trial = Trial(azure_tiny(Path(folder, "tiny"), azure, patch))
        places = learn(trial)
        print(f"{len(places)} calls x {len(FAULTS)} faults", flush=True)
        with trial.client():
            for cases in _chosen(asked, places):
                before = len(results)
                for result in try_all(trial, cases):
                    results.append(result)
                    _tell(result, asked.told)
                minutes, met = (time.monotonic() - began) / 60, len(results) - before
                print(f"{minutes:5.1f} min  {cases[0].fault}: met at {met} of {len(cases)} calls", flush=True)
    print(table(results))
    return 1 if any(result.wrong for result in results) else 0


def _chosen(asked: argparse.Namespace, places: Sequence[Place]) -> Iterator[list[Case]]:
    """The cases, a fault at a time; those that go by chance all at once."""
    if asked.count:
        yield some(places, asked.seed, asked.count)
        return
    for number, fault in enumerate(FAULTS):
        if number % asked.of == asked.share - 1 and (not asked.fault or fault in asked.fault):
            cases = [Case(place, fault) for place in places if asked.place in str(place)]
            if cases:
                yield cases


def _tell(result: Result, file: Path | None) -> None:
    for wrong in result.wrong:
        print(f"WRONG  {result.case}: {result.code} {result.told[:300]}\n{wrong}", flush=True)
    if file is not None:
        told = {"fault": result.case.fault, "place": str(result.case.place), "code": result.code, "told": result.told}
        with file.open("a") as lines:
            lines.write(json.dumps({**told, "delivered": result.delivered, "wrong": result.wrong}) + "\n")


def table(results: Sequence[Result]) -> str:
    """A line a fault: how its runs ended, how many releases were delivered in the end, and what was wrong."""
    ended: dict[str, Counter[int]] = defaultdict(Counter)
    delivered: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for result in results:
        name = result.case.fault
        ended[name][result.code] += 1
        delivered[name] += result.delivered
        wrong[name] += bool(result.wrong)
    lines = [
        "| fault | calls tried | the run ended with exit code | delivered in the end | wrong |",
        "|---|---|---|---|---|",
    ]
    for name in FAULTS:
        if name in ended:
            codes = ", ".join(f"{code}: {count}" for code, count in sorted(ended[name].items()))
            lines.append(f"| {name} | {ended[name].total()} | {codes} | {delivered[name]} | {wrong[name]} |")
    lines.append(f"| all | {len(results)} | | {delivered.total()} | {wrong.total()} |")
    return "\n".join(lines)


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser()
    words.add_argument("--count", type=int, help="so many cases by chance")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--share", default="1/1", help="which part of so many: 1/2")
    words.add_argument("--fault", action="append", choices=list(FAULTS))
    words.add_argument("--place", default="", help="words in the call's name")
    words.add_argument("--told", type=Path, help="a file to add each result to, as a line of JSON")
    asked = words.parse_args()
    asked.share, asked.of = (int(part) for part in asked.share.split("/"))
    return asked


if __name__ == "__main__":
    sys.exit(main())
