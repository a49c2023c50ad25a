"""Which files a pipeline is made of, and their digest: the same tree gives the same digest wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from ctrain.digest import Entry, combined_digest, file_digest
from ctrain.errors import Location, PipelineError

NEVER = frozenset({"__pycache__", ".git", ".ctrain"})
MOST_FILES = 20_000
IGNORE_FILES = (".amlignore", ".gitignore")


def code_files(folder: Path) -> tuple[Path, ...]:
    """The files of a code folder that belong to its snapshot: paths relative to it, sorted by their posix form.

    As azure-ai-ml takes them (`ComponentIgnoreFile` in `entities/_component/code.py`, `IgnoreFile` in
    `_utils/_asset_utils.py`): only the ignore file in the folder itself counts, `.amlignore` before `.gitignore`;
    each of its patterns is asked about each file, and the last that matches decides; `__pycache__` is always out.
    Beyond that `.git` and `.ctrain` are always out. `folder` may be a single file, which is its own snapshot.

    Raises PipelineError for what cannot be read, for more files than `MOST_FILES`, and for a symbolic link that leads
    nowhere, out of the folder, or into a cycle.
    """
    if folder.is_file():
        return (Path(folder.name),)
    root = folder.resolve()
    try:
        walk = _walk(root, root, _ignored(root), (root,))
        found = [file.relative_to(root) for file in islice(walk, MOST_FILES + 1)]
    except OSError as failure:
        raise PipelineError(
            f"cannot read {failure.filename or folder}",
            why=failure.strerror or str(failure),
            hint="it is part of a step's code: make it readable",
        ) from None
    if len(found) > MOST_FILES:
        raise PipelineError(
            f"the code folder {folder} is too large",
            why=f"it has more than {MOST_FILES:,} files, and all of them would be copied for each step",
            hint="name a smaller folder, or name what a step need not see in .amlignore",
        )
    return tuple(sorted(found, key=Path.as_posix))


@dataclass(frozen=True)
class _Ignored:
    """`folders` tells whether all below a folder is out, so that it need not be looked into."""

    file: Callable[[str], bool]
    folder: Callable[[str], bool]


def _ignored(root: Path) -> _Ignored:
    source = next((root / name for name in IGNORE_FILES if (root / name).is_file()), None)
    lines = source.read_text("utf-8-sig", errors="replace").splitlines() if source else []
    if not lines:
        return _Ignored(lambda _: False, lambda _: False)
    from pathspec import GitIgnoreSpec

    patterns = [pattern for pattern in GitIgnoreSpec.from_lines(lines).patterns if pattern.include is not None]
    readmits = any(not pattern.include for pattern in patterns)

    def out(path: str) -> bool:
        verdicts = [bool(pattern.include) for pattern in patterns if pattern.match_file(path) is not None]
        return bool(verdicts) and verdicts[-1]

    return _Ignored(out, lambda path: not readmits and out(path + "/"))


def _walk(root: Path, folder: Path, ignored: _Ignored, above: tuple[Path, ...]) -> Iterator[Path]:
    for entry in folder.iterdir():
        path = entry.relative_to(root).as_posix()
        own_folder = entry.is_dir() and not entry.is_symlink()  # a later pattern may take files in it back in
        if entry.name in NEVER or (not own_folder and ignored.file(path)):
            continue
        target = _followed(root, entry, above) if entry.is_symlink() else entry
        if target.is_file():
            yield entry
        elif target.is_dir() and not ignored.folder(path):
            yield from _walk(root, entry, ignored, (*above, target))


def _followed(root: Path, link: Path, above: tuple[Path, ...]) -> Path:
    """Where a link leads; a cycle shows as a link to a folder that we are in."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise _bad_link(link, "it leads nowhere, or to itself") from None
    if not target.is_relative_to(root):
        raise _bad_link(link, f"it leads out of the code folder {root}, to {target}")
    if target in above:
        raise _bad_link(link, f"it leads back to {target}, which it stands in")
    return target


def _bad_link(link: Path, why: str) -> PipelineError:
    return PipelineError(
        f"the symbolic link {link} cannot be part of the code",
        why=why,
        hint="put the file itself there, or name the link in .amlignore",
    )


@dataclass
class Sources:
    """Collects what a pipeline is made of while it is read: single files, and code folders (or files)."""

    files: set[Path] = field(default_factory=set)
    code: dict[Path, Location] = field(default_factory=dict)
    """And where in YAML each is named."""
    _known: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def child(self) -> Sources:
        """For a pipeline within: its own collection, which shares what was already digested."""
        return Sources(_known=self._known)

    def absorb(self, other: Sources) -> None:
        self.files |= other.files
        self.code.update(other.code)

    def digest(self, root: Path) -> str:
        """`ctrain.digest.combined_digest` over the files, each under its path relative to `root`."""
        every = set(self.files)
        for folder, named_at in self.code.items():
            base = folder.parent if folder.is_file() else folder
            try:
                every.update(base / file for file in code_files(folder))
            except PipelineError as error:
                raise PipelineError(error.what, why=error.why, hint=error.hint, at=named_at) from None
        return combined_digest(self._entry(_route(root, file), file) for file in every)

    def _entry(self, route: str, file: Path) -> Entry:
        if file not in self._known:
            self._known[file] = (file_digest(file, PipelineError), file.stat().st_size)
        digest, size = self._known[file]
        return Entry(route, size, digest)


def _route(root: Path, file: Path) -> str:
    """`file` relative to `root`, through `..` where needed (`Path.relative_to(walk_up=...)` is Python 3.12's)."""
    shared = 0
    for ours, theirs in zip(root.parts, file.parts, strict=False):
        if ours != theirs:
            break
        shared += 1
    return PurePosixPath(*[".."] * (len(root.parts) - shared), *file.parts[shared:]).as_posix()
