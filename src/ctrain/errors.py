"""Every error that ctrain raises on purpose, and the exit code it ends with.

    CtrainError
      UsageError             2   bad usage, configuration or data: nothing was started
        ProjectError             ctrain.yaml
        PipelineError            the user's pipeline or component YAML
        DataError                the data set, or the evaluation rows
      TrainingFailed         5   the training failed or was cancelled
      RolledBack             6   a rollout failed; serving is as it was
      NotRestored            7   a rollout failed and serving could not be restored
      StillRunning           8   detached, or the deadline passed
      NotAllowed             9   not signed in, or not allowed
      Conflict              10   somebody else holds the lock, or changed what we were changing
        Locked                   the lock, and for how long at most
        NewChampion              what was planned was to be proven against another
      PlatformUnavailable   11   quota, capacity, or the platform stayed unavailable
        NoAnswer                 a deployment was asked, and did not answer

A rejected model is a verdict, not an error: see `ctrain.verdict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process ends with; `docs/exit-codes.md` says what to do about each."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REJECTED = 3
    UNDECIDED = 4
    TRAINING_FAILED = 5
    ROLLED_BACK = 6
    NOT_RESTORED = 7
    STILL_RUNNING = 8
    NOT_ALLOWED = 9
    CONFLICT = 10
    UNAVAILABLE = 11
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class Location:
    """A place in a file of the user's: line and column count from 1."""

    file: Path
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class CtrainError(Exception):
    """What went wrong, why, and how to fix it: three sentences, none of them optional."""

    exit_code: ClassVar[ExitCode]

    def __init__(self, what: str, *, why: str, hint: str, at: Location | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint
        self.at = at

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        return f"{where}{self.what}: {self.why} ({self.hint})"


class UsageError(CtrainError):
    """Bad usage, configuration or data. Nothing was started."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, in the same three sentences as an error."""

    what: str
    why: str
    hint: str
    at: Location | None = None

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        return f"{where}{self.what}: {self.why} ({self.hint})"


class ProjectError(UsageError):
    """`ctrain.yaml` cannot be used as it is. `problems` are all that were found, at least one, in the file's order."""

    def __init__(
        self,
        what: str,
        *,
        why: str,
        hint: str,
        at: Location | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(what, why=why, hint=hint, at=at)
        self.problems = tuple(problems) or (Problem(what, why, hint, at),)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ProjectError:
        """One error for all of these problems, of which there must be at least one."""
        first = problems[0]
        if len(problems) == 1:
            return cls(first.what, why=first.why, hint=first.hint, at=first.at)
        what, why = f"{len(problems)} things are wrong with the project", "each of them is listed"
        return cls(what, why=why, hint="correct them, and try again", problems=problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class PipelineError(UsageError):
    """The pipeline, or one of its components, cannot be run as it is."""


class DataError(UsageError):
    """The data set, or the evaluation rows, cannot be used as they are."""


class TrainingFailed(CtrainError):
    """The training job ended in any state but `Completed`."""

    exit_code = ExitCode.TRAINING_FAILED


class RolledBack(CtrainError):
    """A rollout failed; the stage serves what it served before."""

    exit_code = ExitCode.ROLLED_BACK


class NotRestored(CtrainError):
    """A rollout failed and serving could not be restored. `commands` are what a person can run now, a line each."""

    exit_code = ExitCode.NOT_RESTORED

    def __init__(
        self, what: str, *, why: str, hint: str, at: Location | None = None, commands: Sequence[str] = ()
    ) -> None:
        super().__init__(what, why=why, hint=hint, at=at)
        self.commands = tuple(commands)


class StillRunning(CtrainError):
    """The work of that release goes on without us. `hint` holds the line that resumes."""

    exit_code = ExitCode.STILL_RUNNING

    def __init__(self, what: str, *, why: str, hint: str, at: Location | None = None, release: str = "") -> None:
        super().__init__(what, why=why, hint=hint, at=at)
        self.release = release


class NotAllowed(CtrainError):
    """Not signed in, or the action named in `why` is not permitted."""

    exit_code = ExitCode.NOT_ALLOWED


class Conflict(CtrainError):
    """Somebody else holds the lock, or changed what we were changing."""

    exit_code = ExitCode.CONFLICT


class Locked(Conflict):
    """Somebody else holds the lock: `holder`, and `where`, the address of their CI run if they have one."""

    def __init__(
        self, what: str, *, why: str, hint: str, at: Location | None = None, holder: str = "somebody", where: str = ""
    ) -> None:
        super().__init__(what, why=why, hint=hint, at=at)
        self.holder = holder
        self.where = where


class NewChampion(Conflict):
    """The champion is not the one that the release was, or was to be, judged against."""


class PlatformUnavailable(CtrainError):
    """Quota, capacity, a full disk, a taken port: the platform cannot do it now."""

    exit_code = ExitCode.UNAVAILABLE


class NoAnswer(PlatformUnavailable):
    """A deployment was asked and did not answer, which counts against it; that it could not be asked does not."""
