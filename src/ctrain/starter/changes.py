"""What writing the files would change. A file that a person wrote or changed is never among it."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ctrain.errors import UsageError
from ctrain.starter.mark import marked, ours, written


class Fate(StrEnum):
    """What becomes of a file."""

    NEW = "new"
    UPGRADED = "upgraded"
    EXTENDED = "extended"
    SAME = "same"
    KEPT = "kept"


@dataclass(frozen=True)
class Change:
    """`before` is None where there is no file. For one that is kept, `after` is what it would be."""

    file: Path
    fate: Fate
    before: bytes | None
    after: bytes
    why: str = ""

    @property
    def writes(self) -> bool:
        return self.fate in (Fate.NEW, Fate.UPGRADED, Fate.EXTENDED)

    def diff(self, root: Path) -> str:
        """As `diff -u` shows it; what is not text is told by its size."""
        name = self.file.relative_to(root).as_posix() if self.file.is_relative_to(root) else str(self.file)
        try:
            old, new = ((content or b"").decode("utf-8") for content in (self.before, self.after))
        except UnicodeDecodeError:
            return f"--- /dev/null\n+++ {name}\n({len(self.after):,} bytes)\n"
        from_name = "/dev/null" if self.before is None else name
        lines = difflib.unified_diff(_lines(old), _lines(new), from_name, name, lineterm="")
        return "".join(f"{line}\n" for line in lines)


def compare(files: Mapping[Path, str], version: str) -> Iterator[Change]:
    """What becomes of each of these texts, which get their mark here."""
    for file, text in files.items():
        yield _compared(file, marked(text, version).encode())


def copied(files: Mapping[Path, bytes]) -> Iterator[Change]:
    """What becomes of files that are brought as they are, without a mark: none is replaced."""
    for file, content in files.items():
        before = _read(file)
        if before is None:
            yield Change(file, Fate.NEW, None, content)
        elif before == content:
            yield Change(file, Fate.SAME, before, content)
        else:
            yield Change(file, Fate.KEPT, before, content, "it is there, and is another one")


def ignored(file: Path, entry: str) -> Change:
    """The file of ignored names, with that entry."""
    before = _read(file)
    if before is None:
        return Change(file, Fate.NEW, None, f"{entry}\n".encode())
    known = {line.strip().strip("/") for line in before.decode("utf-8", "replace").splitlines()}
    if entry.strip("/") in known:
        return Change(file, Fate.SAME, before, before)
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before or before.endswith(b"\n") else end
    return Change(file, Fate.EXTENDED, before, before + gap + entry.encode() + end)


def write(changes: Iterable[Change]) -> None:
    """Write what is to be written, each file at once or not at all.

    Raises UsageError where that is not possible, before anything was written.
    """
    todo = [change for change in changes if change.writes]
    for change in todo:
        _refuse_unwritable(change.file)
    for change in todo:
        try:
            _write(change.file, change.after)
        except OSError as failure:
            raise _cannot(change.file, failure.strerror or str(failure)) from None


def _compared(file: Path, after: bytes) -> Change:
    before = _read(file)
    if before is None:
        return Change(file, Fate.NEW, None, after)
    windows = b"\r\n" in before
    after = after.replace(b"\n", b"\r\n") if windows else after
    if before == after:
        return Change(file, Fate.SAME, before, after)
    text = before.decode("utf-8", "replace")
    if ours(text) and not file.is_symlink():
        return Change(file, Fate.UPGRADED, before, after)
    why = "it was changed by hand" if written(text) else "a person wrote it"
    return Change(file, Fate.KEPT, before, after, why)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise UsageError(
            f"cannot look at {file}",
            why="there is a folder of that name" if file.is_dir() else failure.strerror or str(failure),
            hint="move it away, or make it readable, and run again",
        ) from None


def _refuse_unwritable(file: Path) -> None:
    folder = next(folder for folder in file.parents if folder.exists())
    if not folder.is_dir():
        raise _cannot(file, f"{folder} is a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _cannot(file, f"{folder} is read-only")


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as beside:
        beside.write(content)
    Path(beside.name).chmod(mode)
    Path(beside.name).replace(file)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot(file: Path, why: str) -> UsageError:
    return UsageError(f"cannot write {file}", why=why, hint="make the folder writable, or choose another one")


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").splitlines()
