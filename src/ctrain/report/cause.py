"""Where a step broke in the repository's own code, by the Python traceback in its log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ctrain.errors import Location

_FRAME = re.compile(r'^[ \t|]*File "([^"\n]+)", line (\d{1,7})', re.MULTILINE)
_INSTALLED = re.compile(r"/(site|dist)-packages/|/lib/python3[^/]*/")


def cause(log: str, files: Sequence[Path]) -> Location | None:
    """The last frame that is in one of the files, which is the innermost of theirs; None if there is none.

    A job runs a copy of the files in another place, so a frame is in the file with which its path shares the longest
    end; with two that share as much it is in neither. What is installed is nobody's mistake here.
    """
    for frame in reversed(list(_FRAME.finditer(log))):
        path = frame[1].replace("\\", "/")
        if _INSTALLED.search(path):
            continue
        ranked = sorted(((_shared(path, file), file) for file in files), key=lambda one: one[0], reverse=True)
        best = [file for shared, file in ranked if shared and shared == ranked[0][0]]
        if len(best) == 1:
            return Location(best[0], int(frame[2]))
    return None


def _shared(path: str, file: Path) -> int:
    """How many parts the ends of both have in common."""
    pairs = zip(reversed(PurePosixPath(path).parts), reversed(file.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
