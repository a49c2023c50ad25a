"""The Markdown as GitHub reads it: with addresses, notes, lists of tasks and all that goes beyond CommonMark."""

from __future__ import annotations

import re

import pytest

from ctrain.report import markdown
from tests.report.hostile import PAYLOADS, hostile
from tests.report.readers import Elements, github, missing
from tests.report.shapes import ALL, report_of

NONE = missing()
pytestmark = pytest.mark.skipif(NONE is not None, reason=NONE or "")
OURS = {
    "h3", "p", "strong", "em", "code", "pre", "ul", "li", "br", "blockquote", "details", "summary", "a",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def test_every_shape_is_read_as_it_is_meant() -> None:
    """Tables with as many cells in each line, folds that close, and only addresses that we gave."""
    reports = [report_of(name) for name in ALL]
    for report, page in zip(reports, github([markdown(report) for report in reports]), strict=True):
        read = Elements(page)
        assert read.wrong == []
        assert read.open == []
        assert {seen[0].removeprefix("/") for seen in read.seen} <= OURS
        assert set(read.addresses) == {link.url for link in report.links}
        assert all(cells in (5, 6) for cells in _cells(page))


def test_no_payload_becomes_anything() -> None:
    """Each of them, wherever there is text: the page has the elements that it has with a harmless word."""
    texts = ["word", *(f"a{text}b" for text in PAYLOADS)]
    safe, *pages = github([markdown(hostile(text), limit=10**7).encode(errors="replace").decode() for text in texts])
    wanted = Elements(safe).seen
    for text, page in zip(texts[1:], pages, strict=True):
        read = Elements(page)
        assert read.seen == wanted, text
        assert set(read.addresses) == {"https://example.com/run/1"}, text


def _cells(page: str) -> list[int]:
    return [len(re.findall(r"<t[hd]", row)) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
