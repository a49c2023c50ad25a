"""The first line of what `ctrain init` writes: by which version, and a digest that tells whether it was changed."""

from __future__ import annotations

import hashlib
import re

_LINE = re.compile(r"# Written by ctrain init (?P<version>\S+), digest (?P<digest>[0-9a-f]{12})\b.*")


def marked(text: str, version: str) -> str:
    """The text with its first line."""
    upgrade = "Run it again to upgrade; change it, and it stays."
    return f"# Written by ctrain init {version}, digest {_digest(text)}. {upgrade}\n{text}"


def ours(text: str) -> bool:
    """Whether the file is as `ctrain init` wrote it. Line endings do not matter: git may have changed them."""
    first, _, rest = text.replace("\r\n", "\n").partition("\n")
    found = _LINE.fullmatch(first.removeprefix("\ufeff"))
    return found is not None and found["digest"] == _digest(rest)


def written(text: str) -> bool:
    """Whether `ctrain init` wrote it once, changed since or not."""
    return _LINE.match(text.removeprefix("\ufeff")) is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
