"""Words of others, without what must not be told: keys, tokens, and addresses that open something."""

from __future__ import annotations

import re
from typing import Final
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
