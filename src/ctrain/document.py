"""A YAML file of the user's, read safely: plain values, and where each of them stands.

Refused, with the line: anything but the plain YAML types, duplicate keys, files over 1 MiB, nesting
over 64 levels, and documents that aliases blow up to more than 100,000 values (PyYAML itself has no limit:
https://github.com/yaml/pyyaml/issues/235).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrain.errors import Location, UsageError

if TYPE_CHECKING:
    import yaml

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Key = str | int
Keys = tuple[Key, ...]

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 100_000


@dataclass(frozen=True)
class Document:
    """`places` maps the keys that lead to a value, from the root, to where that value's key or item stands."""

    file: Path
    value: Plain
    places: Mapping[Keys, Location]

    def at(self, *keys: Key) -> Location:
        """Where that value stands; for one that is absent, where its nearest ancestor does."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys, Location(self.file, 1))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def read_document(file: Path, error: type[UsageError]) -> Document:
    """Read one YAML document; what is wrong with it is raised as `error`, located."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise error(
            f"there is no file {file}", why="it was named but does not exist", hint="create it, or correct the path"
        ) from None
    except OSError as failure:
        raise error(
            f"cannot read {file}", why=failure.strerror or str(failure), hint="make it a readable file"
        ) from None
    return parse_document(content, file, error)


def parse_document(content: bytes, file: Path, error: type[UsageError]) -> Document:
    """As `read_document`, for content that is already in memory; `file` is what errors name."""
    import yaml

    if len(content) > MAX_BYTES:
        raise error(
            f"{file} is too large",
            why=f"it has {len(content):,} bytes, and {MAX_BYTES:,} is the limit",
            hint="keep data out of the configuration",
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = content.decode("utf-8-sig")
        _refuse_deep(text, file, error, loader)
        root = yaml.compose(text, Loader=loader)
    except UnicodeDecodeError:
        raise error(f"{file} is not text", why="it is not UTF-8", hint="save it as UTF-8") from None
    except RecursionError:
        raise _too_deep(error, Location(file, 1)) from None
    except yaml.MarkedYAMLError as failure:
        raise _malformed(failure, file, error) from None
    except yaml.YAMLError as failure:
        raise error(
            "this is not valid YAML", why=str(failure).splitlines()[0], hint="correct the syntax", at=Location(file, 1)
        ) from None
    walk = _Walk(file, error, loader(""))
    value = walk.plain(root, (), 0) if root is not None else None
    return Document(file, value, walk.places)


def _refuse_deep(text: str, file: Path, error: type[UsageError], loader: type[yaml.SafeLoader]) -> None:
    """libyaml's composer recurses in C without a limit, and takes the process with it; its parser does not."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH + 1:
            raise _too_deep(error, _place(file, event.start_mark))


def _malformed(failure: yaml.MarkedYAMLError, file: Path, error: type[UsageError]) -> UsageError:
    mark, start = failure.problem_mark or failure.context_mark, failure.context_mark
    hint = "correct the syntax"
    if mark and start and start.line < mark.line:
        hint += f", in what begins on line {start.line + 1}"
    why = failure.problem or "it cannot be parsed"
    return error("this is not valid YAML", why=why, hint=hint, at=_place(file, mark))


def _place(file: Path, mark: Any) -> Location:  # one of PyYAML's two kinds of marks
    return Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1)


def _too_deep(error: type[UsageError], at: Location) -> UsageError:
    return error(
        "this is nested too deeply",
        why=f"{MAX_DEPTH} levels is the limit",
        hint="flatten it, or remove the cycle",
        at=at,
    )


class _Walk:
    def __init__(self, file: Path, error: type[UsageError], loader: yaml.SafeLoader) -> None:
        self.file = file
        self.error = error
        self.loader = loader
        self.places: dict[Keys, Location] = {}
        self.count = 0

    def place(self, node: yaml.Node) -> Location:
        return Location(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def plain(self, node: yaml.Node, keys: Keys, depth: int) -> Plain:
        import yaml

        at = self.place(node)
        self.places.setdefault(keys, at)
        self.count += 1
        if depth > MAX_DEPTH:
            raise _too_deep(self.error, at)
        if self.count > MAX_VALUES:
            raise self.error(
                "this expands to too many values",
                why=f"its aliases make more than {MAX_VALUES:,} of them",
                hint="write the values out instead of repeating aliases",
                at=at,
            )
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self.mapping(node, keys, depth)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self.plain(item, (*keys, place), depth + 1) for place, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self.scalar(node, at)
            case _:
                raise self.unplain(node.tag, at)

    def mapping(self, node: yaml.MappingNode, keys: Keys, depth: int) -> dict[str, Plain]:
        own = {key.value for key, _ in node.value if isinstance(key.value, str)}
        made: dict[str, Plain] = {}
        seen: set[str] = set()
        for key, value in node.value:
            at = self.place(key)
            if key.tag == "tag:yaml.org,2002:merge":
                merged = self.plain(value, (*keys, "<<"), depth + 1)
                for source in merged if isinstance(merged, list) else [merged]:
                    if not isinstance(source, dict):
                        raise self.error(
                            "this cannot be merged", why="`<<` takes a mapping", hint="merge a mapping", at=at
                        )
                    made.update({name: item for name, item in source.items() if name not in own and name not in made})
                continue
            if not hasattr(key, "value") or not isinstance(key.value, str):
                raise self.error("this key is not a word", why="keys are plain text", hint="use a plain key", at=at)
            name = key.value
            if name in seen:
                raise self.error(
                    f"the key {name[:60]!r} stands twice", why="only one of them could count", hint="remove one", at=at
                )
            seen.add(name)
            self.places[(*keys, name)] = at
            made[name] = self.plain(value, (*keys, name), depth + 1)
        return made

    def scalar(self, node: yaml.ScalarNode, at: Location) -> Plain:
        import yaml

        try:
            value = self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
            # PyYAML's constructors trust the tag: `!!bool x` is a KeyError, `!!timestamp x` an AttributeError
            raise self.unplain(node.tag, at) from None
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if node.tag in ("tag:yaml.org,2002:timestamp",):
            return str(node.value)
        raise self.unplain(node.tag, at)

    def unplain(self, tag: str, at: Location) -> UsageError:
        kind = tag.removeprefix("tag:yaml.org,2002:")[:60]
        return self.error(
            f"values of type {kind if kind.isprintable() else repr(kind)} are not allowed",
            why="only text, numbers, booleans, lists and mappings are",
            hint="write it as plain text",
            at=at,
        )
