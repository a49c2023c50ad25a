"""What is committed installs anywhere, and tells nothing of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _committed() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so it is unknown what is committed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [file for name in listed.split("\0") if name and (file := ROOT / name).is_file()]


def _locked() -> dict[str, str]:
    """The lines of each locked package, by its normalised name."""
    entries = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)
    return {re.split(r"==", entry)[0]: entry for entry in entries if entry}


def _wanted() -> set[str]:
    groups = [PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"].values()]
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for group in groups for requirement in group)
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in names if name}


def test_the_lock_has_every_dependency() -> None:
    """`make lock` was run after pyproject.toml changed."""
    assert not _wanted() - set(_locked())


def test_the_lock_pins_by_hash() -> None:
    """Each package by exact version, with at least one sha256."""
    pin = re.compile(r"^\S+==\S+( ; [^\n]+)? \\\n    --hash=sha256:[0-9a-f]{64}")

    assert not [name for name, entry in _locked().items() if not pin.match(entry)]


def test_the_lock_names_no_index() -> None:
    """Where packages come from is the machine's business."""
    assert not re.findall(r"https?:|file:|--(extra-)?index|--find-links|--trusted-host", LOCK)


def test_no_committed_file_tells_of_a_machine() -> None:
    """No home folder, no package index's address, no private key."""
    # In parts, so that this file does not match itself.
    words = [
        "/ro" + "ot/",
        r"/home/(?!user|app|me\b)\w+/",
        r"/Us" + r"ers/\w+/",
        "pypi" + r"\.org",
        "pythonhosted" + r"\.org",
    ]
    words += ["BEGIN [A-Z ]*PRIVATE" + " KEY", "--extra-index" + "-url"]
    telling = re.compile("|".join(words).encode())

    assert not [str(file.relative_to(ROOT)) for file in _committed() if telling.search(file.read_bytes())]


def test_nothing_large_is_committed() -> None:
    """A clone takes seconds: no file above 2 MiB."""
    assert not [str(file.relative_to(ROOT)) for file in _committed() if file.stat().st_size > 2 << 20]


def test_the_version_stands_once() -> None:
    """pyproject.toml and the package agree."""
    import ctrain

    assert ctrain.__version__ == PROJECT["project"]["version"]
