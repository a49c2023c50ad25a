"""Schedules by chance, of which none may break a promise: 100 to 199."""

from __future__ import annotations

import pytest

from tests.simulation.simulate import simulate


@pytest.mark.parametrize("first", range(100, 200, 10))
def test_ten_storms_break_no_promise(first: int) -> None:
    """The six promises after every step, and a good end for everybody: see the package."""
    broken = {seed: told.violations for seed in range(first, first + 10) if (told := simulate(seed)).violations}

    assert not broken, f"replay: python -m tests.simulation --seed {min(broken)} --tell"
