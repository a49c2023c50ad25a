"""Text of others in Markdown: it stays text, links nowhere, tells nobody, and ends no table, list or block.

What GitHub and Azure DevOps make of a comment goes beyond Markdown: `@name` notifies, `#12`, `GH-12`, `AB#12` and `!12`
become references, addresses become links, `:name:` an emoji, `$x$` a formula. They look for these in the finished text,
so that an escape does not help: a word joiner (U+2060) within does, and cannot be seen.

Sources: GitHub Flavored Markdown Spec, 6.9 "Autolinks (extension)"; "Autolinked references and URLs", GitHub Docs;
"Markdown syntax for files, widgets, wikis", Azure DevOps on Microsoft Learn.
"""

from __future__ import annotations

import re
import unicodedata

MOST = 300
"""Characters of one text that are shown."""

_JOINER = "\u2060"
_MARKUP = re.compile(r"[\\`*\[\]|~]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_TRIGGERS = re.compile(
    r"(?<=@)(?=\w)|(?<=[#!])(?=\d)|(?<=GH)(?=-\d)|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=mailto:)|(?<=xmpp:)|"
    r"(?<=:)(?=[a-z0-9_+-]+:)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"(?<=<!)(?=-)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}


def clean(text: str, most: int = MOST) -> str:
    """One line of what can be seen, cut where it is too long: no controls, nothing that turns text or hides in it."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if one.isspace() else one for one in text if one.isspace() or _visible(one))
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def prose(text: str, most: int = MOST) -> str:
    """For a sentence, a table's cell or a list's item, never for the beginning of a block."""
    broken = _TRIGGERS.sub(_JOINER, clean(text, most))
    escaped = re.sub(r"[&<>$]", lambda found: _ENTITIES[found[0]], broken)
    return _MARKUP.sub(lambda found: f"\\{found[0]}", escaped)


def code(text: str, most: int = MOST, *, cell: bool = False) -> str:
    """As a code span; in a table's `cell`, where a bar would end it, the bar is escaped. Nothing gives a dash."""
    line = _COMMENT.sub(_JOINER, clean(text, most))
    if not line:
        return "\N{EN DASH}"
    fence = "`" * (_longest(line) + 1)
    room = " " if line.startswith("`") or line.endswith("`") else ""
    shown = line.replace("\\|", "\\ |").replace("|", "\\|") if cell else line
    if cell and shown.endswith("\\"):
        room = room or " "
    return f"{fence}{room}{shown}{room}{fence}"


def block(text: str, most: int, kind: str = "text") -> str:
    """As a fenced block, which ends with its fence only: the end of the text, in lines."""
    shown = _COMMENT.sub(_JOINER, lines(text, most))
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}{kind}\n{shown}\n{fence}"


def lines(text: str, most: int) -> str:
    """The end of a longer text, line by line, without what cannot be seen."""
    shown = "\n".join("".join(one for one in line if _visible(one)) for line in text.splitlines())
    return shown if len(shown) <= most else "…" + shown[-most + 1 :]


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _visible(one: str) -> bool:
    """Not what a terminal obeys, turns text around, or is not there to be seen."""
    return one == "\t" or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
