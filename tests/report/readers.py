"""What the report is read with beside a browser: GitHub's Markdown, and the schema of SARIF, both out of npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any, Final

from tests.report.chromium import FOLDER

_READ: Final = """
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { micromark } from "micromark";
import { text } from "node:stream/consumers";
const read = (one) => micromark(one, { extensions: [gfm()], htmlExtensions: [gfmHtml()], allowDangerousHtml: true });
console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(read)));
"""
_SCHEMA: Final = FOLDER / "node_modules" / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"


def missing() -> str | None:
    """Why there are no readers here, or None where there are."""
    if shutil.which("node") is None:
        return "Node is not installed: what reads reports runs on it"
    return None if _SCHEMA.is_file() else "the readers of reports are not installed: run `make chromium`"


def github(texts: Sequence[str]) -> list[str]:
    """The HTML that GitHub's Markdown makes of each, before it is sanitised: addresses, notes and all."""
    program = ["node", "--input-type=module", "--eval", _READ]
    ran = subprocess.run(
        program, input=json.dumps(texts), capture_output=True, text=True, check=True, cwd=FOLDER, timeout=60
    )
    made: list[str] = json.loads(ran.stdout)
    return made


def sarif_schema() -> dict[str, Any]:
    """As OASIS published it (sarif-2.1.0-rtm.5)."""
    made: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return made


class Elements(HTMLParser):
    """The elements of a page, in order, with the names of their attributes; and those that were not closed."""

    VOID: Final = ("meta", "br", "hr", "img", "input", "link", "rect", "line", "circle")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.addresses: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *sorted(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *sorted(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append((f"/{tag}",))
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"comment {data}")
