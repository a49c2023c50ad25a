"""Where code came from is told without what gives access to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ctrain.backends.azureml.git_remote import BRANCH, COMMIT, REPOSITORY, UNKNOWN, git_properties, public_url

HIDDEN = "s3cr3t"


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        (f"https://user:{HIDDEN}@github.com/team/visits.git", "https://github.com/team/visits.git"),
        (f"https://{HIDDEN}@dev.azure.com/team/visits/_git/visits", "https://dev.azure.com/team/visits/_git/visits"),
        (f"https://git.example/team/visits?private_token={HIDDEN}", "https://git.example/team/visits"),
        (f"https://git.example:8443/team/visits#{HIDDEN}", "https://git.example:8443/team/visits"),
        (f"ssh://{HIDDEN}@git.example:2222/team/visits.git", "ssh://git.example:2222/team/visits.git"),
        ("git@github.com:team/visits.git", "ssh://github.com/team/visits.git"),
        (f"{HIDDEN}@git.example:team/visits", "ssh://git.example/team/visits"),
        (f"https://dev.azure.com/{HIDDEN}@dev.azure.com/visits", None),
        (f"https://user:{HIDDEN}@[broken/visits", None),
        (f"https://git.example:{HIDDEN}/visits", None),
        (f"helper::{HIDDEN}@x", None),
        (f"file:///home/{HIDDEN}/visits", None),
        (f"/home/{HIDDEN}/visits", None),
        ("origin", None),
        ("", None),
    ],
)
def test_a_remote_is_told_without_what_opens_it(remote: str, told: str | None) -> None:
    """No user, no password, no query; and nothing at all where it is no remote host's."""
    assert public_url(remote) == told


def test_a_job_says_which_code_it_ran(tmp_path: Path) -> None:
    """By the remote of the pipeline's repository, and the commit and branch of the release."""
    _repository(tmp_path, f"https://user:{HIDDEN}@github.com/team/visits.git")

    assert git_properties(tmp_path, "c0ffee", "main") == {
        REPOSITORY: "https://github.com/team/visits.git",
        COMMIT: "c0ffee",
        BRANCH: "main",
    }


def test_a_job_always_has_a_repository(tmp_path: Path) -> None:
    """Where there is none to tell, a word stands there, so that the SDK does not put its own."""
    assert git_properties(tmp_path / "absent", "", "") == {REPOSITORY: UNKNOWN}


def _repository(folder: Path, remote: str) -> None:
    for command in (["init", "-q"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
