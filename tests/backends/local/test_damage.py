"""Files of the platform's that somebody, or a disk, has spoiled: told, with the file, and how to go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.builders import a_plan

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.state import read_state
from ctrain.backends.local.ledger import LocalLedger
from ctrain.backends.local.serving.folder import Folder
from ctrain.errors import PlatformUnavailable
from ctrain.events import Event, Opened


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    "body", ['{"release": "r", "at": "2026-01-01", "by": "b", "what": {"kind": "new"}}', "{}", "x"]
)
def test_an_event_that_no_version_of_ours_wrote(home: Home, body: str) -> None:
    """A newer ctrain has been here: the older one does not guess."""
    ledger = LocalLedger(home, SystemClock())
    ledger.append(Event("r", SystemClock().now(), "anna", Opened(a_plan())))
    with closing(sqlite3.connect(home.ledger)) as db, db:
        db.execute("INSERT INTO event (release, body) VALUES ('r', ?)", (body,))

    with pytest.raises(PlatformUnavailable, match="cannot be read") as told:
        ledger.events("r")

    assert "newer" in told.value.hint


def test_a_ledger_that_is_none(home: Home) -> None:
    """The file is named, and nothing is written over it."""
    home.ledger.write_bytes(b"no database " * 100)

    with pytest.raises(PlatformUnavailable, match=r"ledger\.db"):
        LocalLedger(home, SystemClock()).releases()

    assert home.ledger.read_bytes().startswith(b"no database")


def test_half_a_state_of_a_job(tmp_path: Path) -> None:
    """Our own writes are whole or not at all."""
    (tmp_path / "state.json").write_text('{"job": ')

    with pytest.raises(PlatformUnavailable, match="cannot be read"):
        read_state(tmp_path)


def test_a_key_that_is_gone(home: Home) -> None:
    """It says what makes another one; and preparing the folder does."""
    folder = Folder.of(home, "visits-dev")
    folder.prepare()
    folder.key_file.unlink()

    with pytest.raises(PlatformUnavailable, match="key"):
        folder.key()

    folder.prepare()
    assert folder.key()
