"""Where intervals end."""

from __future__ import annotations

import numpy as np
import pytest

from ctrain.gate import bounds


def test_surer_is_wider_for_every_kind() -> None:
    """Less error on each side never gives a narrower interval."""
    draws = np.random.default_rng(0).normal(size=2000)
    kinds = [
        bounds.of_students_t(0.5, 0.1, 20),
        bounds.of_students_t(0.5, 0.1, 20, skewness=0.3),
        bounds.of_draws(draws),
        bounds.of_unseen(0.0, 100),
        bounds.on_logits(0.9, bounds.of_students_t(0.9, 0.05, 50)),
        bounds.furthest(bounds.of_draws(draws), bounds.of_students_t(0.0, 1.0, 9)),
    ]
    for kind in kinds:
        ends = [kind(tail) for tail in (0.1, 0.05, 0.025, 0.01)]
        assert [low for low, _ in ends] == sorted((low for low, _ in ends), reverse=True)
        assert [high for _, high in ends] == sorted(high for _, high in ends)


def test_a_long_tail_moves_the_interval_towards_it() -> None:
    """Means of 60 log-normal values: the high end is missed far less often than without, the low end a bit more."""
    generator, truth = np.random.default_rng(0), float(np.exp(0.5))
    missed = {False: [0, 0], True: [0, 0]}
    for _ in range(2000):
        values = generator.lognormal(size=60)
        psi = (values - values.mean()) / 60
        error = float(np.sqrt((psi**2).sum() * 60 / 59))
        skewness = float((psi**3).sum() / (psi**2).sum() ** 1.5)
        for moved in (False, True):
            low, high = bounds.of_students_t(values.mean(), error, 59, skewness=skewness if moved else 0.0)(0.025)
            missed[moved][0] += truth < low
            missed[moved][1] += truth > high
    assert max(missed[True]) < 0.7 * max(missed[False])
    assert sum(missed[True]) < 1.2 * sum(missed[False])


def test_an_interval_is_moved_by_at_most_half_of_its_half_width() -> None:
    """Whatever a few wild values say of the skewness: it still holds what was measured."""
    low, high = bounds.of_students_t(1.0, 0.1, 50, skewness=9.0)(0.025)
    assert low < 1.0 < high
    assert high - 1.0 == pytest.approx(3 * (1.0 - low))


def test_what_was_measured_is_always_inside() -> None:
    """And what is impossible never."""
    kept = bounds.within(bounds.at(0.6, 1.7), 0.5, 0.0, 1.0)
    assert kept(0.025) == (0.5, 1.0)
