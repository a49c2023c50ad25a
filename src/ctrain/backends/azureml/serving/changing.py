"""How a change is made: read, change, read again, compare, write, and look until it shows. There is no ETag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.diagnosis import Diagnosis
from ctrain.backends.azureml.serving.endpoint import changes, operation_of, shares, state_of, told
from ctrain.backends.azureml.serving.resources import Resources
from ctrain.backends.azureml.serving.settling import BUSY, RESTING, looks
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.ports import Clock

BUSY_SECONDS: Final = 300.0
"""How long we wait for somebody else's change to end."""

SETTLE_SECONDS: Final = 600.0
"""How long a change of traffic may take until it shows; seen are seconds to a minute."""

STALE_SECONDS: Final = 60.0
"""For so long a GET may show the old split after the operation has ended (Azure/azure-dev#3881)."""

LOST_SECONDS: Final = 6.0
"""For so long we look whether a PUT took effect whose answer did not come, once the endpoint is at rest."""

TRIES: Final = 4
"""How often a change is sent that Azure refuses with 409: once for each change of state."""

LATE_SECONDS: Final = 2.0
"""An endpoint may show that it is at rest while it is busy (Azure/azure-sdk-for-net#36961): so long, and longer each
time, is waited after a 409."""

Change = Callable[[Json], Json | None]
"""What to PUT, made of what is; None where nothing is to be done."""

Shows = Callable[[Json], bool]


class Changes:
    """Changes of endpoints and deployments, one at a time."""

    def __init__(self, resources: Resources, diagnosis: Diagnosis, clock: Clock) -> None:
        self._resources = resources
        self._diagnosis = diagnosis
        self._clock = clock

    def idle(self, endpoint: str, deployment: str | None = None) -> Json:
        """The endpoint, once nothing is being done to it (nor to that deployment).

        Raises Conflict where that lasts, and where there is no endpoint.
        """
        busy = ""
        for _ in looks(self._clock, BUSY_SECONDS):
            body = self._resources.endpoint(endpoint)
            if body is None:
                raise no_endpoint(endpoint)
            other = self._resources.deployment(endpoint, deployment) if deployment else None
            busy = next((state for state in (state_of(body), state_of(other)) if state in BUSY), "")
            if not busy:
                return body
        raise Conflict(
            f"{endpoint} is being changed by somebody else",
            why=f"its state is {busy} for {BUSY_SECONDS / 60:g} minutes",
            hint="wait until that has ended, and run again",
        )

    def send(self, act: Callable[[], object], *, done: Callable[[], bool], rest: Callable[[], object]) -> None:
        """Do it. Refused with 409: wait for `rest`, and do it again. Where no answer came: was it `done`?"""
        for attempt in range(1, TRIES + 1):
            try:
                act()
                return
            except Conflict:
                if done():
                    return
                if attempt == TRIES:
                    raise
                rest()
                self._clock.sleep(attempt * LATE_SECONDS)
            except PlatformUnavailable:
                if done():
                    return
                raise

    def make(self, endpoint: str, change: Change, shows: Shows) -> None:
        """Change an endpoint. Raises Conflict, and writes nothing, where somebody else changes it meanwhile."""
        for attempt in range(1, TRIES + 1):
            before = self.idle(endpoint)
            body = change(before)
            if body is None:
                return
            self._compare(endpoint, before, self._resources.endpoint(endpoint))
            lost: PlatformUnavailable | None = None
            try:
                self._resources.put_endpoint(endpoint, body)
            except Conflict:
                if attempt == TRIES:
                    raise
                self._clock.sleep(attempt * LATE_SECONDS)
                continue
            except PlatformUnavailable as failure:
                lost = failure
            self._wait_until_shown(endpoint, shows, before, lost)
            return

    def _compare(self, endpoint: str, before: Json, now: Json | None) -> None:
        foreign = changes(before, now) if now is not None else ["it has been deleted"]
        if foreign:
            raise Conflict(
                f"somebody else is changing {endpoint}",
                why="; ".join(foreign),
                hint="find out who, look at `ctrain status`, and run again",
            )

    def _wait_until_shown(self, endpoint: str, shows: Shows, before: Json, lost: PlatformUnavailable | None) -> None:
        """`lost` is raised where the answer to the PUT did not come, and the change does not show."""
        at_rest_since: float | None = None
        body = before
        for _ in looks(self._clock, SETTLE_SECONDS):
            found = self._resources.endpoint(endpoint)
            if found is None:
                raise no_endpoint(endpoint)
            body = found
            if state_of(body) not in RESTING:
                at_rest_since = None
                continue
            if state_of(body) != "Succeeded" and operation_of(body) != operation_of(before):
                raise self._diagnosis.failure(body).error(f"the traffic of {endpoint} could not be changed")
            if shows(body):
                return
            now = self._clock.monotonic()
            at_rest_since = now if at_rest_since is None else at_rest_since
            if now - at_rest_since > (STALE_SECONDS if lost is None else LOST_SECONDS):
                break
        raise lost or PlatformUnavailable(
            f"the change of {endpoint} does not show",
            why=f"its state is {state_of(body)}, and its traffic {told(shares(body))}",
            hint="run again: it goes on from what is",
        )


def no_endpoint(endpoint: str) -> Conflict:
    """What to say where an endpoint is not there."""
    return Conflict(f"there is no endpoint {endpoint}", why="it is not in the workspace", hint="create it first")
