"""Killing `ctrain run` at a moment, and seeing that the next run ends where an undisturbed one would."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.repository import LIMIT, Repository

Moment = Callable[[list[str], float], bool]
"""Whether it has come, by the kinds of this run's events so far and the seconds since it was started."""


def once(kind: str) -> Moment:
    """As soon as an event of that kind is in the ledger."""
    return lambda kinds, _seconds: kind in kinds


def by_chance(chance: random.Random) -> Moment:
    """At any event, or up to half a second after it."""
    after, wait = chance.randint(0, 30), chance.choice([0.0, chance.uniform(0, 0.5)])
    reached: list[float] = []

    def has_come(kinds: list[str], seconds: float) -> bool:
        if len(kinds) >= after:
            reached.append(seconds)
        return bool(reached) and seconds >= reached[0] + wait

    return has_come


@dataclass
class Killing:
    """A tiny project that is delivered; each round makes a new model out of a new commit."""

    repository: Repository
    version: int = 1
    factor: int = 900

    def another_model(self) -> None:
        self.repository.edit("ctrain.yaml", f"factor: 0.{self.factor}", f"factor: 0.{self.factor - 1}")
        self.factor -= 1
        self.version += 1

    def events(self) -> list[dict[str, str]]:
        """All events so far, of all releases, as `{release, kind}`."""
        file = self.repository.root / ".ctrain" / "ledger.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as ledger:
            told = [json.loads(body) for (body,) in ledger.execute("SELECT body FROM event ORDER BY place")]
        return [{"release": event["release"], "kind": event["what"]["kind"]} for event in told]

    def kill(self, moment: Moment) -> None:
        """Start `ctrain run` and kill it once the moment has come; it may have ended before."""
        before = len(self.events())
        began = time.monotonic()
        process = self.repository.start("run", "--trigger", "main")
        try:
            while process.poll() is None:
                seconds = time.monotonic() - began
                assert seconds < LIMIT
                if moment([event["kind"] for event in self.events()[before:]], seconds):
                    break
                time.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def as_if_undisturbed(self) -> None:
        """Run again, and see what an undisturbed run would have left."""
        said = self.repository.ctrain("run", "--trigger", "main")

        assert said.code == 0, said.err
        assert self.repository.serving() == {"dev": self.version, "prod": self.version}, said.err
        assert self.repository.champion() == self.version
        document = self.repository.ctrain("show", "--json").document["release"]
        name, kinds = document["release"]["id"], [event["what"]["kind"] for event in document["events"]]
        assert document["release"]["ending"] == "delivered"
        for kind in ("opened", "judged", "registered", "crowned", "closed"):
            assert kinds.count(kind) == 1, f"{kind}: {kinds}"
        assert {event["release"] for event in self.events() if event["release"].startswith(name[:-1])} == {name}
        assert len(jobs(self.repository)) == self.version
        assert versions(self.repository) == list(range(1, self.version + 1))
        assert [line for line in processes(self.repository).values() if "serving" not in line] == []

    def pids(self, *words: str) -> list[int]:
        """The processes whose command lines have all of these words."""
        return [pid for pid, line in processes(self.repository).items() if all(word in line for word in words)]


def jobs(repository: Repository) -> list[Path]:
    return list((repository.root / ".ctrain" / "jobs").glob("ctrain-*"))


def versions(repository: Repository) -> list[int]:
    with closing(sqlite3.connect(repository.root / ".ctrain" / "mlflow.db")) as store:
        return [version for (version,) in store.execute("SELECT version FROM model_versions ORDER BY version")]


def processes(repository: Repository) -> dict[int, str]:
    """The command lines of all processes that name the repository, by their ids."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{repository.root}/" in line:
            found[int(file.parent.name)] = line
    return found
