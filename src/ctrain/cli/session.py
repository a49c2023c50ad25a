"""One call of ctrain: the project, the backend, who calls, and a journal that shows what happens."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.backends import Visitor, connect
from ctrain.cli.ci import Caller, caller
from ctrain.cli.ci.folds import Folds
from ctrain.cli.ci.host import Host, Nowhere, guard, here
from ctrain.cli.ci.outputs import Noted, tell_outputs
from ctrain.cli.ci.trust import Act, refuse_strangers
from ctrain.cli.git import read_source
from ctrain.cli.interrupt import Stopped, interrupts
from ctrain.cli.leaving import left_by
from ctrain.cli.progress import Progress
from ctrain.cli.terminal import say
from ctrain.document import nearest
from ctrain.errors import StillRunning, UsageError
from ctrain.events import replay
from ctrain.flow.journal import Journal, News, Patience, Tell
from ctrain.flow.roll_back import newest_first
from ctrain.ports import Backend
from ctrain.project import Project, Trigger, find_project, load_project
from ctrain.release import Release
from ctrain.version import Source

if TYPE_CHECKING:
    from ctrain.gate.own import Asked, Given


@dataclass(frozen=True)
class Session:
    """What a verb works with."""

    project: Project
    at: Backend
    caller: Caller
    source: Source
    journal: Journal
    noted: Noted = field(default_factory=Noted)

    def over(self) -> None:
        """What follows says how it ended, for all to see: it is in no fold of the CI's log."""
        here().unfold()

    def may(self, act: Act) -> None:
        """Raises UsageError where a stranger's code would do this."""
        refuse_strangers(self.caller, act)

    def trigger(self, asked: str | None) -> Trigger:
        """What was asked for, else what the CI says, else `manual`.

        Raises UsageError in a CI that runs for something that is no trigger: it might deploy what nobody meant to.
        """
        if asked is None:
            return self._told_by_caller()
        word = asked.replace("-", "_")
        if word not in set(Trigger):
            close = nearest(word, list(Trigger))
            raise UsageError(
                f"there is no trigger {asked!r}",
                why=f"the triggers are {', '.join(Trigger)}",
                hint=f"did you mean '{close}'?" if close else "choose one of them",
            )
        return Trigger(word)

    def _told_by_caller(self) -> Trigger:
        trigger, main = self.caller.trigger, self.project.branch
        if trigger is Trigger.MAIN and self.caller.branch != main:
            raise UsageError(
                f"a push to {self.caller.branch!r} is no trigger",
                why=f"only pushes to {main!r} are the trigger `main` (`branch` in {self.project.file.name})",
                hint="say what it is with --trigger, or correct `branch`",
            )
        if trigger is None and self.caller.run_url:
            raise UsageError(
                "this CI run is no trigger",
                why="it was started by something else than a pull request, a push, a schedule or a person",
                hint="say what it is with --trigger",
            )
        return trigger or Trigger.MANUAL

    def release(self, name: str | None) -> Release:
        """The release of that id, else the newest of this commit. Raises UsageError where there is none."""
        if name is not None:
            release = replay(self.at.ledger.events(name))
            if release is None:
                close = nearest(name, self.at.ledger.releases())
                raise UsageError(
                    f"there is no release {name!r}",
                    why="the ledger has no record of it",
                    hint=f"did you mean {close!r}?" if close else "see `ctrain history`",
                )
            return self.noted.about(self.journal.here(release))
        for release in newest_first(self.at.ledger):
            if release.plan.source.commit == self.source.commit:
                return self.noted.about(self.journal.here(release))
        raise UsageError(
            "this commit has no release yet",
            why=f"the ledger knows none of {self.source.short}",
            hint="start one with `ctrain run` or `ctrain train`, or name a release of `ctrain history`",
        )

    def newest(self) -> Release | None:
        """The newest release of this commit; None where it has none yet."""
        of_commit = (r for r in newest_first(self.at.ledger) if r.plan.source.commit == self.source.commit)
        return next(of_commit, None)


def project_file(named: Path | None) -> Path:
    """The file that was named, else the nearest one upwards."""
    if named is not None:
        return named
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the current folder is gone", why="it was removed while you are in it", hint="go to your project"
        ) from None
    return find_project(here)


@contextmanager
def session(
    file: Path | None,
    backend: str | None,
    *,
    show: bool = True,
    act: Act | None = "deploy",
    patience: Patience | None = None,
) -> Iterator[Session]:
    """Open everything a verb needs; give every lock back at the end, whatever happened.

    `show` is for verbs that act. What they do is shown as it happens, and told to the CI at the end. `act` is what they
    do at most, and None where it is safe whoever wrote the code.
    """
    guard()
    with _told_to(here(), show=show) as noted:
        project = load_project(project_file(file))
        who = caller(os.environ, f"{_user()}@{socket.gethostname()}")
        if show and act is not None:
            refuse_strangers(who, act)
        at = connect(project, backend or project.backend, Visitor(say, who.run_url, here().mask))
        source = read_source(project.root, pull_request=who.pull_request, branch=who.branch, run_url=who.run_url)
        with Progress(at) if show else _silent() as progress:
            tell = _all_of(noted, progress)
            by, root = f"{who.name} (process {os.getpid()})", str(project.root)
            journal = Journal(at, by, tell, measure=_measure, root=root, patience=patience or Patience())
            interrupts.on_stop, journal.halt = journal.unlock_all, interrupts.check
            opened = Session(project, at, who, source, journal, noted)
            try:
                yield opened
            except Stopped as stopped:
                journal.unlock_all()
                stopped.told = left_by(journal)
                raise
            except StillRunning:
                journal.unlock_all()
                _tell_in_full(opened, show=show)
                raise
            finally:
                noted.read(journal.releases)
                journal.unlock_all()
            _tell_in_full(opened, show=show)


def _tell_in_full(s: Session, *, show: bool) -> None:
    """In a CI: where the stage is asked, the report's remarks at their lines, and the report in the job's summary."""
    if show and not isinstance(here(), Nowhere):
        from ctrain.cli.publishing import show_here

        here().unfold()
        s.noted.read(s.journal.releases)
        show_here(s, here())


@contextmanager
def _told_to(host: Host, *, show: bool) -> Iterator[Noted]:
    """What the verb was about, which the CI is told at the end, however that came."""
    noted = Noted()
    try:
        yield noted
    except BaseException as problem:
        host.unfold()
        if show:
            tell_outputs(noted, host, problem)
        raise
    host.unfold()
    if show:
        tell_outputs(noted, host)


def _all_of(noted: Noted, progress: Progress) -> Tell:
    """Who hears the news: the notes for the outputs, the folds of the CI's log, and the person who watches."""
    folds = Folds(here())

    def hear(news: News) -> None:
        noted.hear(news)
        folds.hear(news)
        progress(news)

    return hear


def _measure(root: Path, asked: Asked) -> tuple[Given, Given | None]:
    from ctrain.backends.own_metric import measure

    return measure(root, asked)


@contextmanager
def _silent() -> Iterator[Progress]:
    yield Progress(None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
