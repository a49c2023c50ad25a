"""How an error looks: what, why and how to fix it; and for a bug, a report to attach."""

from __future__ import annotations

import platform
import tempfile
import traceback
from pathlib import Path

import typer

from ctrain import __version__
from ctrain.cli.ci.host import Note, here
from ctrain.cli.terminal import say
from ctrain.errors import CtrainError, ExitCode, NotRestored, Problem, ProjectError
from ctrain.secrecy import without_secrets


def show_error(error: CtrainError) -> int:
    """Print one of our errors; returns its exit code."""
    own = Problem(error.what, error.why, error.hint, error.at)
    for problem in error.problems if isinstance(error, ProjectError) else (own,):
        where = f"{problem.at}: " if problem.at else ""
        say(f"error: {where}{problem.what}", color="red", bold=True)
        say(f"  why: {problem.why}")
        say(f"  fix: {problem.hint}")
        here().annotate(_note(problem))
    for command in error.commands if isinstance(error, NotRestored) else ():
        say(f"    {command}")
    return error.exit_code


def _note(problem: Problem) -> Note:
    text = f"{problem.why}\nfix: {problem.hint}"
    if problem.at is None:
        return Note("error", problem.what, text)
    return Note("error", problem.what, text, problem.at.file, problem.at.line, problem.at.column)


def show_usage(error: typer.TyperException) -> int:
    """Print what is wrong with the command line; returns the exit code."""
    say(f"error: {error.format_message()}", color="red", bold=True)
    context = getattr(error, "ctx", None)
    fix = f"see `{context.command_path if context else 'ctrain'} --help`"
    say(f"  fix: {fix}")
    here().annotate(Note("error", error.format_message(), f"fix: {fix}"))
    return ExitCode.USAGE


def show_bug(error: Exception, words: list[str]) -> int:
    """Write a report of an unexpected error, and say where it is."""
    trace = "".join(traceback.format_exception(error))
    report = "\n".join(
        [
            f"ctrain {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"arguments: {words}",
            "",
            without_secrets(trace),
        ]
    )
    try:
        with tempfile.NamedTemporaryFile("w", prefix="ctrain-bug-", suffix=".txt", delete=False) as file:
            file.write(report)
        where = f"a report is in {Path(file.name)}"
    except OSError:
        say(report)
        where = "the report is above"
    what = f"this is a bug in ctrain: {type(error).__name__}: {without_secrets(str(error))}"
    say(f"error: {what}", color="red", bold=True)
    say(f"  why: ctrain did not expect this; {where}")
    say("  fix: please open an issue and attach the report; what was done so far is in `ctrain history`")
    here().annotate(Note("error", what, f"ctrain did not expect this; {where}"))
    return ExitCode.BUG
