"""Which wish may follow which."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.local.serving.rules import choose, mirroring, placing, removing, routing
from ctrain.backends.local.serving.wish import Placement, Wish
from ctrain.errors import Conflict
from ctrain.serving import DeploymentSpec

NAMES = ("blue", "green", "grey")


def placement(name: str, digest: str = "d1") -> Placement:
    return Placement(DeploymentSpec(name, "m", 1, digest, "/m"), Path("/m"), Path("/python"), served=True)


def a_wish(**traffic: int) -> Wish:
    return Wish("visits", 1, traffic, {}, {name: placement(name) for name in NAMES})


shares = st.dictionaries(st.sampled_from((*NAMES, "ghost")), st.integers(-5, 110), max_size=4)


@given(before=st.permutations([50, 30, 20]), change=shares, healthy=st.sets(st.sampled_from(NAMES)))
def test_traffic_sums_to_100_or_0_after_every_accepted_change(
    before: list[int], change: dict[str, int], healthy: set[str]
) -> None:
    """Whatever is asked: it is refused, or the sum is right and those not named keep theirs."""
    wish = a_wish(**dict(zip(NAMES, before, strict=True)))
    try:
        after = routing(wish, change, healthy)
    except Conflict:
        return
    assert sum(after.traffic.values()) in (0, 100)
    assert all(after.traffic.get(name, 0) == wish.traffic[name] for name in NAMES if name not in change)
    assert all(name in healthy for name, share in change.items() if share)


def test_all_traffic_can_be_taken_away_by_name() -> None:
    """A first release that is rolled back leaves the endpoint as empty as it was; half of it is refused."""
    assert routing(a_wish(), {"blue": 0}, NAMES).traffic == {}
    assert routing(a_wish(blue=100), {"blue": 0}, NAMES).traffic == {}
    with pytest.raises(Conflict, match="split"):
        routing(a_wish(blue=60, green=40), {"blue": 0}, NAMES)


def test_a_deployment_that_gets_live_traffic_is_mirrored_no_more() -> None:
    """Azure refuses one deployment that is both live and mirrored to."""
    wish = replace(a_wish(blue=100), mirror={"green": 10})
    assert routing(wish, {"blue": 90, "green": 10}, NAMES).mirror == {}


def test_a_sick_deployment_can_lose_its_traffic() -> None:
    """Rolling back away from a sick deployment needs only the other one's health."""
    assert routing(a_wish(blue=90, green=10), {"blue": 100, "green": 0}, {"blue"}).traffic == {"blue": 100}


def test_placing_the_same_twice_is_placing_it_once() -> None:
    """The same spec under the same name changes nothing; another spec is a conflict."""
    wish = a_wish()
    assert placing(wish, placement("blue")) is None
    with pytest.raises(Conflict, match="different"):
        placing(wish, placement("blue", digest="d2"))


def test_a_failed_deployment_is_tried_again() -> None:
    """The same spec again replaces one that never came up."""
    failed = replace(placement("blue"), served=False, failed="no such weights")
    wish = Wish("visits", deployments={"blue": failed})
    again = replace(placement("blue"), served=False)
    after = placing(wish, again)
    assert after is not None
    assert after.deployments["blue"].failed is None


def test_what_carries_traffic_cannot_be_removed() -> None:
    """Not even one percent of it; an absent deployment is fine."""
    with pytest.raises(Conflict, match="cannot be removed"):
        removing(a_wish(blue=99, green=1), "green")
    assert removing(a_wish(blue=100), "ghost") is None
    after = removing(a_wish(blue=100), "green")
    assert after is not None
    assert set(after.deployments) == {"blue", "grey"}


@pytest.mark.parametrize(
    "mirror", [{"green": 51}, {"green": 10, "grey": 10}, {"blue": 10}, {"ghost": 10}, {"green": -1}]
)
def test_mirrors_that_azure_refuses_are_refused(mirror: dict[str, int]) -> None:
    """At most 50%, to one deployment that exists and carries no live traffic."""
    with pytest.raises(Conflict, match="mirrored"):
        mirroring(a_wish(blue=100), mirror)


def test_the_split_follows_the_shares() -> None:
    """Over many draws each deployment gets its share, within five standard deviations of a binomial."""
    chance = Random(7)  # noqa: S311
    draws = 20_000
    counted = Counter(choose({"blue": 70, "green": 30, "grey": 0}, chance.random()) for _ in range(draws))
    assert set(counted) == {"blue", "green"}
    assert abs(counted["green"] - 0.3 * draws) < 5 * (draws * 0.3 * 0.7) ** 0.5


def test_nobody_is_chosen_where_nobody_has_a_share() -> None:
    """An endpoint without traffic has nobody to ask."""
    assert choose({}, 0.5) is None
    assert choose({"blue": 0}, 0.5) is None
