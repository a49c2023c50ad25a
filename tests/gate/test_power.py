"""What so many rows can tell: the formulas, against simulation and by their own logic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.gate.power import error_of, on_rows, power_of
from ctrain.gate.settings import Kind


@pytest.mark.parametrize(("kind", "truth"), [("non_inferior", 0.0), ("equivalent", 0.0), ("superior", 0.02)])
def test_power_is_how_often_it_passes(kind: Kind, truth: float) -> None:
    """Of 20,000 normal estimates with that error, to a percent."""
    error, margin = 0.004, 0.01
    seen = np.random.default_rng(0).normal(truth, error, 20_000)
    low, high = seen - 1.959964 * error, seen + 1.959964 * error
    passed = {
        "non_inferior": low >= -margin,
        "equivalent": (low >= -margin) & (high <= margin),
        "superior": low > margin,
    }[kind]
    found = power_of(kind, margin, error=error, rows=1000, confidence=0.95)
    assert found.passes == pytest.approx(passed.mean(), abs=0.01)


@given(st.floats(0.001, 0.1), st.floats(0.001, 0.1), st.integers(100, 10**6))
def test_on_the_rows_it_needs_it_passes_in_four_of_five_cases(margin: float, error: float, rows: int) -> None:
    """Where there is such a number."""
    for kind in ("non_inferior", "equivalent"):
        found = power_of(kind, margin, error=error, rows=rows, confidence=0.95)
        if found.needs is not None and found.needs > 50:
            there = power_of(kind, margin, error=on_rows(error, rows, found.needs), rows=found.needs, confidence=0.95)
            assert there.passes == pytest.approx(0.8, abs=0.02)


def test_the_error_comes_back_out_of_its_interval() -> None:
    """Half the width over the normal quantile."""
    assert error_of(-0.0196, 0.0196, 0.95) == pytest.approx(0.01, rel=1e-3)


def test_no_margin_needs_no_number_of_rows() -> None:
    """An equally good model is at the margin then: it passes in 2.5% of cases on any rows."""
    found = power_of("non_inferior", 0.0, error=0.01, rows=1000, confidence=0.95)
    assert found.needs is None
    assert found.passes == pytest.approx(0.025, abs=1e-6)


def test_identical_answers_leave_nothing_open() -> None:
    """Without any error, all but a superior model with no margin is certain to pass."""
    assert power_of("non_inferior", 0.0, error=0.0, rows=10, confidence=0.95).passes == 1
    assert power_of("superior", 0.0, error=0.0, rows=10, confidence=0.95).passes == 0
