"""YAML as both services read it: `on` and `yes` are words, and no key stands twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml


class BadWorkflow(Exception):
    """A file that the service would refuse, or that holds something this runner does not know."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of a truth value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and not key.value.startswith("${{"):
                raise BadWorkflow(f"the key {key.value!r} stands twice{key.start_mark}")
            seen.add(key.value)
        return super().construct_mapping(node, deep=True)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, words) for tag, words in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read(file: Path) -> dict[str, Any]:
    """The document, a mapping."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a SafeLoader
    except FileNotFoundError:
        raise BadWorkflow(f"there is no {file}") from None
    if not isinstance(found, dict):
        raise BadWorkflow(f"{file} is no mapping")
    return found


def known(value: Any, where: str, allowed: set[str], required: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """The mapping, all of whose keys we know."""
    if not isinstance(value, dict):
        raise BadWorkflow(f"{where} is no mapping: {value!r}")
    if strange := set(value) - allowed:
        raise BadWorkflow(f"{where}: {', '.join(sorted(map(str, strange)))} is not known (there is {sorted(allowed)})")
    if missing := required - set(value):
        raise BadWorkflow(f"{where}: {', '.join(sorted(missing))} is missing")
    return value


def listed(value: Any) -> list[Any]:
    """A list, where one thing may stand for a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]
