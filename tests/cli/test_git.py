"""The commit we run for, read from real repositories."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctrain.cli.git import read_source
from ctrain.errors import UsageError
from ctrain.version import Source


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Anna Ö", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "--quiet", "--message", "One")
    return tmp_path


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    """Commit, branch, author and time; nothing is dirty."""
    commit = git(repository, "rev-parse", "HEAD")

    seconds = int(git(repository, "log", "-1", "--format=%ct"))

    read = read_source(repository)

    committed = datetime.fromtimestamp(seconds, UTC).isoformat()
    assert read == Source(commit=commit, branch="trunk", author="Anna Ö", committed=committed)


@pytest.mark.parametrize("change", ["edited", "untracked"])
def test_a_changed_tree_is_dirty(repository: Path, change: str) -> None:
    """Whether a file was edited or is new."""
    (repository / ("a" if change == "edited" else "b")).write_text("2")

    assert read_source(repository).dirty


def test_only_the_projects_own_folder_counts(repository: Path) -> None:
    """In a monorepo, a neighbour's changes do not make the project dirty."""
    (repository / "project").mkdir()
    (repository / "neighbour").write_text("2")

    assert not read_source(repository / "project").dirty


def test_a_detached_head_has_no_branch_but_the_cis(repository: Path) -> None:
    """CIs check out a commit; they say the branch themselves."""
    git(repository, "checkout", "--quiet", "--detach")

    assert read_source(repository).branch == ""
    assert read_source(repository, branch="faster").branch == "faster"


def test_without_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    """Allowed, and recorded as such."""
    assert read_source(tmp_path) == Source()


def test_a_repository_without_commits_has_no_commit(tmp_path: Path) -> None:
    """As fresh as it gets."""
    git(tmp_path, "init", "--quiet")

    assert read_source(tmp_path) == Source()


def test_a_repository_that_git_refuses_is_no_missing_one(repository: Path) -> None:
    """Another user's folder in a container, a broken HEAD: the release would lose its commit in silence."""
    (repository / ".git" / "refs" / "heads" / "trunk").write_text("0" * 39 + "1\n")

    with pytest.raises(UsageError, match="git cannot read"):
        read_source(repository)


def test_an_author_in_another_encoding_is_no_trouble(repository: Path) -> None:
    """git hands on whatever bytes the commit has."""
    tree = git(repository, "write-tree")
    told = f"tree {tree}\nauthor J\xf6rg <j@example.org> 1 +0000\ncommitter J\xf6rg <j@example.org> 1 +0000\n\nOne\n"
    words = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    made = subprocess.run(words, cwd=repository, check=True, capture_output=True, input=told.encode("latin-1"))
    git(repository, "reset", "--soft", made.stdout.decode().strip())

    assert read_source(repository).commit == made.stdout.decode().strip()
