"""Waiting until Azure has come to rest, within bounds, and through the Clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ctrain.ports import Clock

FIRST_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 5.0

BUSY: Final = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
"""Provisioning states in which Azure answers 409 to another change. What else it may invent counts as at rest only
where it is in RESTING."""

RESTING: Final = frozenset({"Succeeded", "Failed", "Canceled"})


def looks(clock: Clock, seconds: float) -> Iterator[None]:
    """One turn a look: at once, then after growing pauses, until so much time has passed; a last one at the end."""
    until, pause = clock.monotonic() + seconds, FIRST_SECONDS
    while True:
        yield
        left = until - clock.monotonic()
        if left <= 0:
            return
        clock.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_SECONDS)
