"""A ledger outlives the ctrain that began it: an older one is upgraded in place, a newer one is left alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.builders import a_plan

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.home import Home
from ctrain.backends.local.ledger import LocalLedger, _process
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.events import Event, Opened, to_json

FIRST_TABLES = """
CREATE TABLE event (place INTEGER PRIMARY KEY, release TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX event_by_release ON event (release, place);
CREATE TABLE evidence (release TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (release, name));
CREATE TABLE lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL,
    acquired TEXT NOT NULL, expires TEXT NOT NULL, process TEXT NOT NULL);
PRAGMA user_version = 1;
"""
OPENED = Event("main-1", SystemClock().now(), "anna", Opened(a_plan()))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a ledger of the first version: a release, a lock that was given back, and one that is held."""
    made = Home(tmp_path)
    with closing(sqlite3.connect(made.ledger)) as db, db:
        db.executescript(FIRST_TABLES)
        db.execute("INSERT INTO event (release, body) VALUES ('main-1', ?)", (to_json(OPENED),))
        for name, expires in (("old", "1970-01-01T00:00:00+00:00"), ("held", "2999-01-01T00:00:00+00:00")):
            lease = (name, "anna", 41, "2026-01-01T00:00:00+00:00", expires, _process(os.getpid()))
            db.execute("INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?)", lease)
    return made


def ledger(home: Home) -> LocalLedger:
    return LocalLedger(home, SystemClock(), "https://ci.example/runs/7")


def test_what_an_older_version_wrote_is_read(home: Home) -> None:
    """Every event of it."""
    assert (ledger(home).releases(), ledger(home).events("main-1")) == (["main-1"], [OPENED])


def test_locks_of_an_older_version_hold_and_their_tokens_go_on(home: Home) -> None:
    """What was held then is held now, though nobody knows where."""
    with pytest.raises(Conflict, match="held"):
        ledger(home).acquire("held", "ben", 60)

    assert ledger(home).acquire("old", "ben", 60).token == 42


def test_two_may_upgrade_it_at_the_same_moment(home: Home) -> None:
    """One does, and the other finds it done."""

    def read(_: int) -> Sequence[str]:
        return ledger(home).releases()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(40))) == [["main-1"]] * 40


def test_a_ledger_of_a_newer_version_is_left_alone(home: Home) -> None:
    """What its tables mean is not known here."""
    with closing(sqlite3.connect(home.ledger)) as db, db:
        db.execute("PRAGMA user_version = 3")

    with pytest.raises(PlatformUnavailable, match="newer") as told:
        ledger(home).append(OPENED)

    assert "ctrain" in told.value.hint
