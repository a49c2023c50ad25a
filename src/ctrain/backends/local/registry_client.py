"""Asking `registry_writer`, the process in which MLflow writes to the registry."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import weakref
from threading import Event
from typing import IO

from ctrain.backends.local.home import Home
from ctrain.backends.local.tracking import ensure_store
from ctrain.errors import PlatformUnavailable

ANSWER_SECONDS = 120.0
"""Longer than MLflow's import on a busy machine and its wait for a locked store together."""


class RegistryWriter:
    """One such process, started when first needed and again where it has ended."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None
        self.said: IO[str] | None = None
        self.at_work = Event()

    def start(self) -> None:
        """Start it, if it does not run, and return while it still imports MLflow."""
        if self.process is not None and self.process.poll() is None:
            return
        self.close()
        ensure_store(self.home)
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
        said = tempfile.TemporaryFile("w+", prefix="ctrain-registry-")  # noqa: SIM115 - lives as long as the process
        process = subprocess.Popen(
            [sys.executable, "-m", "ctrain.backends.local.registry_writer", str(self.home.root)],
            env=plain | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
        self.process, self.said = process, said
        self.at_work = Event()
        self._ended = weakref.finalize(self, _end, process, said, self.at_work)

    def ask(self, **call: object) -> None:
        """Have a call made. Asked again, once, where the process ends without an answer: every call is idempotent.

        Raises PlatformUnavailable where MLflow fails, or gives no answer.
        """
        failure = self._asked(call)
        if failure is None:
            failure = self._asked(call)
        if failure != "":
            raise PlatformUnavailable(
                f"MLflow could not {call['call']} the model {call['model']}",
                why=failure or self._last_words(),
                hint=f"check MLflow's store, {self.home.tracking_db}, and try again",
            )

    def close(self) -> None:
        """Let it end; one that is at work ends by itself, a little later."""
        if self.process is not None:
            self._ended()
            self.process = None

    def _asked(self, call: dict[str, object]) -> str | None:
        """Empty where it was done, the reason where not, None where the process ended."""
        self.start()
        asking, answering = (self.process.stdin, self.process.stdout) if self.process else (None, None)
        if asking is None or answering is None:
            return None
        try:
            self.at_work.set()
            asking.write(json.dumps(call) + "\n")
            asking.flush()
            if not select.select([answering], [], [], ANSWER_SECONDS)[0]:
                if self.process:
                    self.process.kill()
                self.close()
                return f"it gave no answer within {ANSWER_SECONDS:g} s"
            answer = str(json.loads(answering.readline())["failure"])
            self.at_work.clear()
            return answer
        except (OSError, ValueError):
            if self.process:
                self.process.kill()
                self.process.wait()
            return None

    def _last_words(self) -> str:
        if self.said is None or self.said.closed:
            return "it ended without a word"
        self.said.seek(0)
        return "\n".join(self.said.read().strip().splitlines()[-5:]) or "it ended without a word"


def _end(process: subprocess.Popen[str], said: IO[str], at_work: Event) -> None:
    """Leave it to finish what it was asked for, and to end with its input; where that is nothing, end it now."""
    for stream in (process.stdin, process.stdout):
        if stream:
            # what was not flushed to a process that has died cannot be flushed now
            try:
                stream.close()
            except OSError:
                continue
    if at_work.is_set() and process.poll() is None:
        # We were interrupted, and must not keep a person waiting. What it writes is a transaction, and asked for again.
        process.returncode = 0
    else:
        process.kill()
        process.wait()
    said.close()
