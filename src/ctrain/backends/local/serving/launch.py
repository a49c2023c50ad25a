"""The first file that a deployment's process runs, in the model's own interpreter: standard library only.

It ties the process to the endpoint that started it, then becomes Microsoft's inference server. That server always
asks gunicorn to bind 0.0.0.0; a socket that is handed over as systemd does it goes before that, so the endpoint
binds loopback itself and passes it on. Sources: `amlserver_linux.py` of azureml-inference-server-http 1.4,
`systemd.py` of gunicorn, and sd_listen_fds(3) for the convention (descriptor 3, LISTEN_PID, LISTEN_FDS).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import threading
from pathlib import Path

LISTENER = 3


def main() -> None:
    """Arguments: listener's and lifeline's descriptors, the lock's file, and those of azmlinfsrv."""
    listener, lifeline, lock, *arguments = sys.argv[1:]
    line = fcntl.fcntl(int(lifeline), fcntl.F_DUPFD_CLOEXEC, 10)
    passed = fcntl.fcntl(int(listener), fcntl.F_DUPFD_CLOEXEC, 10)
    for descriptor in (lifeline, listener):
        os.close(int(descriptor))
    os.environ["CTRAIN_LIFELINE"] = str(line)
    watch(line)
    os.dup2(passed, LISTENER)
    os.close(passed)
    hold(lock)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    sys.argv = ["azmlinfsrv", *arguments]
    # The folder of this file must not shadow modules of the user's.
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    from azureml_inference_server_http.amlserver import run

    run()


def hold(lock: str) -> None:
    """Share a lock, from here to the last process that is forked from this one."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def watch(line: int) -> None:
    """End the whole process group when the endpoint's end of the lifeline closes: it died, in whatever way.

    The end of the line stays readable, so that a death before this call is seen as well.
    """
    threading.Thread(target=_wait, args=(line,), name="lifeline", daemon=True).start()


def _wait(line: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(line, 1):
            pass
    os.killpg(0, signal.SIGKILL)


def tell(verb: str, pid: int) -> None:
    """Send one line to the endpoint; short enough to be written in one piece."""
    try:
        os.write(int(os.environ["CTRAIN_LIFELINE"]), f"{verb} {pid}\n".encode())
    except OSError:
        return


if __name__ == "__main__":
    main()
