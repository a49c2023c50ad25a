"""Every secret that was handed out, so that a test can look for it where it must not be."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs, quote, urlsplit


class Secrets:
    """What must never be seen in an output, a log, a record or a report."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def plant(self, value: str, kind: str = "secret") -> str:
        """Remember the value, and give it back."""
        self._values.setdefault(value, kind)
        return value

    def new(self, kind: str, length: int = 48) -> str:
        """A fresh random secret of about that many characters, planted."""
        return self.plant(secrets.token_urlsafe(length)[:length], kind)

    def plant_url(self, url: str, kind: str = "signed URL") -> str:
        """Remember the signature of a signed URL: the `sig` of a SAS, or the `h`/`s` of an operation URL."""
        query = parse_qs(urlsplit(url).query)
        for name in ("sig", "h", "s"):
            for value in query.get(name, []):
                if len(value) >= 16:
                    self.plant(value, kind)
                    self.plant(quote(value, safe=""), kind)
                    self.plant(quote(value), kind)  # Microsoft leaves the slashes as they are
        return url

    def listed(self) -> dict[str, str]:
        """All values, and what kind each is."""
        return dict(self._values)
