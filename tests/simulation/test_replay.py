"""A seed is all that it takes to see a schedule again."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.schedule import Verb, draw
from tests.simulation.simulate import simulate

SEEDS = range(40, 46)
SAY = """
import hashlib
from tests.simulation.simulate import simulate
print(hashlib.sha256("".join(simulate(seed).journal() for seed in range(40, 46)).encode()).hexdigest())
"""


def test_a_seed_replays_byte_for_byte() -> None:
    """In another process, after other seeds, and with other hashes of strings."""
    here = hashlib.sha256("".join(simulate(seed).journal() for seed in SEEDS).encode()).hexdigest()
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}

    done = subprocess.run([sys.executable, "-c", SAY], cwd=root, env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == here


def test_another_seed_is_another_schedule() -> None:
    """Or many seeds would prove no more than one."""
    assert len({simulate(seed).journal() for seed in SEEDS}) == len(SEEDS)


def test_all_that_can_happen_does() -> None:
    """Over the seeds of the ordinary tests each verb is called, each fault strikes, and runs end in every way."""
    people = [person for seed in range(100) for person in draw(seed).people]

    assert {person.verb for person in people} == set(Verb)
    assert max(len(draw(seed).people) for seed in range(100)) == 8


@pytest.mark.parametrize("seed", [3])
def test_a_journal_is_for_reading(seed: int) -> None:
    """A line a call: when, who, what, and what came of it."""
    lines = simulate(seed).journal().splitlines()

    assert all(" -> " in line for line in lines)
    assert max(map(len, lines)) < 1000
