"""A signal ends the process within three seconds, whatever the main thread, another thread or a library is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

LIMIT = 3.0
"""Seconds from the signal to the end: the promise. GitHub kills after ten."""

BEFORE = """
import hashlib, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ctrain.cli.interrupt import Stopped, interrupts

given_back = Path(sys.argv[1])
interrupts.on_stop = given_back.touch
interrupts.listen()


def unwound(work):
    try:
        print("ready", flush=True)
        work()
    except Stopped as stopped:
        given_back.touch()
        interrupts.leave(stopped.code)
    interrupts.leave(1)


def endless():
    hashlib.pbkdf2_hmac("sha256", b"a call into C that no signal breaks into", b"salt", 2_000_000_000)

"""

SITUATIONS = {
    "sleeping, as between two looks or for a Retry-After": """
        unwound(lambda: time.sleep(60))
        """,
    "in a call into C that does not come back": """
        unwound(endless)
        """,
    "waiting for a pool whose threads hang": """
        def work():
            with ThreadPoolExecutor(4) as pool:
                for _ in range(4):
                    pool.submit(endless)
                time.sleep(60)
        unwound(work)
        """,
    "with threads that are left behind": """
        def work():
            threading.Thread(target=endless).start()
            time.sleep(60)
        unwound(work)
        """,
    "in a destructor, which swallows what is raised there": """
        class Slow:
            def __del__(self):
                time.sleep(0.5)
        def work():
            while True:
                one = Slow()
                del one
                interrupts.check()
        unwound(work)
        """,
    "under a library that swallows everything": """
        def work():
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        unwound(work)
        """,
    "with a clean-up that hangs": """
        def work():
            try:
                time.sleep(60)
            finally:
                time.sleep(60)
        unwound(work)
        """,
    "writing to a log that nobody reads any more": """
        def work():
            while True:
                sys.stderr.write("x" * 65536)
        unwound(work)
        """,
}


def heeding() -> None:
    """A shell's background job ignores SIGINT, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


EVERY_DAY = ("sleeping", "in a call into C", "waiting for a pool", "in a destructor")
CASES = [
    pytest.param(
        situation, number, marks=() if situation.startswith(EVERY_DAY) and (place + number) % 2 else pytest.mark.long
    )
    for place, situation in enumerate(SITUATIONS)
    for number in (signal.SIGINT, signal.SIGTERM)
]


@pytest.mark.parametrize(("situation", "number"), CASES)
def test_it_is_gone_in_time_and_has_given_locks_back(tmp_path: Path, situation: str, number: signal.Signals) -> None:
    """By the signal's own exit code."""
    program = BEFORE + textwrap.dedent(SITUATIONS[situation])
    given_back = tmp_path / "given back"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(given_back)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heeding,  # noqa: PLW1509  we have no threads
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)  # until it does what it is about to do
        process.send_signal(number)
        assert process.wait(timeout=LIMIT) == 128 + number
    finally:
        process.kill()
        process.communicate()
    assert given_back.exists()


@pytest.mark.long
def test_a_clean_up_that_hangs_in_both_threads_does_not_keep_it(tmp_path: Path) -> None:
    """A ledger that does not answer: its lease runs out by itself."""
    program = BEFORE + "interrupts.on_stop = lambda: time.sleep(60)\nunwound(endless)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "x")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LIMIT) == 143
    finally:
        process.kill()
        process.communicate()


def test_a_signal_that_is_to_be_ignored_is(tmp_path: Path) -> None:
    """`nohup`, or a shell's background job: who started us knows why."""
    program = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + BEFORE
    program += "import os\nos.kill(os.getpid(), signal.SIGINT)\nprint('still here')\n"
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x")], capture_output=True, text=True, timeout=30, check=False
    )

    assert (said.returncode, said.stdout) == (0, "still here\n")
