"""What the ledger knows of a stage does not hang on whose clock is right, or on who was opened first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ctrain.events import Event, Opened, Promoted, RolloutBegan, What, replay
from ctrain.flow.under_way import remember, under_way
from tests.builders import PROD, a_plan
from tests.memory import MemoryBackend

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def told(world: MemoryBackend, release: str, minutes: float, *whats: What) -> None:
    for what in whats:
        world.ledger.append(Event(release, NOON + timedelta(minutes=minutes), "somebody", what))


def test_a_deployment_was_taken_off_whatever_the_clocks_say(world: MemoryBackend) -> None:
    """Version 1 came by a machine that is ten minutes ahead of the one that brought version 2."""
    told(world, "r-1", 10, Opened(a_plan()), RolloutBegan("prod", "v1", {}), Promoted("prod", "v1"))
    told(world, "r-2", 2, Opened(a_plan()), RolloutBegan("prod", "v2", {"v1": 100}), Promoted("prod", "v2"))
    releases = [made for name in ("r-1", "r-2") if (made := replay(world.ledger.events(name)))]

    past = remember(PROD, releases)

    assert past["v1"].taken_off == NOON + timedelta(minutes=2)


def test_a_rollout_is_under_way_though_a_release_that_was_opened_later_is_done(world: MemoryBackend) -> None:
    """The later one had its turn first."""
    told(world, "r-1", 0, Opened(a_plan()))
    told(world, "r-2", 1, Opened(a_plan()), RolloutBegan("prod", "v2", {}), Promoted("prod", "v2"))
    told(world, "r-1", 2, RolloutBegan("prod", "v1", {"v2": 100}))

    found = under_way(PROD, world.ledger)

    assert found is not None
    assert found.id == "r-1"
