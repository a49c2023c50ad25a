"""Leaving while the work goes on: how a run is told when to, and what it says as it leaves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ctrain.cli.terminal import say
from ctrain.errors import ExitCode, StillRunning, UsageError
from ctrain.flow.journal import Patience
from ctrain.rollout import seconds_of


@dataclass(frozen=True)
class Stay:
    """How long to stay, as the command line says it; durations are such as `5h30m`."""

    detach: bool = False
    deadline: str | None = None
    wait: str | None = None
    still_running_ok: bool = False

    def patience(self, file: Path | None, backend: str | None) -> Patience:
        """The same for the flow. Raises UsageError for what is no duration."""
        line = "ctrain resume {}"
        if backend is not None:
            line += f" --backend {shlex.quote(backend)}"
        if file is not None:
            line += f" --file {shlex.quote(str(file))}"
        return Patience(
            detach=self.detach,
            deadline=None if self.deadline is None else duration("--deadline", self.deadline),
            lock=0.0 if self.wait is None else duration("--wait", self.wait),
            resume=line,
        )

    def left(self, left: StillRunning) -> int:
        """Print that the work goes on, and the line that resumes; returns the exit code."""
        say()
        say(f"{left.what}: {left.why}", color="yellow", bold=True)
        say(f"  resume     {left.hint}")
        return ExitCode.DONE if self.still_running_ok else left.exit_code


def duration(option: str, text: str) -> float:
    """In seconds. Raises UsageError."""
    try:
        return seconds_of(text)
    except ValueError as problem:
        raise UsageError(f"{option} {text!r} is no duration", why=str(problem), hint="such as 5h30m, or 90s") from None
