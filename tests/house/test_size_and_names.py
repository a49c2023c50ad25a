"""Small things with good names: each rule over all files at once, naming those that break it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CLAIMS = [file for file in TESTS if file.name.startswith("test_")]
DRAWERS = {"util", "utils", "helper", "helpers", "common", "core", "misc", "manager", "managers", "base", "tools"}
WHOLE = {"house", "contract", "e2e", "azure", "ci", "faults", "kills", "reference", "benchmarks", "simulation"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _functions(file: Path) -> Iterator[Function]:
    nodes = ast.walk(ast.parse(_text(file)))
    return (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _names(files: Iterable[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def _lines(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def test_a_file_holds_one_idea() -> None:
    """At most 400 lines."""
    assert not _names(file for file in SOURCES if len(_text(file).splitlines()) > 400)


def test_a_function_does_one_thing() -> None:
    """At most 60 lines, its docstring included."""
    assert not [f"{file.name}: {f.name}" for file in SOURCES for f in _functions(file) if _lines(f) > 60]


def test_no_file_is_a_drawer() -> None:
    """A function without a home lacks its noun; it does not need a drawer."""
    own = [file for file in (*SOURCES, *CLAIMS) if set(re.split(r"[/_.]", str(file.relative_to(ROOT)))) & DRAWERS]

    assert not _names(own)


def test_every_module_says_what_it_is_for() -> None:
    """In its first line. An empty `__init__.py` is no module."""
    assert not _names(file for file in SOURCES if _text(file).strip() and not ast.get_docstring(ast.parse(_text(file))))


def test_every_test_states_its_rule() -> None:
    """A test's name is a claim; its docstring is the rule."""
    claims = [(file, f) for file in TESTS for f in _functions(file) if f.name.startswith("test_")]

    assert not [f"{file.name}: {f.name}" for file, f in claims if not ast.get_docstring(f)]


def test_tests_mirror_the_source() -> None:
    """tests/gate holds what src/ctrain/gate does; a few folders are about the whole."""
    folders = {file.parent.relative_to(ROOT / "tests") for file in CLAIMS}
    source = ROOT / "src" / "ctrain"
    lost = [f for f in folders if f.parts and f.parts[0] not in WHOLE and not (source / f).exists()]

    assert not lost


def test_only_the_command_line_ends_the_process() -> None:
    """`sys.exit` is for cli/ and for what runs in processes of its own."""
    exits = [file for file in SOURCES if re.search(r"\bsys\.exit\(|raise SystemExit", _text(file))]
    allowed = [f for f in exits if f.parent.name == "cli" or f.name == "__main__.py" or '"__main__"' in _text(f)]

    assert not _names(set(exits) - set(allowed))
