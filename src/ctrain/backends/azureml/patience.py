"""How long we wait for Azure, and for what: when to ask again, and when to give up."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What may go away by itself, as azure-core's own retry policy has it."""

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})

IDEMPOTENT_POSTS: Final = (
    "/cancel", "/listkeys", "/listsecrets", "/token", "/rundata", "/getlogs", "/oidctoken",
    "/startpendingupload", "/getblobreferencesas", "/query", "/runs/search", "/metrics/get-history", "/entities",
)  # fmt: skip
"""Ends of POST paths (lower-case) that may be asked twice: they read, or what they do is done once. The SDK sends some
of these itself, so that the request is all there is to tell them by."""


@dataclass(frozen=True)
class Patience:
    """Seconds. `total` bounds one request with all its waits, `longest` one wait whatever Azure asks for.

    A wait of minutes is normal when ARM throttles ("try again after 372 seconds" has been seen), so that `longest` is
    above that; after `total` the platform counts as unavailable and a later run continues. `unreached` is the total
    where no answer comes at all: a laptop that is offline should say so soon.
    """

    total: float = 900.0
    unreached: float = 120.0
    longest: float = 420.0
    first: float = 1.0
    growth: float = 2.0
    backoff_longest: float = 60.0

    def back_off(self, attempt: int, chance: Callable[[], float] = random.random) -> float:
        """Seconds before asking again after that many answers in vain (from 1): grown, and spread by half."""
        grown = min(self.backoff_longest, self.first * self.growth ** (attempt - 1))
        return grown * (0.5 + chance() / 2)

    def wait(self, attempt: int, asked: float | None, spent: float, *, reached: bool = True) -> float | None:
        """Seconds to wait before the next attempt; None where that would take too long in all.

        What Azure asks for is waited for, up to `longest`; where it asks nothing, or no time at all, we back off.
        """
        seconds = min(asked, self.longest) if asked else self.back_off(attempt)
        return seconds if spent + seconds <= (self.total if reached else self.unreached) else None


def may_repeat(method: str, url: str, *, marked: bool = False) -> bool:
    """Whether asking twice is asking once. `marked` is the caller's word for it."""
    if method.upper() in IDEMPOTENT or marked:
        return True
    return method.upper() == "POST" and urlsplit(url).path.lower().rstrip("/").endswith(IDEMPOTENT_POSTS)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that Azure asks us to wait: `retry-after-ms`, `x-ms-retry-after-ms`, or `Retry-After` in seconds or as a
    date. None where it asks nothing, or says what cannot be read; a moment in the past is 0."""
    lower = {key.lower(): value.strip() for key, value in headers.items()}
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(lower.get(name, ""))
        if milliseconds is not None:
            return milliseconds / 1000
    said = lower.get("retry-after", "")
    seconds = _number(said)
    return seconds if seconds is not None else _until(said, now)


def _number(said: str) -> float | None:
    """A finite number that is not negative; None for anything else."""
    try:
        value = float(said)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _until(said: str, now: datetime) -> float | None:
    """Seconds until an HTTP date."""
    try:
        moment = parsedate_to_datetime(said)
        return max(0.0, (moment - now).total_seconds()) if moment.tzinfo else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
