"""The page as text: well-formed, sealed, and whatever others write in it."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.report import State, html
from tests.report.hostile import PAYLOADS, hostile
from tests.report.readers import Elements
from tests.report.shapes import ALL, curves, report_of, with_run_url

MARKUP = st.text(st.sampled_from("ab1 <>&\"'/=!-;:#{}%\\\n\x00\u202e"), max_size=40)
NO_ADDRESSES = ("javascript:alert(1)", "file:///etc/passwd", "./x", "https://a:b@c.example/", "https://a.example/(x)")


@pytest.mark.parametrize("name", ALL)
def test_every_element_is_closed(name: str) -> None:
    """In the order in which they were opened, and without a comment left behind."""
    read = Elements(html(curves(report_of(name))))

    assert (read.wrong, read.open) == ([], [])


def test_the_policy_lets_nothing_in_but_our_own_style() -> None:
    """By its hash; no script, no request, no form, no attribute that would be one."""
    page = html(report_of("delivered"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy
    assert style
    mark = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"<script|<link|<img|<iframe| style=| on\w+=|url\(|@import", page)


HARMLESS = Elements(html(hostile("ab"))).seen


@settings(max_examples=40, deadline=None)
@given(st.one_of(MARKUP, st.text(max_size=40), st.sampled_from(PAYLOADS)))
def test_text_of_others_stays_text(text: str) -> None:
    """The page has the elements and attributes that it has with a harmless word in the same places."""
    assert Elements(html(hostile(f"a{text}b"))).seen == HARMLESS


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_word(state: State) -> None:
    """In the title, for whoever has many tabs."""
    title = re.search(r"<title>([A-Z][a-z ]+) ·", html(hostile("x", state)))

    assert title


def test_only_web_addresses_become_links() -> None:
    """A path on a machine, a script, an address with a name and a password: none of them."""
    job = "https://ml.azure.com/runs/ctrain-84c852a4e38f2b793217-1"
    for url in NO_ADDRESSES:
        assert Elements(html(with_run_url(url))).addresses == [job]
