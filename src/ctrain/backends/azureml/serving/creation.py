"""How an endpoint comes into being, whoever began it, and is mended where it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.changing import LATE_SECONDS, TRIES
from ctrain.backends.azureml.serving.diagnosis import Diagnosis
from ctrain.backends.azureml.serving.endpoint import is_ours, operation_of, sent_back, state_of
from ctrain.backends.azureml.serving.resources import Resources
from ctrain.backends.azureml.serving.settling import RESTING, looks
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.ports import Clock

SLICE_SECONDS: Final = 300.0
"""How long one `create` waits, so that who watches hears from us now and then; most come up within two minutes."""

GIVEN_UP_SECONDS: Final = 2400.0
"""An endpoint that is under way for so long will not come: the service's own hint is 30 minutes (the header
`x-ms-async-operation-timeout: PT30M`, recorded in Azure/azure-sdk-assets)."""


class Creation:
    """Brings endpoints into being. Remembers since when it has been waiting for each, and nothing else."""

    def __init__(self, resources: Resources, diagnosis: Diagnosis, clock: Clock) -> None:
        self._resources = resources
        self._diagnosis = diagnosis
        self._clock = clock
        self._waiting_since: dict[str, float] = {}

    def create(self, endpoint: str, fresh: Callable[[], Json]) -> Json:
        """The endpoint, at rest or still under way after five minutes; made of `fresh()` where there is none.

        One that failed is put again where ctrain made it, and never deleted. Raises Conflict where somebody else made
        it, what Azure says of the failure where it fails again, and PlatformUnavailable where it does not come.
        """
        put: Json | None = None
        old_failure: str | None = None
        for _ in looks(self._clock, SLICE_SECONDS, self._waited(endpoint)):
            body = self._resources.endpoint(endpoint) or put
            state = state_of(body)
            if body is None:
                put = self._put(endpoint, fresh())
            elif state == "Succeeded" or (state == "Updating" and put is None):
                self._waiting_since.pop(endpoint, None)
                return body
            elif state == "Deleting":
                put = None
            elif state not in RESTING:
                old_failure = None  # whatever it fails of from here on is new
            elif old_failure is None or operation_of(body) != old_failure:
                if put is not None:
                    raise self._diagnosis.failure(body).error(f"the endpoint {endpoint} could not be created")
                old_failure, put = operation_of(body), self._mend(endpoint, body)
            self._not_for_ever(endpoint, state)
        body = self._resources.endpoint(endpoint) or put
        if body is None:
            why = "the one that had its name is still being deleted"
            raise PlatformUnavailable(f"the endpoint {endpoint} could not be created", why=why, hint="try again later")
        return body

    def _put(self, endpoint: str, body: Json) -> Json:
        """PUT it; where Azure answers 409, as it has it already (our own, whose answer was lost, or somebody's)."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._resources.put_endpoint(endpoint, body)
            except Conflict:
                found = self._resources.endpoint(endpoint)
                if found is not None:
                    return found
                if attempt == TRIES:
                    raise
                self._clock.sleep(attempt * LATE_SECONDS)
        return body

    def _mend(self, endpoint: str, body: Json) -> Json:
        """Put again what failed, whole: its traffic and its deployments stay."""
        if not is_ours(body):
            raise Conflict(
                f"the endpoint {endpoint} has failed, and ctrain did not make it",
                why=str(self._diagnosis.failure(body)),
                hint="mend it, or delete it, the way it was made; then run again",
            )
        return self._put(endpoint, sent_back(body))

    def _not_for_ever(self, endpoint: str, state: str) -> None:
        self._waiting_since.setdefault(endpoint, self._clock.monotonic())
        waited = self._waited(endpoint)
        if waited > GIVEN_UP_SECONDS:
            raise PlatformUnavailable(
                f"the endpoint {endpoint} does not come up",
                why=f"its state is {state or 'absent'} for {waited / 60:.0f} minutes",
                hint="look at it in the Studio; run again to wait on",
            )

    def _waited(self, endpoint: str) -> float:
        now = self._clock.monotonic()
        return now - self._waiting_since.get(endpoint, now)
