"""Every endpoint of a home at once: what `ctrain local up | down | status` does."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving.folder import Folder, folders
from ctrain.backends.local.serving.port import ensure_running, reach, see
from ctrain.backends.local.serving.remote import TIMEOUT, ask
from ctrain.errors import CtrainError, PlatformUnavailable
from ctrain.serving import Endpoint

if TYPE_CHECKING:
    from ctrain.ports import Clock


def status(home: Home, clock: Clock) -> list[Endpoint]:
    """Every endpoint as it is now, by name."""
    return [seen for folder in folders(home) if (seen := see(folder, clock)) is not None]


def up(home: Home, clock: Clock) -> list[Endpoint]:
    """Start every endpoint that is down; their deployments come back by themselves, after this returns.

    All are tried; then raises PlatformUnavailable for those that did not come up.
    """
    found = folders(home)
    if not found:
        return []
    with ThreadPoolExecutor(max_workers=len(found)) as pool:
        tried = list(pool.map(lambda folder: _tried(folder, clock), found))
    problems = [one for one in tried if isinstance(one, CtrainError)]
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise PlatformUnavailable(
            f"{len(problems)} endpoints did not start",
            why="; ".join(f"{problem.what}: {problem.why}" for problem in problems),
            hint=problems[0].hint,
        )
    return [one for one in tried if isinstance(one, Endpoint)]


def down(home: Home, clock: Clock, grace: float = 10.0, patience: float = TIMEOUT) -> list[str]:
    """Stop every endpoint and all its deployments, and return the names of those that ran.

    One that does not answer within `patience` seconds, or is left after `grace`, is killed. Endpoints keep their
    deployments, traffic, port and key.
    """
    running = [folder for folder in folders(home) if folder.running()]
    for folder in running:
        _ask_to_leave(folder, clock, patience)
    until = clock.monotonic() + grace
    for folder in running:
        _wait_gone(folder, clock, until)
        if folder.running():
            _kill(folder)
        _wait_gone(folder, clock, clock.monotonic() + 5)
        if folder.running() or not folder.deserted():
            raise PlatformUnavailable(
                f"the endpoint {folder.root.name} cannot be stopped",
                why="some of its processes outlived being killed",
                hint=f"see `lsof {folder.leftovers_lock}`",
            )
    return [folder.root.name for folder in running]


def _tried(folder: Folder, clock: Clock) -> Endpoint | CtrainError:
    try:
        return ensure_running(folder, clock)
    except CtrainError as problem:
        return problem


def _ask_to_leave(folder: Folder, clock: Clock, patience: float) -> None:
    contact = reach(folder, clock)
    if contact is not None:
        # One that does not listen is killed after the grace.
        with contextlib.suppress(ConnectionError, CtrainError):
            ask(contact, "shut_down", timeout=patience)


def _wait_gone(folder: Folder, clock: Clock, until: float) -> None:
    while (folder.running() or not folder.deserted()) and clock.monotonic() < until:
        clock.sleep(0.02)


def _kill(folder: Folder) -> None:
    """Kill the holder of the lock. Its deployments end by themselves when it is gone.

    The contact was written by the holder, so its process id is the holder's as long as the lock is held.
    """
    contact = folder.contact()
    if contact is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "pidfd_open"):
            # A descriptor of a process cannot come to mean another one between the check and the signal.
            descriptor = os.pidfd_open(contact.pid)
            try:
                if folder.running():
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)
        elif folder.running():
            os.kill(contact.pid, signal.SIGKILL)
