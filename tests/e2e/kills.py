"""`kill -9` at many moments that chance picks: `make test-kills`. For every day it takes too long."""

from __future__ import annotations

import os
import random

import pytest

from tests.e2e.killing import Killing, by_chance

pytestmark = pytest.mark.e2e

FIRST, COUNT = int(os.environ.get("FIRST", "0")), int(os.environ.get("COUNT", "40"))
"""The seeds: each picks moments of its own, the same ones every time."""


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_whenever_it_is_killed(killing: Killing, seed: int) -> None:
    """Up to three times in a row."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    killing.another_model()
    for _ in range(chance.randint(1, 3)):
        killing.kill(by_chance(chance))

    killing.as_if_undisturbed()
