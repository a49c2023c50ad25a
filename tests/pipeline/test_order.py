"""Runnable orders, and the cycles that prevent them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ctrain.pipeline.order import cycle, runnable

NAMES = [f"s{number}" for number in range(8)]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, frozenset[str]]:
    """Names in some written order, each waiting for any of them, itself too."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return {name: draw(st.frozensets(st.sampled_from(names), max_size=3)) for name in names}


@given(graphs())
def test_each_comes_after_all_that_it_waits_for(after: dict[str, frozenset[str]]) -> None:
    """And no name comes twice."""
    ordered = runnable(after)
    assert len(set(ordered)) == len(ordered)
    for place, name in enumerate(ordered):
        assert after[name] <= set(ordered[:place])


@given(graphs())
def test_what_is_left_out_has_a_cycle(after: dict[str, frozenset[str]]) -> None:
    """Each of the cycle waits for the next, and the last is the first."""
    left = [name for name in after if name not in set(runnable(after))]
    if left:
        ring = cycle(after, left)
        assert ring[0] == ring[-1]
        assert all(next_one in after[one] for one, next_one in pairwise(ring))


@given(st.permutations(NAMES), st.data())
def test_the_order_is_the_first_of_all_in_the_order_of_writing(written: list[str], data: st.DataObject) -> None:
    """At every place stands the earliest written of those that could."""
    after = {
        name: data.draw(st.frozensets(st.sampled_from(written[:place]), max_size=2)) if place else frozenset[str]()
        for place, name in enumerate(written)
    }
    shuffled = data.draw(st.permutations(written))
    ordered = runnable({name: after[name] for name in shuffled})
    for place, name in enumerate(ordered):
        could = [one for one in shuffled if one not in ordered[:place] and after[one] <= set(ordered[:place])]
        assert name == could[0]
