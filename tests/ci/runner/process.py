"""A step's process, as both services' agents run and end it.

Cancelling goes to the entry process alone: SIGINT, 7.5 seconds later SIGTERM, 2.5 seconds later an end to it and all
that came of it (actions/runner `ProcessInvoker.cs`; azure-pipelines-agent has the same). Output is read by lines from
both streams; what a line means is the caller's business.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SIGINT_SECONDS, SIGTERM_SECONDS = 7.5, 2.5
DRAIN_SECONDS = 5.0
"""How long a stream is still read after the process has ended: something it started may hold it open."""
LINE_ENDS = re.compile(r"\r\n|\r|\n")


class Cancelling:
    """A wish to stop, which may be told to others."""

    def __init__(self, *above: Cancelling) -> None:
        self._event = threading.Event()
        self._above = above

    def cancel(self) -> None:
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set() or any(one.asked for one in self._above)


@dataclass
class Ended:
    """How a process ended. `code` is what the agent sees; `signals` are those it sent."""

    code: int
    signals: list[str] = field(default_factory=list)
    timed_out: bool = False


def run(
    command: list[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    line: Callable[[str], None],
    cancelling: Cancelling,
    seconds: float,
    orphans_end: bool = False,
) -> Ended:
    """Run it to its end, or until it is cancelled or has had its time.

    With `orphans_end`, what it left behind in its own session is killed then. A daemon that has a session of its own is
    the platform under test, which on a real machine is a service.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    lock = threading.Lock()
    readers = [threading.Thread(target=_read, args=(pipe, line, lock), daemon=True) for pipe in _pipes(process)]
    for reader in readers:
        reader.start()
    ended = _wait(process, cancelling, time.monotonic() + seconds)
    for pid in _session(process.pid) if orphans_end else ():
        _kill(pid)
    limit = time.monotonic() + DRAIN_SECONDS
    for reader in readers:
        reader.join(max(0.0, limit - time.monotonic()))
    return ended


def _pipes(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]


def _read(pipe: IO[bytes], line: Callable[[str], None], lock: threading.Lock) -> None:
    rest = ""
    while True:
        try:
            chunk = os.read(pipe.fileno(), 1 << 16)
        except OSError:
            chunk = b""
        rest += chunk.decode(errors="replace")
        *whole, rest = LINE_ENDS.split(rest)
        if not chunk:
            whole = [*whole, rest] if rest else whole
        with lock:
            for text in whole:
                line(text)
        if not chunk:
            pipe.close()
            return


def _wait(process: subprocess.Popen[bytes], cancelling: Cancelling, limit: float) -> Ended:
    ended = Ended(0)
    while process.poll() is None and not cancelling.asked and time.monotonic() < limit:
        time.sleep(0.01)
    if process.poll() is None:
        ended.timed_out = not cancelling.asked
        for sign, seconds in ((signal.SIGINT, SIGINT_SECONDS), (signal.SIGTERM, SIGTERM_SECONDS)):
            ended.signals.append(sign.name)
            process.send_signal(sign)
            if _gone(process, seconds):
                break
        else:
            ended.signals.append("SIGKILL")
            for pid in _tree(process.pid):
                _kill(pid)
            process.wait()
    ended.code = process.returncode
    return ended


def _gone(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _processes() -> Iterator[tuple[int, int, int]]:
    """Each process with its parent and its session. See proc_pid_stat(5)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        _, parent, _, session, *_ = text[text.rindex(")") + 2 :].split()
        yield int(stat.parent.name), int(parent), int(session)


def _session(leader: int) -> list[int]:
    return [pid for pid, _, session in _processes() if session == leader]


def _tree(root: int) -> list[int]:
    """The process and all that came of it, the youngest first."""
    children: dict[int, list[int]] = {}
    for pid, parent, _ in _processes():
        children.setdefault(parent, []).append(pid)
    found, look = [], [root]
    while look:
        found.append(look.pop())
        look += children.get(found[-1], [])
    return found[::-1]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
