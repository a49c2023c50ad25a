"""Processes of steps: started in sessions of their own, waited for without polling, and never left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_IN_ORDER = ".\n"
SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")


def shell() -> str:
    """Azure ML runs commands with bash; a POSIX shell stands in where there is none."""
    for found in SHELLS:
        if os.access(found, os.X_OK):
            return found
    raise FileNotFoundError(2, "there is neither bash nor sh", "/bin/sh")


@dataclass(frozen=True)
class Ended:
    """A step's process is gone. `code` is its exit code, or minus the signal that killed it."""

    pid: int
    code: int


class Watcher:
    """A second process that outlives ours if we are killed: it then kills the steps that we leave, and calls `bury`.

    It holds what we hold, so the job's lock is free only once nothing of the job runs any more.
    """

    def __init__(self, bury: Callable[[], None]) -> None:
        reading, self.pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            _watch(reading, bury)
        os.close(reading)

    def started(self, pid: int) -> None:
        self._say(f"+{pid}\n")

    def ended(self, pid: int) -> None:
        self._say(f"-{pid}\n")

    def _say(self, line: str) -> None:
        # Without its watcher a job still runs; it only loses the protection.
        with contextlib.suppress(BrokenPipeError):
            os.write(self.pipe, line.encode())

    def close(self) -> None:
        self._say(_IN_ORDER)
        os.close(self.pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _watch(reading: int, bury: Callable[[], None]) -> None:
    """Ends the process; never returns into the job's code."""
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        running: set[int] = set()
        in_order = False
        with open(reading, encoding="ascii") as lines:
            for line in lines:
                if line == _IN_ORDER:
                    in_order = True
                else:
                    (running.add if line[0] == "+" else running.discard)(int(line[1:]))
        for pid in running:
            kill_session(pid, signal.SIGKILL)
        if not in_order:
            bury()
    finally:
        os._exit(0)


def kill_session(pid: int, number: signal.Signals) -> None:
    """Signal the process group that the step's process leads, children included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


class Children:
    """Starts processes and tells which have ended. One thread, no polling: signals wake a pipe."""

    def __init__(self, bury: Callable[[], None]) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(writing, False)
        self.asked_to_stop = False
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.watcher = Watcher(bury)
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def _stop(self, *_: object) -> None:
        self.asked_to_stop = True

    def start(self, command: list[str], *, cwd: Path, log: Path, variables: Mapping[str, str]) -> int:
        """The process's id, which is that of its session too. Raises OSError where it cannot be started."""
        with log.open("ab") as written:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[process.pid] = process
        self.watcher.started(process.pid)
        return process.pid

    def wait(self, seconds: float | None) -> Iterator[Ended]:
        """Those that have ended, after waiting until one has, we are asked to stop, or the time is over."""
        ready = list(self._gone())
        if not ready and not self.asked_to_stop_now(seconds):
            ready = list(self._gone())
        return iter(ready)

    def asked_to_stop_now(self, seconds: float | None) -> bool:
        """Sleep until a signal; False, always: what the signal meant is read from the children and `asked_to_stop`."""
        with contextlib.suppress(InterruptedError):
            select.select([self.reading], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reading, 512):
                pass
        return False

    def _gone(self) -> Iterator[Ended]:
        while self.running:
            seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is None:
                return
            process = self.running.pop(seen.si_pid, None)
            # While it is not reaped its id is nobody else's: now is the time to end what it left in its session.
            if process is not None:
                kill_session(seen.si_pid, signal.SIGKILL)
                self.watcher.ended(seen.si_pid)
            os.waitpid(seen.si_pid, 0)
            if process is not None:
                code = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
                process.returncode = code
                yield Ended(seen.si_pid, code)

    def signal_all(self, number: signal.Signals) -> None:
        for pid in self.running:
            kill_session(pid, number)

    def close(self) -> None:
        self.watcher.close()
