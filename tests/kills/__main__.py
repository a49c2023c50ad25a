"""`make test-kill-matrix`: every place on both backends; prints a table and N of N.

python -m tests.kills [--backend local|azureml] [--count N --seed S]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.azure.loopback import running
from tests.e2e.azure import azure_tiny
from tests.kills.arena import Arena, azure_arena, local_arena
from tests.kills.matrix import Fate, chosen, learn, strike_all

HOURS = 4 * 3600.0


def main() -> int:
    """0 where every killed run came, run again, to what an undisturbed one comes to."""
    words = argparse.ArgumentParser()
    words.add_argument("--backend", choices=["local", "azureml"], action="append")
    words.add_argument("--count", type=int, help="so many places by chance; else all")
    words.add_argument("--seed", type=int, default=0)
    asked = words.parse_args()
    wrong = 0
    for backend in asked.backend or ["local", "azureml"]:
        with tempfile.TemporaryDirectory() as folder, arena_of(backend, Path(folder)) as arena:
            began = time.monotonic()
            kills, wanted = learn(arena, Path(folder))
            if asked.count:
                kills = chosen(kills, asked.count, asked.seed)
            print(f"{backend}: {len(kills)} places", flush=True)
            fates = []
            for fate in strike_all(arena, kills, wanted, Path(folder)):
                fates.append(fate)
                if fate.wrong:
                    print(f"WRONG  {fate.kill}: {fate.wrong}", flush=True)
            print(told(backend, fates, (time.monotonic() - began) / 60), flush=True)
            wrong += sum(fate.wrong is not None for fate in fates)
    return 1 if wrong else 0


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
    return "\n".join([*head, *rows, total, "", f"{killed} runs were killed, in {minutes:.0f} minutes"])


if __name__ == "__main__":
    sys.exit(main())
