"""A verdict and its findings: one shape for the gate, the smoke tests and the data checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """`error` means that it could not be measured, which is neither yes nor no."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAIL = "fail"


_SEVERITY = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.ERROR, Outcome.FAIL)


@dataclass(frozen=True)
class Finding:
    """One thing that was judged. An advisory finding (`blocking=False`) is shown and decides nothing."""

    subject: str
    outcome: Outcome
    says: str
    blocking: bool = True
    measured: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The worst of the blocking findings. No blocking finding is an `error`, never a `pass`."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        blocking = [finding.outcome for finding in self.findings if finding.blocking]
        return max(blocking, key=_SEVERITY.index, default=Outcome.ERROR)

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS
