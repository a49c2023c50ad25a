"""Make a folder of files once: complete or not at all, whoever else is making it and whenever we are killed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ctrain.errors import PlatformUnavailable


def publish(target: Path, fill: Callable[[Path], None], *, intact: Callable[[Path], bool] = Path.is_dir) -> None:
    """Make the folder `target` of what `fill` writes into the empty folder it is given.

    A target that is `intact` is left as it is; any other is replaced. Those who want the same at the same time wait for
    the first. Files become read-only. Raises PlatformUnavailable where the disk is full or cannot be written;
    then, and after whatever else `fill` raises, there is no target.
    """
    with _writable(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.parent / ".lock"):
            if intact(target):
                return
            partial = target.parent / f".{target.name}.partial"
            _remove(partial)
            _remove(target)
            partial.mkdir()
            try:
                fill(partial)
                _settle(partial)
                partial.rename(target)
            finally:
                _remove(partial)
            _sync(target.parent)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file; the operating system gives it back when this process ends, however it ends."""
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise PlatformUnavailable(
            f"cannot write below {folder}",
            why=f"{failure.strerror or failure}: {failure.filename or folder}",
            hint="make room on that disk, or make the folder writable, and try again",
        ) from failure


def _settle(folder: Path) -> None:
    # Without the syncs a power cut could leave the folder under its name with empty files in it.
    for file in folder.rglob("*"):
        if file.is_dir():
            _sync(file)
        else:
            file.chmod(0o444)
            _sync(file)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
