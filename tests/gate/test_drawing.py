"""Intervals in characters."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.gate.drawing import bar, labels
from ctrain.gate.picture import Picture


def test_a_comparison_is_drawn_against_its_margin() -> None:
    """Shaded, edge, interval with no difference in it, and the numbers below."""
    picture = Picture(-0.005, 0.0011, 0.0075, -0.01, inf, 0.0)
    line, below = bar(picture, 48), labels(picture, 48)
    assert line.index("┃") < line.index("├") < line.index("╎") < line.index("●") < line.index("┤")
    assert line.startswith("░")
    assert not line.endswith("░")
    assert "-0.0100" in below
    assert "+0.0011" in below


def test_both_edges_of_equivalence_are_drawn() -> None:
    """Shaded on both sides."""
    line = bar(Picture(-0.002, 0.0, 0.002, -0.005, 0.005, 0.0), 40)
    assert line.startswith("░")
    assert line.endswith("░")
    assert line.count("┃") == 2


def test_a_relative_picture_is_labelled_in_percent() -> None:
    """As its sentence is."""
    assert "-2.00%" in labels(Picture(-0.01, 0.0, 0.01, -0.02, inf, 0.0, relative=True), 40)


@given(st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(0, 1e3), st.floats(-1e3, 1e3), st.sampled_from([None, 0.0]))
def test_any_interval_can_be_drawn(value: float, below: float, above: float, edge: float, zero: float | None) -> None:
    """In so many characters, whatever the numbers."""
    picture = Picture(value - below, value, value + above, edge, inf, zero)
    assert len(bar(picture, 40)) == 40
    assert "●" in bar(picture, 40)
    assert len(labels(picture, 40)) <= 52


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_an_interval_without_width_is_a_point(value: float) -> None:
    """Identical models."""
    assert "●" in bar(Picture(value, value, value, value, inf, 0.0), 30)
