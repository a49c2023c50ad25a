"""Where the running ctrain was installed from, so that a CI can install the same."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution


def source_of(package: str) -> str:
    """`git+https://...@<commit>` for one that came from a repository; empty for one of an index, or of a folder.

    Source: PEP 610, which says what direct_url.json holds.
    """
    try:
        told = distribution(package).read_text("direct_url.json")
    except PackageNotFoundError:
        return ""
    try:
        said = json.loads(told or "{}")
        url, commit = str(said["url"]), str(said["vcs_info"]["commit_id"])
    except (ValueError, KeyError, TypeError):
        return ""
    return f"git+{url}@{commit}" if url.startswith("https://") and "@" not in url else ""
