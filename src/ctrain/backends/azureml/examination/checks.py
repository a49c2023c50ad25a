"""How a check becomes a finding."""

from __future__ import annotations

from collections.abc import Callable

from ctrain.errors import CtrainError
from ctrain.verdict import Finding, Outcome


def checked(subject: str, ask: Callable[[], str]) -> Finding:
    """What asking says, or the error it raises, which ends with the fix."""
    try:
        return Finding(subject, Outcome.PASS, ask())
    except CtrainError as error:
        return failed(subject, f"{error.what}: {error.why}", error.hint)


def failed(subject: str, what: str, fix: str) -> Finding:
    """Not as a release needs it."""
    return Finding(subject, Outcome.FAIL, f"{what}: {fix}" if fix else what)


def unchecked(subject: str, why: str) -> Finding:
    """Could not be looked at; decides nothing, as what is in its way has a finding of its own."""
    return Finding(subject, Outcome.INCONCLUSIVE, f"not checked: {why}", blocking=False)
