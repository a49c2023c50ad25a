"""The two streams: data on stdout, talk on stderr. Everything printed passes here, and is made harmless here."""

from __future__ import annotations

import sys

import typer

from ctrain.cli.ci import neutral
from ctrain.verdict import Outcome

MARKS = {Outcome.PASS: ("✓", "green"), Outcome.FAIL: ("✗", "red"), Outcome.ERROR: ("!", "red")}


def say(text: str = "", *, color: str | None = None, bold: bool = False, lead: str = "") -> None:
    """A line of talk, on stderr. Where it has a `lead`, only that is coloured."""
    if lead:
        typer.echo(typer.style(lead, fg=color) + neutral(text), err=True)
    else:
        typer.secho(neutral(text), err=True, fg=color, bold=bold)


def give(text: str) -> None:
    """Data, on stdout."""
    typer.echo(neutral(text))


def give_json(document: str) -> None:
    """One JSON document, on stdout, as it is."""
    sys.stdout.write(document + "\n")
    sys.stdout.flush()


def mark(outcome: Outcome) -> tuple[str, str]:
    """A sign and a colour for an outcome."""
    return MARKS.get(outcome, ("?", "yellow"))


def duration(seconds: float) -> str:
    """`0.4 s`, `1 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """Bytes, for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
