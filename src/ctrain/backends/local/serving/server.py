"""One run of a deployment's server: its processes, its socket, and the lifeline between them and us.

The server is azureml-inference-server-http, as it is, in a session and process group of its own. It listens on a
loopback port that we bound. Over the lifeline gunicorn's hooks tell which workers came up and which went; when our
end closes, for whatever reason, the group ends itself; when theirs closes, all of them are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

from ctrain.backends.local.serving.surroundings import bare_environment
from ctrain.backends.local.serving.wish import Placement

HERE = Path(__file__).parent
GRACE = 3.0
"""Seconds that a server gets to finish its requests before it is killed."""


@dataclass
class Server:
    """A running server. `gone` is set once no worker is left that could answer."""

    process: asyncio.subprocess.Process
    port: int
    lifeline: asyncio.StreamReader
    ours: asyncio.StreamWriter
    workers: set[int] = field(default_factory=set)
    booted: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def follow(self) -> None:
        """Start listening to the lifeline and for the end of the first process."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._outlive())]

    async def _listen(self) -> None:
        with contextlib.suppress(OSError):
            async for line in self.lifeline:
                self._heard(*line.decode().split())
        self.gone.set()

    def _heard(self, verb: str, pid: str) -> None:
        if verb == "booted":
            self.workers.add(int(pid))
            self.booted.set()
            return
        self.workers.discard(int(pid))
        if not self.workers:
            self.gone.set()

    async def _outlive(self) -> None:
        await self.process.wait()
        self.gone.set()

    async def end(self, grace: float) -> int:
        """Stop the group, kill what is left of it after `grace` seconds, and return the first process' exit code."""
        if grace and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), grace)
        # Members of the group keep the lifeline open: only then the group's id is certainly still theirs.
        if not self.lifeline.at_eof() or self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        code = await self.process.wait()
        self.ours.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return code


async def start_server(placement: Placement, log: Path, lock: Path) -> Server:
    """Start the server of that deployment; its output goes to the end of `log`. Raises OSError where it cannot."""
    ours, theirs = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    try:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *_command(placement, listener, theirs, lock),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=placement.code or log.parent,
                env=_environment(placement),
                pass_fds=(listener.fileno(), theirs.fileno()),
                start_new_session=True,
            )
        port = listener.getsockname()[1]
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        # A dead server must refuse connections, not leave them waiting in a socket that we keep open.
        listener.close()
    reader, writer = await asyncio.open_connection(sock=ours)
    server = Server(process, port, reader, writer)
    server.follow()
    return server


def _command(placement: Placement, listener: socket.socket, lifeline: socket.socket, lock: Path) -> list[str]:
    entry = HERE / "mlflow_entry.py"
    if placement.code is not None and placement.spec.scoring is not None:
        entry = placement.code / placement.spec.scoring.script
    workers = placement.spec.instance_count * int(placement.spec.environment_variables.get("WORKER_COUNT", "1"))
    return [
        str(placement.interpreter), str(HERE / "launch.py"), str(listener.fileno()),
        str(lifeline.fileno()), str(lock), "--port", str(listener.getsockname()[1]),
        "--entry_script", str(entry), "--model_dir", str(placement.model), "--worker_count", str(workers),
    ]  # fmt: skip


def _environment(placement: Placement) -> dict[str, str]:
    hooks = f"--config file:{shlex.quote(str(HERE / 'gunicorn_hooks.py'))}"
    asked = placement.spec.environment_variables
    return {
        # Threads of a model that compete for cores wait at barriers: a row that takes 12 ms then takes a second.
        "OMP_NUM_THREADS": "1",
        **bare_environment(),
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **asked,
        "AML_APP_ROOT": str(placement.code or placement.model),
        "GUNICORN_CMD_ARGS": f"{asked.get('GUNICORN_CMD_ARGS', '')} {hooks}".strip(),
    }
