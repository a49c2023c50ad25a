"""What Azure ML's words for a job's state mean to us: a table of our own.

The SDK's lists disagree with each other: `JobStatus` has fourteen states, `RunHistoryConstants` calls `NotResponding`
and `Paused` terminal, and its log stream takes whatever it does not know for success.
"""

from __future__ import annotations

from typing import Final

from ctrain.training import JobStatus

_KNOWN: Final = {status.value.lower(): status for status in JobStatus}

NOT_BEGUN: Final = frozenset(
    {JobStatus.NOT_STARTED, JobStatus.STARTING, JobStatus.PROVISIONING, JobStatus.PREPARING, JobStatus.QUEUED}
)
"""A job in these has no steps to look at."""


def job_status(said: str | None) -> JobStatus:
    """The state by Azure's word for it, in any case of letters; `Unknown` for a word that we do not know."""
    return _KNOWN.get((said or "").lower(), JobStatus.UNKNOWN)
