"""What every Telemetry promises."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from ctrain.ports import Clock, Serving, Telemetry
from ctrain.serving import Request
from ctrain.telemetry import Measured
from tests.contract.serving import ENDPOINT, Make, a_request, placed


class TelemetryContract:
    """Bind it with the fixtures `telemetry`, `serving` (one whose endpoint `ENDPOINT` is absent), `make` and `clock`.

    `span_seconds` is how long the platform's spans are, `behind_seconds` how far behind it may be.
    """

    span_seconds = 1
    behind_seconds = 1.0

    def told(self, telemetry: Telemetry, clock: Clock, since: datetime, requests: int, name: str = "blue") -> Measured:
        """What is told once all of these are in it; bounded."""
        clock.sleep(self.behind_seconds)
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            measured = telemetry.measured(ENDPOINT, name, since)
            if measured is not None and measured.requests >= requests:
                return measured
            clock.sleep(0.2)
        raise AssertionError(f"not told: {telemetry.measured(ENDPOINT, name, since)}")

    def test_what_was_answered_is_told(self, telemetry: Telemetry, serving: Serving, make: Make, clock: Clock) -> None:
        """By deployment, by class of status, mirrored copies too, once each; and nothing of what was not asked."""
        serving.create(ENDPOINT)
        serving.place(ENDPOINT, make("green"))
        for name in ("blue", "green"):
            placed(serving, make(name), clock)
        serving.route(ENDPOINT, {"blue": 100})
        since = self.moment(clock)
        assert telemetry.measured(ENDPOINT, "blue", since) is None

        for _ in range(3):
            serving.score(ENDPOINT, a_request(0.5))
        serving.score(ENDPOINT, Request(b"{}", "blue"))
        serving.score(ENDPOINT, a_request(0.5, "green"))

        blue = self.told(telemetry, clock, since, 4)
        assert (blue.requests, blue.failed, blue.answers["2xx"], blue.answers["4xx"]) == (4, 1, 3, 1)
        assert since <= blue.since < blue.until <= clock.now()
        assert self.told(telemetry, clock, since, 1, "green").failed == 0
        assert telemetry.measured(ENDPOINT, "blue", clock.now() + timedelta(hours=1)) is None
        assert telemetry.measured(ENDPOINT, "absent", since) is None

        serving.score(ENDPOINT, a_request(0.5))
        later = self.told(telemetry, clock, since, 5)
        assert later.spans[: len(blue.spans)] == blue.spans
        assert (later.requests, later.failed) == (5, 1)

        after = self.moment(clock)
        serving.mirror(ENDPOINT, {"green": 50})
        for _ in range(40):
            serving.score(ENDPOINT, a_request(0.5))
        assert self.told(telemetry, clock, after, 40).requests == 40
        assert 5 <= self.told(telemetry, clock, after, 5, "green").requests <= 35
        serving.mirror(ENDPOINT, {})

    def test_an_endpoint_that_is_not_there_has_nothing_to_tell(self, telemetry: Telemetry, clock: Clock) -> None:
        """Absence is no error."""
        assert telemetry.measured(ENDPOINT, "blue", clock.now()) is None

    def moment(self, clock: Clock) -> datetime:
        """Now, as a span begins; what was asked before is in none that begins then or later."""
        clock.sleep(self.span_seconds)
        clock.sleep(self.span_seconds - clock.now().timestamp() % self.span_seconds)
        now = clock.now().timestamp()
        return datetime.fromtimestamp(now - now % self.span_seconds, UTC)
