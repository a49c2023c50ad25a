"""Leaving while the work goes on: how a run is told when to, and what it says as it leaves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from ctrain.cli.terminal import say
from ctrain.errors import ExitCode, StillRunning, UsageError
from ctrain.flow.cancel import Leftover, on_signal
from ctrain.flow.journal import Journal, Patience
from ctrain.rollout import seconds_of


@dataclass(frozen=True)
class Stay:
    """How long to stay, as the command line says it; durations are such as `5h30m`."""

    detach: bool = False
    deadline: str | None = None
    wait: str | None = None
    still_running_ok: bool = False

    def patience(self, file: Path | None, backend: str | None, again: str = "ctrain resume {}") -> Patience:
        """The same for the flow; `again` is the line that goes on. Raises UsageError for what is no duration.

        Who asked for one step is told the line for that step: `resume` goes on to the last stage.
        """
        line = again
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


def left_by(journal: Journal) -> tuple[str, ...]:
    """What becomes of the release that a run was interrupted in, in lines; its training is cancelled if it is to be."""
    release = journal.current
    if release is None or release.ended:
        return ()
    resume = journal.patience.resume.replace("{}", release.id, 1)
    if release.amid is not None:
        return _amid(release.amid, resume)
    if release.awaits is None:
        return (f"`{resume}` goes on from there.",)
    if on_signal(release, journal.at, journal.by):
        return (f"The job {release.awaits} was asked to stop, as `on_cancel` says.",)
    return (f"The job {release.awaits} goes on by itself.", *_going_on(release.id, resume))


def _amid(stage: str, resume: str) -> tuple[str, ...]:
    """A rollout is never undone on the way out: that takes longer than a signal leaves."""
    abort = f"ctrain rollout abort {stage}"
    return (f"The rollout of {stage} stays as it is. `{resume}` goes on with it, `{abort}` restores what served.",)


def _going_on(release: str, resume: str) -> tuple[str, ...]:
    return (f"`{resume}` goes on from there, `ctrain cancel {release}` stops the training.",)


def told_of(left: Leftover, resume: str) -> tuple[str, ...]:
    """What a run that was cut off left behind, in lines."""
    release, resume = left.release, resume.replace("{}", left.release.id, 1)
    match left.found:
        case "nothing":
            return (f"nothing to do: {release.id} has ended, {release.ending}",)
        case "busy":
            return (f"nothing to do: {left.holder} works on {release.id}",)
        case "waits":
            return (f"{release.id} was not cut off: it waits for a person to let it go to {release.waits_for}",)
        case "cancelled":
            return (f"the training of {release.id} is cancelled, as `on_cancel` says",)
        case "training":
            return (f"the training of {release.id} goes on: the job {release.awaits}", *_going_on(release.id, resume))
        case "rollout":
            return _amid(release.amid or "?", resume)
        case "open":
            return (f"{release.id} is open, and nothing of it runs: `{resume}` goes on from there.",)
    assert_never(left.found)


def duration(option: str, text: str) -> float:
    """In seconds. Raises UsageError."""
    try:
        return seconds_of(text)
    except ValueError as problem:
        raise UsageError(f"{option} {text!r} is no duration", why=str(problem), hint="such as 5h30m, or 90s") from None
