"""Signals: within three seconds we are gone, whatever a thread or a call is doing.

GitHub sends SIGINT, after 7.5 s SIGTERM, and kills 2.5 s later; Azure Pipelines does the same ("Workflow cancellation
reference" of GitHub; `ProcessInvoker` of both runners). Python hands a signal to the main thread, which may be in a
call that does not come back: a name that is looked up, a disk that is gone, a pool of threads that is waited for. So a
thread hears of it as well, through the wake-up descriptor, gives the locks back where the main thread does not, and
ends the process.

What has to be recorded has been recorded before, as events come before and after each act. Nothing is begun after a
signal but giving locks back, and what `on_cancel` says.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from ctrain.errors import ExitCode

NOTICE = 0.8
"""Seconds in which the main thread has to notice the signal: else it is in a call that does not come back."""

GRACE = 1.8
"""Seconds in which the main thread has to be done: else it is left behind."""

FAREWELL = 0.4
"""Seconds that giving the locks back may take then; what is not given back runs out by itself."""

_FAREWELL = b"""
Interrupted, amid a call that does not end. What was done is recorded.
Run the same command again, or `ctrain resume`, to go on from there.
"""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal came that asks us to end. `told` is what whoever watches should know, a line each."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = ExitCode(128 + number)
        self.told: tuple[str, ...] = ()


class Interrupts:
    """The signals of this process. `on_stop` is what gives the locks back; it is safe to call from another thread."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.on_stop: Callable[[], None] = lambda: None
        self.noticed = threading.Event()

    def listen(self) -> None:
        """From now on. A signal that whoever started us has us ignore stays ignored."""
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reading,), name="ctrain-signals", daemon=True).start()
        for number in heard:
            signal.signal(number, self._stop)

    def check(self) -> None:
        """Raises Stopped where a signal has come: what was raised then may have been swallowed, as in a destructor."""
        if self.number is not None:
            raise Stopped(self.number)

    def over(self) -> None:
        """No more: the work is done, and what is left is to say so."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def leave(self, code: int) -> NoReturn:
        """End the process now: no thread is waited for, and what libraries do at the exit is left out."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(code)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        # What follows gives locks back and takes no time; a second signal must not break into it.
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        self.number = number
        self.noticed.set()
        raise Stopped(number)

    def _watch(self, reading: int) -> None:
        while (number := os.read(reading, 1)[0]) not in _SIGNALS:
            continue
        came = time.monotonic()
        if self.noticed.wait(NOTICE):
            time.sleep(came + GRACE - time.monotonic())  # and the main thread leaves meanwhile
        farewell = threading.Thread(target=self._farewell, daemon=True)
        farewell.start()
        farewell.join(FAREWELL)
        os._exit(128 + number)

    def _farewell(self) -> None:
        self.on_stop()
        os.write(2, _FAREWELL)


interrupts = Interrupts()
"""This process's."""
