"""A value in a YAML document together with where it stands, so that whatever is wrong with it can be told located."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ctrain.document import Document, Key, Keys, Plain, nearest
from ctrain.errors import Location, PipelineError
from ctrain.training import Scalar


def did_you_mean(word: str, known: Collection[str], otherwise: str) -> str:
    """A hint: the known name that was probably meant, else the known ones, else what is given."""
    meant = nearest(word, known)
    if meant:
        return f"did you mean {meant!r}?"
    return f"known: {', '.join(sorted(known))}" if known else otherwise


@dataclass(frozen=True)
class Cursor:
    """`keys` lead from the document's root to `value`."""

    document: Document
    keys: Keys
    value: Plain

    @property
    def at(self) -> Location:
        return self.document.at(*self.keys)

    @property
    def name(self) -> str:
        return ".".join(str(key) for key in self.keys) or "the document"

    @property
    def folder(self) -> Path:
        """What relative paths here are relative to."""
        return self.document.file.parent

    def refuse(self, what: str, *, why: str, hint: str) -> PipelineError:
        return PipelineError(what, why=why, hint=hint, at=self.at)

    def wrong(self, expected: str) -> PipelineError:
        return self.refuse(
            f"{self.name} is of the wrong type", why=f"it is {_kind(self.value)}", hint=f"write {expected}"
        )

    def child(self, key: Key, value: Plain) -> Cursor:
        return Cursor(self.document, (*self.keys, key), value)

    def get(self, key: str) -> Cursor | None:
        """The value under that key, or None where it is absent or null."""
        value = self.mapping().get(key)
        return None if value is None else self.child(key, value)

    def mapping(self) -> dict[str, Plain]:
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        return self.value

    def items(self, key: str) -> Iterator[tuple[str, Cursor]]:
        """The entries of the mapping under that key, none where it is absent."""
        under = self.get(key)
        if under:
            for name, value in under.mapping().items():
                yield name, under.child(name, value)

    def text(self) -> str:
        """Text; a number stands for its digits, as in `version: 1`."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int | float):
            raise self.wrong("text")
        return str(self.value)

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def scalar(self) -> Scalar:
        if not isinstance(self.value, str | int | float):
            raise self.wrong("text, a number, true or false")
        return self.value

    def text_of(self, key: str) -> str | None:
        under = self.get(key)
        return under.text() if under else None

    def flag_of(self, key: str, *, default: bool) -> bool:
        under = self.get(key)
        return under.flag() if under else default

    def only(self, known: Collection[str], whose: str) -> None:
        """Refuse keys that nobody would look at: a misspelt one would silently not count."""
        for key in self.mapping():
            if key not in known:
                raise self.child(key, None).refuse(
                    f"{whose} has no key {key!r}",
                    why="it would not be looked at",
                    hint=did_you_mean(key, known, "remove it"),
                )

    def path(self) -> Path:
        """The local path that this text names, absolute; `file:` before it is fine."""
        text = self.text()
        for prefix in ("file://", "file:"):
            text = text.removeprefix(prefix)
        try:
            return (self.folder / text).resolve()
        except (OSError, RuntimeError, ValueError) as failure:
            raise self.refuse(f"{text!r} is no path", why=str(failure), hint="name a local path") from None

    def existing(self, what: str) -> Path:
        path = self.path()
        if not path.exists():
            raise self.refuse(
                f"there is no {what} {self.text()}",
                why=f"{path} does not exist",
                hint=f"paths are relative to the file that they stand in, {self.document.file.name}",
            )
        return path


def _kind(value: Plain) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
