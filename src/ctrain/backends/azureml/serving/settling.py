"""Waiting until Azure has come to rest, within bounds, and through the Clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ctrain.ports import Clock

FIRST_SECONDS: Final = 0.25
SOON_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 60.0
SHARE: Final = 0.15
"""Pauses double until five seconds, and then are a share of the time waited so far: a minute's wait costs some 15
calls, an hour's under 100."""

BUSY: Final = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
"""Provisioning states in which Azure answers 409 to another change. What else it may invent counts as at rest only
where it is in RESTING."""

RESTING: Final = frozenset({"Succeeded", "Failed", "Canceled"})


def looks(clock: Clock, seconds: float, waited: float = 0.0) -> Iterator[None]:
    """One turn a look: at once, then after growing pauses, until so much time has passed; a last one at the end.

    `waited` is how long it has been waited before, by whoever asks again.
    """
    began, pause = clock.monotonic(), FIRST_SECONDS
    while True:
        yield
        passed = clock.monotonic() - began
        if passed >= seconds:
            return
        clock.sleep(min(max(pause, SHARE * (waited + passed)), LONGEST_SECONDS, seconds - passed))
        pause = min(pause * 2, SOON_SECONDS)
