"""An endpoint's folder: logs within bounds, and locks that tell who is alive."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ctrain.backends.local.serving import folder as module
from ctrain.backends.local.serving.folder import Folder, tail, trim


def test_a_log_stays_within_bounds_and_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that appends goes on after the log was cut, and the newest lines can still be read."""
    monkeypatch.setattr(module, "LOG_LIMIT", 1000)
    monkeypatch.setattr(module, "LOG_KEPT", 200)
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as stream:
        for number in range(500):
            stream.write(f"line {number}\n".encode())
            trim(log)
    assert log.stat().st_size <= 1010
    assert (tmp_path / "log.old").stat().st_size <= 200
    assert tail(log).endswith("line 498\nline 499\n")


def test_the_end_of_a_log_starts_with_a_whole_line(tmp_path: Path) -> None:
    """Cut in the middle of a line, the rest of that line is left out; without a log there is nothing."""
    (tmp_path / "log").write_text("first line\nsecond line\n")
    assert tail(tmp_path / "log", 15) == "second line\n"
    assert tail(tmp_path / "none") == ""


def test_only_one_process_can_hold_an_endpoint(tmp_path: Path) -> None:
    """And it is running for as long as that one holds it, no longer."""
    folder = Folder(tmp_path)
    assert not folder.running()
    held = folder.hold()
    assert held is not None
    assert folder.running()
    assert folder.hold() is None
    os.close(held)
    assert not folder.running()


def test_preparing_again_keeps_the_key_and_the_wish(tmp_path: Path) -> None:
    """Callers keep their key when an endpoint is created again."""
    folder = Folder(tmp_path / "visits")
    folder.prepare()
    key = folder.key()
    folder.prepare()
    assert folder.key() == key
    assert folder.key_file.stat().st_mode & 0o777 == 0o600
    assert len(key) >= 32
