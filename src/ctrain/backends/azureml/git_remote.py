"""Where the code came from, as a job records it: never with what gives access to it.

azure-ai-ml records the remote's URL as git prints it, unless it sees a token in an `https://...@` (its
`get_git_properties` and `has_pat_token` in `operations/_job_ops_helper.py`): then it drops commit and branch as well,
and a token in a query, or in another scheme's URL, goes through. It records nothing where a job has these properties
already, so we give them.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

REPOSITORY: Final = "mlflow.source.git.repoURL"
BRANCH: Final = "mlflow.source.git.branch"
COMMIT: Final = "mlflow.source.git.commit"

UNKNOWN: Final = "not recorded"
"""Stands where there is no URL to tell, so that the SDK does not put its own there."""

_SCP: Final = re.compile(r"(?:[^@/\s]+@)?(?P<host>[A-Za-z0-9][\w.-]*):(?P<path>(?!//)[^\s?#@]+)")
_GIT_SECONDS: Final = 10


def git_properties(folder: Path, commit: str, branch: str) -> dict[str, str]:
    """The properties that say which code a job ran. Empty texts are left out."""
    found = {REPOSITORY: public_url(_remote(folder)) or UNKNOWN, COMMIT: commit, BRANCH: branch}
    return {key: value for key, value in found.items() if value}


def public_url(remote: str) -> str | None:
    """The remote's URL without user, password, query and fragment; None for what is no remote host's.

    `git@host:path` becomes `ssh://host/path`.
    """
    remote = remote.strip()
    if "://" not in remote:
        found = _SCP.fullmatch(remote)
        return f"ssh://{found['host']}/{found['path'].lstrip('/')}" if found else None
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in {"https", "http", "ssh", "git"} or "@" in parts.path:
        return None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"


def _remote(folder: Path) -> str:
    try:
        asked = subprocess.run(
            ["git", "-C", str(folder), "ls-remote", "--get-url"],  # noqa: S607  git is whichever the user's is
            capture_output=True, text=True, timeout=_GIT_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return asked.stdout if asked.returncode == 0 else ""
