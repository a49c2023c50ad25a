"""Look at the endpoints of several stages at once: each may be in a workspace of its own, a second away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from ctrain.ports import Backend
from ctrain.rollout import Stage
from ctrain.serving import Endpoint

Seen = Future[Endpoint | None]


def endpoints(stages: Sequence[Stage], at: Backend) -> dict[str, Endpoint | None]:
    """What each stage's endpoint is, by the stage's name. Raises what the first look in their order raised."""
    looks = begin(stages, at)
    return {name: look.result() for name, look in looks.items()}


def begin(stages: Sequence[Stage], at: Backend) -> dict[str, Seen]:
    """The same, on its way: something else can be asked in the meantime."""
    looks: dict[str, Seen] = {}
    for stage in stages:
        seen: Seen = Future()
        # Daemons: a look that hangs must not keep a command that was interrupted.
        thread = threading.Thread(target=_look, args=(stage, at, seen), name="ctrain-look", daemon=True)
        thread.start()
        looks[stage.name] = seen
    return looks


def _look(stage: Stage, at: Backend, seen: Seen) -> None:
    try:
        seen.set_result(at.serving(stage).look(stage.endpoint))
    except BaseException as failure:  # noqa: BLE001  it is raised where the result is asked for
        seen.set_exception(failure)
