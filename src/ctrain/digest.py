"""The content digest of a file or a folder: one definition, for models, data sets and whatever else is pinned.

A file's digest is the sha256 of its bytes, as `sha256sum` prints it. A folder's is the sha256 over its files in the
order of their relative paths' UTF-8 bytes, each as `path NUL size NUL sha256 LF` (posix path, decimal size, hex). Empty
folders, permissions and times do not count. What Python and MLflow leave behind in a model's folder by loading it
is no content either: `__pycache__`, and `registered_model_meta` beside `MLmodel` (written by MLflow's
`ModelsArtifactRepository.download_artifacts`, in place where the model is a local folder).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctrain.errors import UsageError


@dataclass(frozen=True)
class Entry:
    """A file of a tree: posix path relative to the tree, size in bytes, sha256 of its bytes in hex."""

    path: str
    size: int
    digest: str


def tree_digest(root: Path, error: type[UsageError] = UsageError) -> str:
    """64 hex digits for the content of a file or folder.

    What cannot be digested is raised as `error`: a missing or unreadable path, a symbolic link that leaves the tree or
    leads back into itself, a socket or device.
    """
    if root.is_file():
        return file_digest(root, error)
    return combined_digest(
        Entry(name, file.stat().st_size, file_digest(file, error)) for name, file in tree_files(root, error)
    )


def combined_digest(entries: Iterable[Entry]) -> str:
    """The digest of the folder that holds these files, in any order."""
    folder = hashlib.sha256()
    for name, entry in sorted((_utf8(entry.path), entry) for entry in entries):
        folder.update(name + f"\0{entry.size}\0{entry.digest}\n".encode())
    return folder.hexdigest()


def file_digest(file: Path, error: type[UsageError] = UsageError) -> str:
    """The sha256 of a file's bytes, in hex."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as failure:
        raise error(
            f"cannot read {file}", why=failure.strerror or str(failure), hint="make it a readable file"
        ) from None


def tree_files(root: Path, error: type[UsageError] = UsageError) -> list[tuple[str, Path]]:
    """The files that are a folder's content, by posix path relative to it, in the order of the digest."""
    if not root.is_dir():
        why = "it is neither a file nor a folder" if root.exists() else "it does not exist"
        raise error(f"cannot read {root}", why=why, hint="name a file or folder that exists")
    top = root.resolve()
    try:
        found = list(_walk(root, "", top, (top,), error))
    except OSError as failure:
        raise error(
            f"cannot read {failure.filename or root}", why=failure.strerror or str(failure), hint="make it readable"
        ) from None
    return sorted(found, key=lambda named: _utf8(named[0]))


def _walk(
    folder: Path, prefix: str, top: Path, within: tuple[Path, ...], error: type[UsageError]
) -> Iterator[tuple[str, Path]]:
    items = list(folder.iterdir())
    left_by_mlflow = not prefix and any(item.name == "MLmodel" for item in items)
    for item in items:
        if item.name == "__pycache__" or (left_by_mlflow and item.name == "registered_model_meta"):
            continue
        if item.is_symlink():
            _refuse_stray(item, top, within, error)
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/", top, (*within, item.resolve()), error)
        elif item.is_file():
            yield prefix + item.name, item
        else:
            raise error(f"cannot read {item}", why="it is no regular file", hint="remove it from the folder")


def _refuse_stray(link: Path, top: Path, within: tuple[Path, ...], error: type[UsageError]) -> None:
    # Python 3.13 no longer raises for a loop, and earlier ones raise RuntimeError for it.
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise error(f"cannot read {link}", why="the link leads nowhere", hint="remove it, or repair it") from None
    if not target.is_relative_to(top):
        raise error(
            f"the link {link} leaves the folder",
            why="what it points to could change without the folder changing",
            hint="put a copy in its place",
        )
    if target in within:
        raise error(f"the link {link} leads in a circle", why="it points to a folder it is in", hint="remove it")


def _utf8(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
