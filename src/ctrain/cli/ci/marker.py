"""A line that nobody sees and by which a comment of ours is known again: whose it is, of which commit and run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_MARKER = re.compile(r"\A<!-- ctrain:report key=(\S*) sha=(\S*) run=(\d+) -->")


@dataclass(frozen=True)
class Marker:
    """`key` names what the comment is about: there is one comment for each. `run` grows with each run of the CI."""

    key: str
    sha: str = ""
    run: int = 0

    def __str__(self) -> str:
        return f"<!-- ctrain:report key={_word(self.key)} sha={_word(self.sha)} run={self.run} -->"


def marker_of(text: str) -> Marker | None:
    """The marker that the text begins with."""
    found = _MARKER.match(text.lstrip("\ufeff"))
    return Marker(unquote(found[1]), unquote(found[2]), int(found[3])) if found else None


def with_marker(marker: Marker, text: str) -> str:
    """What is posted: the marker, then what people see."""
    return f"{marker}\n{text}"


def _word(text: str) -> str:
    """One word that ends no HTML comment: two dashes would, in some readers."""
    return quote(text, safe="/._").replace("-", "%2D")
