"""Faults on demand: which call, and what is done to it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Act(StrEnum):
    """What happens to a call that a rule picks."""

    ANSWER = "answer"
    """Answered with `status`, `headers` and `body`, and nothing is done."""
    ANSWER_AFTER = "answer after"
    """It takes effect, but is answered with `status`, `headers` and `body`."""
    RESET_BEFORE = "reset before"
    """The connection is reset before anything is done."""
    RESET_AFTER = "reset after"
    """It takes effect, and the connection is reset without an answer: a lost response."""
    RESET_DURING = "reset during"
    """The connection is reset in the middle of the answer's body."""
    TRUNCATE = "truncate"
    """The connection is closed in the middle of the answer's body, as if it were whole."""
    STALL = "stall"
    """Answered after `seconds` of real time."""
    CHANGE = "change"
    """Somebody else's call (`method`, `path`, `body` in `change`) takes effect first, then this one goes on."""


@dataclass
class Rule:
    """Calls that match are counted; those from number `nth` (from 1) on are picked, `times` of them (None: all).

    The method CONNECT means the connection to a host, whatever the act: it is refused, as if it could not be made.
    """

    act: Act
    method: str = ".*"
    host: str = ".*"
    path: str = ".*"
    nth: int = 1
    times: int | None = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seconds: float = 0.0
    change: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    seen: int = 0
    used: int = 0

    def picks(self, method: str, host: str, path: str) -> bool:
        """Counts the call where it matches, and says whether it is one to pick."""
        if (method == "CONNECT") != (self.method == "CONNECT"):
            return False
        parts = ((self.method, method), (self.host, host), (self.path, path))
        if not all(re.fullmatch(pattern, value, re.IGNORECASE) for pattern, value in parts):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.used >= self.times):
            return False
        self.used += 1
        return True


class Faults:
    """The rules in force. The first one that picks a call decides."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._numbers = itertools.count(1)

    def add(self, rule: Rule) -> Rule:
        rule.number = next(self._numbers)
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        self._rules.clear()

    def remove(self, number: int) -> None:
        self._rules = [rule for rule in self._rules if rule.number != number]

    def pick(self, method: str, host: str, path: str) -> Rule | None:
        """`path` comes with its query."""
        return next((rule for rule in self._rules if rule.picks(method, host, path)), None)

    def listed(self) -> list[Rule]:
        return list(self._rules)
