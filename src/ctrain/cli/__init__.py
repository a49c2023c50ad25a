"""The only place that catches and exits: our errors in three sentences, a bug as a report, a signal as its code."""

from __future__ import annotations

import sys
from typing import NoReturn

from ctrain.cli.interrupt import Stopped, interrupts
from ctrain.errors import CtrainError, ExitCode


def main() -> NoReturn:
    """The `ctrain` command."""
    interrupts.listen()
    try:
        code = _run(sys.argv[1:])
        interrupts.over()
    except Stopped as late:
        code = late.code
    for stream in (sys.stdout, sys.stderr):
        # What a CI reads comes in whole lines (see `neutral.Guarded`); the last one may not have been ended.
        getattr(stream, "end", lambda: None)()
    if interrupts.number is not None:
        interrupts.leave(code)
    sys.exit(code)


def _run(words: list[str]) -> int:
    import typer

    try:
        return _called(words)
    except CtrainError as error:
        from ctrain.cli.failure import show_error

        return show_error(error)
    except Stopped as stopped:
        return _interrupted(stopped)
    except BrokenPipeError:
        return _reader_gone()
    except typer.TyperException as error:
        from ctrain.cli.failure import show_usage

        return show_usage(error)
    except Exception as error:  # noqa: BLE001  whatever is left is a bug, and is reported as one
        from ctrain.cli.failure import show_bug

        return show_bug(error, words)


def _called(words: list[str]) -> int:
    """What the verb returns. Called without typer's own main, which exits by itself for signals and closed pipes."""
    import typer
    from typer.main import get_command

    from ctrain.cli.app import app
    from ctrain.cli.terminal import open_streams

    open_streams()
    command = get_command(app)
    try:
        with command.make_context("ctrain", words) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as left:
        return left.exit_code


def _interrupted(stopped: Stopped) -> int:
    from ctrain.cli.terminal import say

    say()
    say("Interrupted. What was done is recorded.")
    for line in stopped.told or ("Run the same command again to go on from there.",):
        say(line)
    return stopped.code


def _reader_gone() -> int:
    """Whoever read our output has left; what is left of it goes nowhere, in silence."""
    from ctrain.cli.terminal import mute

    mute(sys.stdout)
    return ExitCode.DONE
