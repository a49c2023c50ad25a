"""The report in Markdown: every shape as people read it, within any limit, and whatever others write in it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ctrain.report import markdown
from ctrain.report.comment import LEAST
from ctrain.report.harmless import clean, code, prose
from ctrain.report.report import Report
from tests.report.golden import GOLDEN
from tests.report.hostile import PAYLOADS, hostile
from tests.report.shapes import ALL, report_of

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKUP = st.text(st.sampled_from("ab1 |\\`*_~[]()<>!@#:/-=+.&;$^\"'{}\n\r\t\u202e\u200b"), max_size=40)
ANYTHING = st.one_of(MARKUP, st.text(max_size=40), st.sampled_from(PAYLOADS))


@pytest.mark.parametrize("name", ALL)
def test_it_reads_as_it_did(name: str) -> None:
    """`golden/` is for people to look at; `python -m tests.report.golden` writes it anew."""
    assert markdown(report_of(name)) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def test_the_verdict_and_its_number_come_first() -> None:
    """In the heading, whatever else there is."""
    for name in ALL:
        first = markdown(report_of(name)).splitlines()[0]
        assert re.fullmatch(r"### ctrain · [\w ]+ · [✅❌⚠️⏳]+ .+", first)


@pytest.mark.parametrize("limit", [LEAST, 6_000, 8_000, 12_000, 65_000])
@pytest.mark.parametrize(
    "report", [report_of("delivered"), report_of("given-up"), hostile("x" * 5000), hostile("&" * 5000)]
)
def test_it_keeps_within_the_limit_in_whole_parts(report: Report, limit: int) -> None:
    """Every table that is there is whole, and what is not there is named."""
    text = markdown(report, limit=limit)
    whole = markdown(report, limit=10**6)

    assert len(text) <= limit
    assert {line for line in text.splitlines() if line.startswith("|")} <= set(whole.splitlines())
    assert text == whole or "_Left out, for length: " in text
    assert text.count("```") % 2 == 0
    assert text.count("<details>") == text.count("</details>")


def test_the_least_important_goes_first() -> None:
    """Logs and intervals before rules, stages and the verdict."""
    text = markdown(hostile("a word " * 12), limit=LEAST + 2000)

    told = re.search(r"^_Left out, for length: ([^.]+)\.", text, re.MULTILINE)
    order = ["logged metrics", "logs", "intervals", "slices", "links", "how to reproduce it", "what comes next"]
    assert "| metric |" in text
    assert told
    assert told[1].split(", ") == order[: len(told[1].split(", "))]


def test_a_limit_for_nothing_is_refused() -> None:
    """The first part has to fit."""
    with pytest.raises(ValueError, match="5,000"):
        markdown(report_of("nothing"), limit=LEAST - 1)


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_text_of_others_changes_no_structure(text: str) -> None:
    """Tables, lists, blocks and links are those that there are with harmless words in the same places."""
    assert _structure(f"a{text}b") == _structure("ab")


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_text_of_others_reaches_nobody(text: str) -> None:
    """Outside of code there is nothing that a forge takes for a name, a number of an issue or an address."""
    said = " ".join(_prose(READER.parse(_shown(f"a {text} b"))))

    assert not re.search(r"@\w|[#!]\d|GH-\d|://|www\.|mailto:\w|xmpp:\w|(?<!\w):[a-z0-9_+-]+:", said, re.IGNORECASE)


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_text_of_others_is_shown_as_it_is(text: str) -> None:
    """But for what cannot be seen, and the joiners: as words, as code, and as code in a table's cell."""
    wanted = clean(f"x {text} y")
    table = f"| a |\n|---|\n| {code(wanted, cell=True)} |"

    assert _read(prose(f"x {text} y")) == wanted
    assert _read(code(wanted)) == wanted
    # In a cell a bar after a backslash gets a blank between: readers disagree on two backslashes and a bar there.
    assert _read(table).removeprefix("a").replace("\\ |", "\\|") == wanted.replace("\\ |", "\\|")


@pytest.mark.parametrize("text", PAYLOADS)
def test_no_hidden_mark_can_be_forged(text: str) -> None:
    """The comment's own marker is the only `<!--` that there may ever be."""
    assert "<!--" not in _shown(text)


def test_many_rules_show_those_that_did_not_pass_first() -> None:
    """A table has an end; what is left out is counted."""
    report = report_of("rejected")
    rules = [line for line in report.rules if line.finding.outcome == "pass"] or list(report.rules[:1])
    many = replace(report, lines=(*(rules[0] for _ in range(200)), *report.rules))
    text = markdown(many)

    assert f"and {200 + len(report.rules) - 60} more" in text


def _read(text: str) -> str:
    """The words that a reader sees of it."""
    inner = [child for token in READER.parse(text) for child in token.children or []]
    return "".join(child.content for child in inner).replace("\u2060", "")


def _shown(text: str) -> str:
    return markdown(hostile(text), limit=10**7)


def _structure(text: str) -> list[str]:
    """The kinds of all tokens in order; of our own HTML and addresses, what they are."""
    return [kind for token in READER.parse(_shown(text)) for kind in _kinds(token)]


def _kinds(token: Token) -> list[str]:
    if token.type == "inline":
        inner = [child for child in token.children or [] if child.type not in ("text", "softbreak", "text_special")]
        return [f"{child.type} {child.content if child.type.startswith('html') else ''}" for child in inner]
    tags = re.findall(r"</?[a-z]+", token.content) if token.type == "html_block" else []
    return [f"{token.type} {token.attrGet('style') or ''}", *tags]


def _prose(tokens: list[Token]) -> list[str]:
    return [child.content for token in tokens for child in token.children or [] if child.type == "text"]
