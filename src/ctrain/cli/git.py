"""The only file that speaks git."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ctrain.errors import UsageError
from ctrain.version import Source

_NOTHING = ("not a git repository", "does not have any commits yet")
"""What git says where there is no commit, and nothing is wrong with that."""


def read_source(folder: Path, *, pull_request: str = "", branch: str = "", run_url: str = "") -> Source:
    """The commit that the folder is at. Without git, or outside a repository, a source that says nothing.

    Raises UsageError for a repository that git does not want to read: a release must not lose its commit in silence.
    """
    head = _git(folder, "log", "-1", "--format=%H%n%ct%n%an")
    if not head:
        return Source(pull_request=pull_request, branch=branch, run_url=run_url)
    commit, seconds, author = (*head.split("\n", 2), "", "")[:3]
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
        committed=datetime.fromtimestamp(int(seconds), UTC).isoformat(),
    )


def top_of(folder: Path) -> Path | None:
    """The repository's own folder; None outside of one."""
    told = _git(folder, "rev-parse", "--show-toplevel")
    return Path(told) if told else None


@dataclass(frozen=True)
class Checkout:
    """The repository that a folder is in. `top` is None where it is in none; `remote` is an address, or empty."""

    top: Path | None
    branch: str = "main"
    remote: str = ""


def read_checkout(folder: Path) -> Checkout:
    """Where the repository begins, its main branch as far as it can be told, and where it is hosted."""
    here = next(it for it in (folder, *folder.parents) if it.is_dir())
    top = top_of(here)
    if top is None:
        return Checkout(None)
    known = (_git(here, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes") or "").split()
    told = _quietly(here, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    usual = [name for name in ("main", "master") if name in known or f"origin/{name}" in known]
    current = _quietly(here, "symbolic-ref", "--short", "HEAD")
    branch = told or next(iter(usual), current) or "main"
    return Checkout(top, branch, _quietly(here, "remote", "get-url", "origin"))


def _quietly(folder: Path, *words: str) -> str:
    """What git says, where it has an answer."""
    try:
        return _git(folder, *words) or ""
    except UsageError:
        return ""


def _git(folder: Path, *words: str) -> str | None:
    words = ("--no-optional-locks", "-C", str(folder), *words)
    plain = {**os.environ, "LC_ALL": "C"}  # we read its words
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False, env=plain)  # noqa: S607  on the PATH
    except OSError:
        return None
    if done.returncode == 0:
        return done.stdout.decode(errors="replace").strip()
    said = done.stderr.decode(errors="replace").strip()
    if any(words in said for words in _NOTHING):
        return None
    unsafe = "dubious ownership" in said
    raise UsageError(
        f"git cannot read the repository of {folder}",
        why=said.partition("\n")[0].removeprefix("fatal: ") or f"it ended with exit code {done.returncode}",
        hint=f"if you trust it: git config --global --add safe.directory {shlex.quote(str(folder.resolve()))}"
        if unsafe
        else "see what `git status` says there",
    )
