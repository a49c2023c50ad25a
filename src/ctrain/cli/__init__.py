"""The only place that catches and exits: our errors in three sentences, a bug as a report, a signal as its code."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

from ctrain.errors import CtrainError, ExitCode


class Terminated(BaseException):
    """SIGTERM came."""


def main() -> NoReturn:
    """The `ctrain` command."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run(sys.argv[1:]))


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _run(words: list[str]) -> int:
    import typer

    from ctrain.cli.app import app

    try:
        result = app(words, standalone_mode=False)
    except CtrainError as error:
        from ctrain.cli.failure import show_error

        return show_error(error)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(ExitCode.INTERRUPTED)
    except Terminated:
        return _interrupted(ExitCode.TERMINATED)
    except BrokenPipeError:
        return _reader_gone()
    except typer.TyperException as error:
        from ctrain.cli.failure import show_usage

        return show_usage(error)
    except Exception as error:  # noqa: BLE001  whatever is left is a bug, and is reported as one
        from ctrain.cli.failure import show_bug

        return show_bug(error, words)
    return int(result or 0)


def _interrupted(code: ExitCode) -> int:
    from ctrain.cli.terminal import say

    say()
    say("Interrupted. A training job that was started goes on by itself; nothing else was left half done.")
    say("Go on with the same command, or stop the job with `ctrain cancel`.")
    return code


def _reader_gone() -> int:
    """Whoever read our output has left; what is left of it goes nowhere, in silence."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.DONE
