"""LocalTelemetry: what the endpoint's own router counted."""

from __future__ import annotations

from datetime import datetime

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving.folder import Folder
from ctrain.backends.local.serving.port import reach
from ctrain.backends.local.serving.remote import counted
from ctrain.errors import PlatformUnavailable
from ctrain.ports import Clock
from ctrain.telemetry import Measured

TIMEOUT = 5.0
"""Seconds. Whoever asks is watching a deployment, and has to go on with it."""


class LocalTelemetry:
    """Spans of one second, six hours back at most. They are lost when the endpoint's process ends."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:
        """None where the endpoint is down, too. Raises PlatformUnavailable where its process does not answer."""
        folder = Folder.of(self._home, endpoint)
        contact = reach(folder, self._clock) if folder.wish_file.exists() else None
        if contact is None:
            return None
        try:
            return counted(contact, deployment, since, TIMEOUT)
        except ConnectionError as problem:
            raise PlatformUnavailable(
                f"what {endpoint} counted cannot be read",
                why=f"its process does not tell it: {problem}",
                hint="an endpoint of an older ctrain counts nothing; `ctrain local down` and `up` start it anew",
            ) from None
