"""Words of others, without what must not be told: keys, tokens, and addresses that open something."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

_URL: Final = re.compile(r"https?://[^\s\"'<>]+")
_SECRET: Final = re.compile(
    r"((?:sig|signature|sharedaccesssignature|accountkey|client_secret|client_assertion|password)=)[^&;\s\"']+"
    r"|(bearer\s+|sharedkey\s+)[^\s\"']+"
    r"|()eyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    re.IGNORECASE,
)
"""Signatures, keys and tokens, as they stand in connection strings, headers and forms."""


def without_secrets(words: str) -> str:
    """The same words; URLs in them lose their query, which may be signed, and keys and tokens are left out."""
    plain = _URL.sub(lambda found: redacted(found[0]) if "?" in found[0] or "@" in found[0] else found[0], words)
    return _SECRET.sub(lambda found: f"{found[1] or found[2] or ''}…", plain)


def redacted(url: str) -> str:
    """The URL without what may be secret in it: credentials, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "an address that cannot be read"
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path}{query}"


_WORDS: Final = frozenset({"why", "log", "says", "error", "notes"})
"""Fields that hold words of others: of a container, a service, a training."""

Told = TypeVar("Told")


def discreet(told: Told) -> Told:
    """The same value, a dataclass of dataclasses, in which the words of others are without secrets."""
    if isinstance(told, type) or not is_dataclass(told):
        return told
    parts = {one.name: getattr(told, one.name) for one in fields(told)}
    plain = {name: _plain(part, words=name in _WORDS) for name, part in parts.items()}
    return replace(told, **plain) if plain != parts else told  # type: ignore[type-var]


def _plain(part: object, *, words: bool) -> object:
    if isinstance(part, str):
        return without_secrets(part) if words else part
    if isinstance(part, tuple):
        return tuple(_plain(one, words=words) for one in part)
    return discreet(part)
