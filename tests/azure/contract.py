"""Bodies held to Microsoft's published resource types, where these are at hand."""

from __future__ import annotations

from tests.azure.routing import Call, Reply


class Contract:
    """Counts what was judged, and keeps what was wrong."""

    def judge(self, call: Call, reply: Reply) -> None:
        """Look at the bodies of one exchange with ARM."""
