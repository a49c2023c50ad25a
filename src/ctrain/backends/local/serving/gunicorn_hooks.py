"""Read by gunicorn as its configuration file: what it tells us about its workers. Standard library only.

Source for the hooks: "Settings", Server Hooks, docs.gunicorn.org.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Protocol

# By path: the model's interpreter need not have ctrain installed.
_launch = runpy.run_path(str(Path(__file__).with_name("launch.py")))

control_socket_disable = True
"""gunicorn 25 and later open a socket in the user's home otherwise; older ones ignore the name."""


class _Worker(Protocol):
    pid: int


def post_fork(_server: object, _worker: _Worker) -> None:
    """Threads do not survive a fork: a worker watches the lifeline itself."""
    _launch["watch"](int(os.environ["CTRAIN_LIFELINE"]))


def post_worker_init(worker: _Worker) -> None:
    """The scoring script's init() is through, so the worker can be asked."""
    _launch["tell"]("booted", worker.pid)


def child_exit(_server: object, worker: _Worker) -> None:
    _launch["tell"]("exited", worker.pid)
