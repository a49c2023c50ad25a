"""A user's repository: the reference project in a git repository of its own, and the installed `ctrain` in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[2] / "pipelines"
CTRAIN = Path(sys.executable).parent / "ctrain"
LIMIT = 300.0
"""Seconds that any one call may take."""


@dataclass(frozen=True)
class Said:
    """What a call of ctrain ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.out)
        return read


@dataclass(frozen=True)
class Repository:
    """`root` holds the project; its platform is in CTRAIN_HOME, else in `.ctrain` there. Calls get `variables`."""

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, root: Path) -> Repository:
        shutil.copytree(REFERENCE, root, ignore=shutil.ignore_patterns(".ctrain", "__pycache__", "mlruns", "*.db"))
        repository = cls(root)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit("The reference project")
        return repository

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=Anna", "-c", "user.email=anna@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in the file, and commit."""
        file = self.root / name
        text = file.read_text()
        assert old in text, f"{old!r} is not in {name}"
        file.write_text(text.replace(old, new))
        self.commit(f"Edit {name}")

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(CTRAIN), *words],
            cwd=self.root,
            env={**environment(), **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ctrain(self, *words: str, **variables: str) -> Said:
        process = self.start(*words, **variables)
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"ctrain {words} took longer than {LIMIT:.0f} s:\n{err}") from None
        return Said(process.returncode, out, err)

    def killed(self, *words: str, once: str) -> None:
        """Start ctrain, and kill it as soon as that event is in the ledger."""
        process = self.start(*words)
        limit = time.monotonic() + LIMIT
        try:
            while once not in self.kinds() and process.poll() is None:
                assert time.monotonic() < limit, f"{once} did not happen"
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def kinds(self) -> list[str]:
        """The kinds of all events so far, of all releases."""
        import sqlite3

        file = Path(self.variables.get("CTRAIN_HOME", self.root / ".ctrain")) / "ledger.db"
        if not file.exists():
            return []
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as ledger:
            try:
                rows = ledger.execute("SELECT body FROM event ORDER BY place").fetchall()
            except sqlite3.OperationalError:
                return []
        ledger.close()
        return [json.loads(body)["what"]["kind"] for (body,) in rows]

    def until(self, kind: str, count: int = 1) -> None:
        """Wait for so many events of that kind."""
        limit = time.monotonic() + LIMIT
        while self.kinds().count(kind) < count:
            assert time.monotonic() < limit, f"{kind} did not happen"
            time.sleep(0.05)

    def serving(self) -> dict[str, int | None]:
        """The model version that has all of each stage's traffic."""
        stages = self.ctrain("status", "--json").document["status"]["stages"]
        return {stage["stage"]: _version(stage) for stage in stages}

    def champion(self) -> int | None:
        champion = self.ctrain("status", "--json").document["status"]["champion"]
        return champion["version"] if champion else None

    def down(self) -> None:
        self.ctrain("local", "down")


def _version(stage: dict[str, Any]) -> int | None:
    full = [now for now in stage["deployments"] if now["percent"] == 100]
    return full[0]["deployment"]["model_version"] if full else None


def environment() -> dict[str, str]:
    """Ours, without what a CI or a developer's shell would tell ctrain."""
    foreign = ("GITHUB_", "TF_BUILD", "BUILD_", "SYSTEM_", "CTRAIN_", "MLFLOW_", "GIT_", "AZURE", "ACTIONS_", "ARM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"OMP_NUM_THREADS": "1"}  # two of us train at a time, on two cores
