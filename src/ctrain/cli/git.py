"""The only file that speaks git."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ctrain.version import Source


def read_source(folder: Path, *, pull_request: str = "", branch: str = "", run_url: str = "") -> Source:
    """The commit that the folder is at. Without git, or outside a repository, a source that says nothing."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return Source(pull_request=pull_request, branch=branch, run_url=run_url)
    return Source(
        commit=commit,
        branch=branch or _git(folder, "symbolic-ref", "--short", "-q", "HEAD") or "",
        dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")),
        pull_request=pull_request,
        author=_git(folder, "log", "-1", "--format=%an") or "",
        run_url=run_url,
    )


def _git(folder: Path, *words: str) -> str | None:
    words = ("--no-optional-locks", "-C", str(folder), *words)
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)  # noqa: S607  on the PATH
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
