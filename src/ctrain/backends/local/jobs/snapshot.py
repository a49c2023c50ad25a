"""The code of a step as it was when the job was submitted: later edits do not reach a running job."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ctrain.digest import file_digest
from ctrain.errors import PipelineError
from ctrain.pipeline.snapshot import code_files


@dataclass(frozen=True)
class Snapshot:
    """The files (relative name, where it is) of a code folder, or the one file, and their digest."""

    files: tuple[tuple[str, Path], ...]
    digest: str


def look_at(code: Path) -> Snapshot:
    """What a snapshot of this code would hold.

    Raises PipelineError for links that leave the folder, and where something cannot be read.
    """
    base = code.parent if code.is_file() else code
    files = tuple((file.as_posix(), base / file) for file in code_files(code))
    whole = hashlib.sha256()
    for name, file in files:
        runs = "x" if os.access(file, os.X_OK) else "-"
        whole.update(f"{len(name.encode())}:{name}:{runs}:{file_digest(file, PipelineError)}\n".encode())
    return Snapshot(files, whole.hexdigest())


def keep(snapshot: Snapshot, store: Path) -> Path:
    """The folder `store/<digest>` with these files; made once, complete or not at all."""
    target = store / snapshot.digest
    if target.is_dir():
        return target
    store.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=store))
    try:
        for name, file in snapshot.files:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, made / name)
        made.chmod(0o755)
        rename_into_place(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def rename_into_place(made: Path, target: Path) -> bool:
    """Whether the folder is now at `target`; False where another one was there first."""
    try:
        made.rename(target)
    except OSError as failure:
        if failure.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True
