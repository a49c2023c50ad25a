"""How long a server gets, and how long we wait before the next try."""

from __future__ import annotations

from ctrain.backends.local.serving.deployment import BACK_OFF_LIMIT, START_LIMIT, back_off, start_budget
from ctrain.serving import Probe


def test_the_stricter_probe_bounds_the_start() -> None:
    """Its delay and all the failures that it allows, up to our own limit."""
    quick, slow = Probe(initial_delay=1, period=0.1, failure_threshold=5), Probe(period=10, failure_threshold=20)
    assert start_budget(slow, quick) == 1.5
    assert start_budget(quick, slow) == 1.5
    assert start_budget(Probe(period=100), Probe(period=100)) == START_LIMIT


def test_pauses_between_tries_grow_up_to_a_limit() -> None:
    """The first try comes almost at once, a crash loop costs next to nothing."""
    pauses = [back_off(crashes) for crashes in range(1, 100)]
    assert pauses[0] == 0.1
    assert pauses == sorted(pauses)
    assert pauses[-1] == BACK_OFF_LIMIT
