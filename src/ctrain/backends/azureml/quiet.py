"""Azure's SDK talks: experimental-class warnings, progress bars, dots, log lines. None of it reaches our streams."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TextIO

NOISY: Final = frozenset(
    {"azure", "azureml", "msal", "msal_extensions", "msrest", "marshmallow", "opentelemetry", "tqdm", "colorama"}
)
"""Top-level packages that do not speak for us."""

_SPEAKERS: Final = NOISY - {"colorama"}
"""Those that have words of their own: colorama only passes on what it is given, ours too."""


class _Muted:
    """A stream that takes what the SDK writes and lets everybody else's words through.

    Who writes is told by the stack and not by the thread: the SDK has threads of its own (uploads, pollers), and ours
    (progress, heartbeat) go on writing while it works.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, words: str) -> int:
        return len(words) if _speaks_azure() else self.stream.write(words)

    def flush(self) -> None:
        if not _speaks_azure():
            self.stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def _speaks_azure() -> bool:
    frame: FrameType | None = sys._getframe()  # at the interpreter's own end there is nothing below ours
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _SPEAKERS:
            return True
        frame = frame.f_back
    return False


_lock: Final = threading.Lock()
_muted: Final[list[_Muted]] = []
_depth: Final[list[None]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that Azure's libraries print inside is seen. Nests, and holds in any number of threads at once."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    with _lock:
        if not _depth:
            _hush()
            for name in ("stdout", "stderr"):
                muted = _Muted(getattr(sys, name))
                _muted.append(muted)
                setattr(sys, name, muted)
        _depth.append(None)


def _leave() -> None:
    with _lock:
        _depth.pop()
        if _depth:
            return
        for name, muted in zip(("stdout", "stderr"), _muted, strict=True):
            now = getattr(sys, name)
            if now is muted or _is_colorama(now):  # another that somebody put there in the meantime stays
                setattr(sys, name, muted.stream)
        _muted.clear()


def _is_colorama(stream: object) -> bool:
    """Whether the SDK has put colorama before the stream, as it does where it refuses what it was given (`init` in
    `log_and_raise_error`, `_exception_helper.py`, azure-ai-ml 1.35.2). Its farewell, a reset of a terminal's colours,
    is taken back as well."""
    if not type(stream).__module__.startswith("colorama."):
        return False
    atexit.unregister(sys.modules["colorama.initialise"].reset_all)
    return True


def _hush() -> None:
    """Log lines of theirs go nowhere unless somebody configured logging; their warnings are not our user's to mend."""
    for package in NOISY:
        logger = logging.getLogger(package)
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        warnings.filterwarnings("ignore", module=rf"{package}(\.|$)")
