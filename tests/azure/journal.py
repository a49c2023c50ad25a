"""Every call that reached the loopback Azure, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Entry:
    """One call. `status` is None until it is answered, and 0 where the answer was cut off on purpose.

    `started` is virtual time; `fault` names what was done to the call on demand; `problem` says what the loopback
    itself could not do: an unknown host, a path that is not modelled, or a bug of ours. `sent` is the JSON of the
    request's body, for ARM and the regional planes. `target` is path and query as they came: faults go by it.
    """

    method: str
    host: str
    path: str
    api_version: str
    started: float
    principal: str | None = None
    status: int | None = None
    fault: str | None = None
    problem: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    sent: Any = None
    target: str = ""


class Journal:
    """Read by tests to count calls and to see who called."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def matching(self, method: str = ".*", host: str = ".*", path: str = ".*", since: int = 0) -> Iterator[Entry]:
        """Entries from number `since` on whose method, host and path match these expressions (in full, any case)."""
        patterns = [re.compile(p, re.IGNORECASE) for p in (method, host, path)]
        for entry in self._entries[since:]:
            values = (entry.method, entry.host, entry.path)
            if all(pattern.fullmatch(value) for pattern, value in zip(patterns, values, strict=True)):
                yield entry

    def listed(self, *, bodies: bool = False, **wanted: Any) -> list[dict[str, Any]]:
        """As `matching`; what was sent is left out unless it is asked for."""
        left_out = {} if bodies else {"sent": None}
        return [{**asdict(entry), **left_out} for entry in self.matching(**wanted)]
