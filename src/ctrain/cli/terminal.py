"""The two streams: data on stdout, talk on stderr. Everything printed passes here, and is made harmless here."""

from __future__ import annotations

import os
import stat
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import typer

from ctrain.cli.neutral import Guarded, neutral, without
from ctrain.errors import PlatformUnavailable
from ctrain.verdict import Outcome

MARKS = {Outcome.PASS: ("✓", "green"), Outcome.FAIL: ("✗", "red"), Outcome.ERROR: ("!", "red")}


_secrets: set[str] = set()


def say(text: str = "", *, color: str | None = None, bold: bool = False, lead: str = "") -> None:
    """A line of talk, on stderr. Where it has a `lead`, only that is coloured."""
    text = harmless(text)
    shown = typer.style(lead, fg=color) + text if lead else typer.style(text, fg=color, bold=bold)
    try:
        typer.echo(shown, err=True, color=False if os.environ.get("NO_COLOR") else None)  # https://no-color.org
    except OSError:
        # `ctrain run 2>&1 | head`, a log on a full disk: what we do matters more than who hears of it.
        mute(sys.stderr)


def harmless(text: str) -> str:
    """The text as it may be shown anywhere: no command to a terminal or a CI, and no key that we hold."""
    return without(_secrets, neutral(text))


def hide(secret: str) -> bool:
    """From now on, whatever is shown does not show this. Whether that is news; short words would tear up the text."""
    if len(secret) < 8 or secret in _secrets:
        return False
    _secrets.add(secret)
    return True


def order(command: str) -> None:
    """A line that the CI shall obey, on stderr. Only `cli/ci/commands` makes such lines."""
    stream = sys.stderr.raw if isinstance(sys.stderr, Guarded) else sys.stderr
    try:
        print(command, file=stream, flush=True)
    except OSError:
        mute(stream)


def heard() -> bool:
    """Whether a CI may read stderr as it is written. A file would keep what the CI takes out."""
    try:
        return not stat.S_ISREG(os.fstat(sys.stderr.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def guard_streams() -> None:
    """Make harmless what others print, too: libraries, warnings. For where no person sits at the terminal."""
    if not isinstance(sys.stdout, Guarded):
        sys.stdout, sys.stderr = Guarded(sys.stdout, harmless), Guarded(sys.stderr, harmless)


def give(text: str) -> None:
    """Data, on stdout. Raises BrokenPipeError where the reader has left, PlatformUnavailable where the disk is full."""
    _write(harmless(text))


def give_json(document: str) -> None:
    """One JSON document, on stdout, with its values as they are. Raises as `give` does.

    `##` stands in strings only, where an escape means the same to a JSON parser, and nothing to a CI (see `neutral`).
    """
    _write(without(_secrets, document.replace("##", "#\\u0023")))


def _write(text: str) -> None:
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise
    except OSError as failure:
        mute(sys.stdout)
        raise PlatformUnavailable(
            "the output cannot be written",
            why=failure.strerror or str(failure),
            hint="make room where it goes to, and run again",
        ) from None


def mute(stream: TextIO) -> None:
    """From now on, whatever is written there goes nowhere; what could not be written is dropped."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def open_streams() -> None:
    """Make both streams usable, whoever started us: closed ones lead nowhere, and no letter is too much for them."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115  for as long as the process lives
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def mark(outcome: Outcome) -> tuple[str, str]:
    """A sign and a colour for an outcome."""
    return MARKS.get(outcome, ("?", "yellow"))
