"""`make test-faults`: every fault at every call of a release, or some of them by chance; prints a table.

python -m tests.faults [--beside N] [--fault NAME]... [--place WORDS] [--count N --seed S] [--told FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.azure.loopback import running
from tests.e2e.azure import azure_tiny
from tests.faults.release import Trial
from tests.faults.sites import Place
from tests.faults.table import FAULTS
from tests.faults.trial import Case, Result, learn, learn_fresh, some, try_all

HOURS = 4 * 3600.0


@dataclass(frozen=True)
class Line:
    """What a file keeps of a result."""

    fault: str
    place: str
    code: int
    told: str
    delivered: bool
    wrong: tuple[str, ...] | list[str]

    @classmethod
    def of(cls, result: Result) -> Line:
        case = result.case
        return cls(case.fault, str(case.place), int(result.code), result.told, result.delivered, result.wrong)


def main() -> int:
    """0 where nothing is wrong."""
    asked = _asked()
    with tempfile.TemporaryDirectory() as folder:
        if asked.beside > 1:
            lines = _beside(asked.beside, asked.fault, Path(folder))
        else:
            lines = list(_tried(asked, Path(folder)))
    print(table(lines))
    return 1 if any(line.wrong for line in lines) else 0


def _beside(count: int, faults: Sequence[str] | None, folder: Path) -> list[Line]:
    """So many processes, each with its part of the faults and a loopback Azure of its own."""
    chosen = [name for name in FAULTS if not faults or name in faults]
    parts = [chosen[share::count] for share in range(count)]
    files = [folder / f"{share}.jsonl" for share in range(count)]
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults",
                "--told",
                str(file),
                *(word for name in part for word in ("--fault", name)),
            ]
        )
        for part, file in zip(parts, files, strict=True)
        if part
    ]
    codes = [process.wait() for process in processes]
    if any(code not in (0, 1) for code in codes):
        raise SystemExit(f"a part ended with {codes}")
    return [Line(**json.loads(line)) for file in files if file.exists() for line in file.read_text().splitlines()]


def _tried(asked: argparse.Namespace, folder: Path) -> Iterator[Line]:
    """All that is asked for, told as it comes."""
    with running(folder / "azure", HOURS) as azure, pytest.MonkeyPatch.context() as patch:
        trial = Trial(azure_tiny(folder / "tiny", azure, patch))
        places = learn(trial)
        print(f"{len(places)} calls x {len(FAULTS)} faults", flush=True)
        with trial.client():
            for cases in _chosen(asked, places):
                yield from _told(asked, trial, cases)
        trial.fresh = True
        places = learn_fresh(trial)
        print(f"and {len(places)} calls of a first delivery", flush=True)
        for cases in _chosen(asked, places):
            yield from _told(asked, trial, cases)


def _told(asked: argparse.Namespace, trial: Trial, cases: list[Case]) -> Iterator[Line]:
    """What came of these, told at once."""
    began, met = time.monotonic(), 0
    for result in try_all(trial, cases):
        line, met = Line.of(result), met + 1
        _tell(line, asked.told)
        yield line
    minutes = (time.monotonic() - began) / 60
    print(f"{cases[0].fault}: met at {met} of {len(cases)} calls in {minutes:.1f} minutes", flush=True)


def _chosen(asked: argparse.Namespace, places: Sequence[Place]) -> Iterator[list[Case]]:
    """The cases, a fault at a time; those that go by chance all at once."""
    if asked.count:
        yield some(places, asked.seed, asked.count)
        return
    for fault in FAULTS:
        cases = [Case(place, fault) for place in places if asked.place in str(place)]
        if cases and (not asked.fault or fault in asked.fault):
            yield cases


def _tell(line: Line, file: Path | None) -> None:
    for wrong in line.wrong:
        print(f"WRONG  {line.fault} at {line.place}: {line.code} {line.told[:300]}\n{wrong}", flush=True)
    if file is not None:
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(line)) + "\n")


def table(results: Sequence[Line]) -> str:
    """A row a fault: how the runs ended that met it, how many releases were delivered in the end, what was wrong."""
    ended: dict[str, Counter[int]] = defaultdict(Counter)
    delivered: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for one in results:
        ended[one.fault][one.code] += 1
        delivered[one.fault] += one.delivered
        wrong[one.fault] += bool(one.wrong)
    codes = sorted({code for counter in ended.values() for code in counter})
    rows = [["fault", "calls", *(f"exit {code}" for code in codes), "delivered in the end", "wrong"]]
    rows.append(["---"] * len(rows[0]))
    for name in [name for name in FAULTS if name in ended]:
        counts = [str(ended[name][code] or "") for code in codes]
        rows.append([name, str(ended[name].total()), *counts, str(delivered[name]), str(wrong[name])])
    total: Counter[int] = sum(ended.values(), Counter())
    rows.append(["all", str(len(results)), *(str(total[code]) for code in codes)])
    rows[-1] += [str(delivered.total()), str(wrong.total())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser()
    words.add_argument("--beside", type=int, default=1, help="so many processes, each with some of the faults")
    words.add_argument("--fault", action="append", choices=list(FAULTS))
    words.add_argument("--place", default="", help="words in the call's name")
    words.add_argument("--count", type=int, help="so many cases by chance")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--told", type=Path, help="a file to add each result to, as a line of JSON")
    return words.parse_args()


if __name__ == "__main__":
    sys.exit(main())
