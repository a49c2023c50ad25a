"""Corrections for many questions, against the textbook procedures on p-values."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from ctrain.gate.multiplicity import Refuses, benjamini_hochberg, holm

P_VALUES = st.lists(st.floats(0.0001, 1), min_size=1, max_size=12)


def questions(p_values: list[float]) -> list[Refuses]:
    return [lambda tail, p=p: p <= tail for p in p_values]  # type: ignore[misc]


@given(P_VALUES)
@settings(max_examples=20, deadline=None)
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    """Any p-values: the same refusals."""
    expected = set(np.flatnonzero(multipletests(p_values, 0.025, "holm")[0]).tolist())
    assert holm(questions(p_values), 0.025) == expected


@given(P_VALUES)
@settings(max_examples=20, deadline=None)
def test_benjamini_hochberg_is_that_of_statsmodels(p_values: list[float]) -> None:
    """Any p-values: the same refusals."""
    expected = set(np.flatnonzero(multipletests(p_values, 0.025, "fdr_bh")[0]).tolist())
    assert benjamini_hochberg(questions(p_values), 0.025) == expected


def test_no_questions_refuse_nothing() -> None:
    """An empty gate is refused elsewhere."""
    assert holm([], 0.025) == benjamini_hochberg([], 0.025) == frozenset()
