"""`make test-kill-matrix`: every place on both backends; prints a table and N of N.

python -m tests.kills [--backend local|azureml] [--count N --seed S] [--beside N]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.azure.loopback import running
from tests.e2e.azure import azure_tiny
from tests.kills.arena import Arena, azure_arena, local_arena
from tests.kills.matrix import Fate, Kill, chosen, learn, strike_all

HOURS = 4 * 3600.0


def main() -> int:
    """0 where every killed run came, run again, to what an undisturbed one comes to."""
    asked = _asked()
    wrong = 0
    for backend in asked.backend or ["local", "azureml"]:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            fates = (
                _beside(asked, backend, Path(folder)) if asked.told is None else _share(asked, backend, Path(folder))
            )
        if asked.told is None:
            print(told(backend, fates, (time.monotonic() - began) / 60), flush=True)
        wrong += sum(fate.wrong is not None for fate in fates)
    return 1 if wrong else 0


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser()
    words.add_argument("--backend", choices=["local", "azureml"], action="append")
    words.add_argument("--count", type=int, help="so many places by chance; else all")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--beside", type=int, default=2, help="so many processes, each with a project of its own")
    words.add_argument("--share", type=int, default=0, help="the places of this process, counted from 0")
    words.add_argument("--told", type=Path, help="a file to add each fate to, as a line of JSON")
    return words.parse_args()


def _beside(asked: argparse.Namespace, backend: str, folder: Path) -> list[Fate]:
    """Each process strikes its share of the places."""
    files = [folder / f"{share}.jsonl" for share in range(asked.beside)]
    some = ["--count", str(asked.count), "--seed", str(asked.seed)] if asked.count else []
    words = [sys.executable, "-m", "tests.kills", "--backend", backend, "--beside", str(asked.beside), *some]
    processes = [
        subprocess.Popen([*words, "--share", str(share), "--told", str(file)]) for share, file in enumerate(files)
    ]
    codes = [process.wait() for process in processes]
    fates = [_read(line) for file in files if file.exists() for line in file.read_text().splitlines()]
    if any(code not in (0, 1) for code in codes) or (any(codes) and not any(fate.wrong for fate in fates)):
        raise SystemExit(f"a part ended with {codes}")
    return sorted(fates, key=lambda fate: (fate.kill.number, fate.kill.when))


def _read(line: str) -> Fate:
    read = json.loads(line)
    return Fate(Kill(**read["kill"]), read["killed"], read["wrong"])


def _share(asked: argparse.Namespace, backend: str, folder: Path) -> list[Fate]:
    with arena_of(backend, folder) as arena:
        kills, wanted = learn(arena, folder)
        kills = chosen(kills, asked.count, asked.seed) if asked.count else kills
        mine = kills[asked.share :: asked.beside]
        sys.stderr.write(f"{backend}: {len(mine)} of {len(kills)} places\n")
        fates = []
        for fate in strike_all(arena, mine, wanted, folder):
            fates.append(fate)
            if fate.wrong:
                sys.stderr.write(f"WRONG  {fate.kill}: {fate.wrong}\n")
            with asked.told.open("a") as lines:
                lines.write(json.dumps(asdict(fate)) + "\n")
    return fates


@contextmanager
def arena_of(backend: str, folder: Path) -> Iterator[Arena]:
    """A fresh project on that backend, taken down at the end."""
    if backend == "local":
        arena = local_arena(folder / "tiny")
        try:
            yield arena
        finally:
            arena.repository.down()
        return
    with running(folder / "azure", HOURS) as azure, pytest.MonkeyPatch.context() as patch:
        yield azure_arena(azure_tiny(folder / "tiny", azure, patch))


def told(backend: str, fates: list[Fate], minutes: float) -> str:
    """A row a kind of call, and the sum."""
    right, places = Counter[str](), Counter[str]()
    for fate in fates:
        places[fate.kill.call] += 1
        right[fate.kill.call] += fate.wrong is None
    killed = sum(fate.killed for fate in fates)
    rows = [f"| {call} | {right[call]} of {places[call]} |" for call in places]
    head = ["| killed before and after | the same final state |", "| --- | --- |"]
    total = f"| **all, on {backend}** | **{right.total()} of {places.total()}** |"
    return "\n".join([*head, *rows, total, "", f"{killed} runs were killed, in {minutes:.0f} minutes."])


if __name__ == "__main__":
    sys.exit(main())
