"""The only file that speaks git."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ctrain.version import Source


def read_source(folder: Path, *, pull_request: str = "", branch: str = "", run_url: str = "") -> Source:
    """The commit that the folder is at. Without git, or outside a repository, a source that says nothing."""
    head = _git(folder, "log", "-1", "--format=%H%n%an")
    if not head:
        return Source(pull_request=pull_request, branch=branch, run_url=run_url)
    commit, _, author = head.partition("\n")
    told = (
        _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".") or ""
    ).splitlines()
    heads = [line.removeprefix("# branch.head ") for line in told if line.startswith("# branch.head ")]
    return Source(
        commit=commit,
        branch=branch or next((name for name in heads if name != "(detached)"), ""),
        dirty=any(not line.startswith("#") for line in told),
        pull_request=pull_request,
        author=author,
        run_url=run_url,
    )


def _git(folder: Path, *words: str) -> str | None:
    words = ("--no-optional-locks", "-C", str(folder), *words)
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)  # noqa: S607  on the PATH
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
