"""What is written for people is true: generated pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from ctrain.document import read_document
from ctrain.errors import ProjectError
from ctrain.project.keys import known_keys
from tests.house.pages import EXAMPLE, marked_required, meanings, pages, repeats, schema

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "pipelines").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, punctuation dropped, blanks as dashes."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _dead_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings that are linked exist."""
    assert not list(_dead_links(page))


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to all of them."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    listed = set(LINK.findall(index))

    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed


def test_generated_pages_are_current() -> None:
    """`make docs` writes them."""
    stale = [file.name for file, content in pages() if not file.exists() or file.read_text(encoding="utf-8") != content]

    assert not stale, f"run `make docs`: {stale}"


def test_every_key_is_explained() -> None:
    """The example has every key, with a comment that says what it means."""
    assert not {key.keys for key in known_keys()} - set(meanings())


def test_the_example_calls_required_what_is() -> None:
    """No more, no less."""
    assert marked_required() == {key.keys for key in known_keys() if key.required and not repeats(key.keys)}


@pytest.mark.parametrize("file", [EXAMPLE, ROOT / "pipelines" / "ctrain.yaml"], ids=lambda file: file.parent.name)
def test_editors_accept_what_ctrain_accepts(file: Path) -> None:
    """The JSON schema passes our own files."""
    jsonschema.validate(read_document(file, ProjectError).value, schema())


def test_the_commands_of_the_readme_exist() -> None:
    """Every `make` target that a page names is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"\bmake ([a-z]+)\b", _code(page))}

    assert named <= targets


def _code(page: Path) -> str:
    """What a page shows as code: blocks and spans."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*re.findall(r"```.*?```", text, flags=re.DOTALL), *re.findall(r"`[^`\n]+`", text)])
