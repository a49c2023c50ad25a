"""Endpoints that are far away are looked at together."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import cast

import pytest

from ctrain.errors import PlatformUnavailable
from ctrain.flow.side_by_side import endpoints
from ctrain.ports import Serving
from ctrain.serving import Endpoint
from tests.builders import DEV, PROD, TEST
from tests.memory import MemoryBackend


class Together:
    """A platform on which no look ends before all three have begun; `broken` names an endpoint that cannot be read."""

    def __init__(self, broken: str = "") -> None:
        self.all = threading.Barrier(3)
        self.broken = broken

    def look(self, endpoint: str) -> Endpoint | None:
        self.all.wait(10)
        if endpoint == self.broken:
            raise PlatformUnavailable(f"{endpoint} is away", why="it is asked to be", hint="ask for something else")
        return Endpoint(endpoint, f"http://{endpoint}/score", running=True)


def test_all_stages_are_looked_at_at_once(world: MemoryBackend) -> None:
    """Three looks take as long as the slowest of them, and each stage gets its own."""
    platform = Together()

    seen = endpoints([DEV, TEST, PROD], replace(world.ports, serving=lambda _: cast("Serving", platform)))

    assert {name: one and one.name for name, one in seen.items()} == {
        stage.name: stage.endpoint for stage in (DEV, TEST, PROD)
    }


def test_what_a_look_raises_is_raised(world: MemoryBackend) -> None:
    """One stage that cannot be seen is not taken for one that serves nothing."""
    platform = Together(TEST.endpoint)

    with pytest.raises(PlatformUnavailable, match=TEST.endpoint):
        endpoints([DEV, TEST, PROD], replace(world.ports, serving=lambda _: cast("Serving", platform)))
