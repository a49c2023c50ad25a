"""Azurite, Microsoft's own storage emulator, as a process of ours on Node."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Final

FOLDER: Final = Path(__file__).parent / "node"
PROGRAM: Final = FOLDER / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
PATIENCE: Final = 30.0
"""Seconds to wait for Azurite to say that it is ready; about one is usual."""


class NoStorage(Exception):
    """There is no Azurite on this machine, and why."""


def missing() -> str | None:
    """Why there can be no storage here, or None where there can."""
    if shutil.which("node") is None:
        return "Node is not installed: blob storage needs it"
    if not PROGRAM.is_file():
        return "Azurite is not installed: run `make azurite`, or `npm ci` in tests/azure/node"
    return None


class Azurite:
    """Started when first needed; stopped with us, as its standard input ends."""

    def __init__(self, accounts: Mapping[str, str], folder: Path) -> None:
        self._accounts = accounts
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._ahead = 0.0
        self._said: Queue[str] = Queue()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1; starts it, which takes about a second. Raises NoStorage."""
        with self._lock:
            if self._process is None:
                self._start()
            return self._port

    def _start(self) -> None:
        if why := missing():
            raise NoStorage(why)
        self._folder.mkdir(parents=True, exist_ok=True)
        options = [
            "--blobPort",
            "0",
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--disableTelemetry",
            "--silent",
        ]
        accounts = ";".join(f"{name}:{key}" for name, key in self._accounts.items())
        process = subprocess.Popen(
            ["node", "-r", str(FOLDER / "clock.cjs"), str(PROGRAM), *options, "--loose"],
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": accounts},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=[process], daemon=True).start()
        self._port = int(self._hear(r"listens on http://127\.0\.0\.1:(\d+)"))
        self._process = process
        self.ahead(self._ahead)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        with (self._folder / "azurite.log").open("w") as log:
            for line in process.stdout or ():
                log.write(line)
                log.flush()
                self._said.put(line)

    def _hear(self, wanted: str) -> str:
        """Wait for what it says; the first group of it."""
        said = ""
        with suppress(Empty):
            while True:
                said += self._said.get(timeout=PATIENCE)
                if found := re.search(wanted, said):
                    return found[1]
        raise NoStorage(f"Azurite did not say {wanted}: {said}")

    def ahead(self, seconds: float) -> None:
        """Let its clock be so far ahead of real time: leases and signatures expire by it."""
        self._ahead = seconds
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
            self._hear(r"(ahead)")

    def stop(self) -> None:
        """Nothing is kept."""
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                if self._process.stdin is not None:
                    self._process.stdin.close()
                self._process.wait(timeout=10)
                self._process = None
