"""The page in a real browser: quiet, readable on a phone, in the dark, on paper and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from ctrain.report import html
from ctrain.report.report import Report
from tests.report.chromium import Browser, Tab, missing
from tests.report.hostile import PAYLOADS, hostile
from tests.report.shapes import ALL, curves, report_of

NONE = missing()
pytestmark = pytest.mark.skipif(NONE is not None, reason=NONE or "")
PHONE: Final = 360

OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"
TOO_WIDE = """
[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll') && !one.closest('svg'))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 120))
"""
# The ratio of WCAG 2.2, 1.4.3, of each text to what is painted below it.
PALE = """
(() => {
  const light = colour => {
    const part = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const read = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return [...found.slice(0, 3), found[3] ?? 1];
  };
  const below = one => {
    for (; one; one = one.parentElement) {
      const colour = read(getComputedStyle(one).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), one = walk.currentNode.parentElement;
    if (!text || !one.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(one);
    const colours = [read(one.closest('svg') ? style.fill : style.color), below(one)];
    const [a, b] = colours.map(light).sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) pale.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
  }
  return pale;
})()
"""
REACHABLE = "[...document.querySelectorAll('a[href], summary, [tabindex]')].filter(one => one.checkVisibility())"
FOCUSED = f"""
(() => {{
  const one = document.activeElement, style = getComputedStyle(one);
  return [{REACHABLE}.indexOf(one), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
}})()
"""
UNNAMED = """
[...document.querySelectorAll('svg, [role=region], section, table th')].filter(one => {
  if (one.matches('svg')) return !(one.getAttribute('aria-hidden') || (one.role === 'img' && one.ariaLabel));
  if (one.matches('th')) return !one.scope;
  const by = one.getAttribute('aria-labelledby');
  return !(one.ariaLabel || (by && document.getElementById(by)));
}).map(one => one.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@contextmanager
def opened(browser: Browser, report: Report, folder: Path) -> Iterator[Tab]:
    page = folder / "report.html"
    page.write_text(html(report), encoding="utf-8")
    with browser.tab(page) as tab:
        yield tab


@pytest.mark.parametrize("name", ALL)
def test_it_asks_for_nothing_and_complains_of_nothing(name: str, browser: Browser, tmp_path: Path) -> None:
    """The file itself is all that is loaded; the policy in it forbids the rest, and is broken by nothing."""
    with opened(browser, curves(report_of(name)), tmp_path) as tab:
        assert tab.requests == [(tmp_path / "report.html").as_uri()]
        assert tab.complaints == []


@pytest.mark.parametrize("name", ["delivered", "rejected", "given-up", "training-failed", "nothing"])
def test_it_fits_a_phone_and_is_readable_in_light_and_dark(name: str, browser: Browser, tmp_path: Path) -> None:
    """Nothing sticks out at 360 pixels but within a box that scrolls; all text has a contrast of 4.5."""
    with opened(browser, curves(report_of(name)), tmp_path) as tab:
        tab.ask(OPEN)
        assert tab.ask(PALE) == []
        tab.look(PHONE, 740, "dark")
        assert tab.ask("document.documentElement.scrollWidth") == PHONE
        assert tab.ask(TOO_WIDE) == []
        assert tab.ask(PALE) == []


def test_long_words_do_not_widen_a_phone(browser: Browser, tmp_path: Path) -> None:
    """A branch, a metric or a stage may be called anything."""
    with opened(browser, hostile("a_very_long_name_without_a_blank" * 12), tmp_path) as tab:
        tab.ask(OPEN)
        tab.look(PHONE, 740)
        assert tab.ask(TOO_WIDE) == []


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(browser: Browser, tmp_path: Path) -> None:
    """Tab goes through all that can be used, in the order in which it is read; Enter opens what is folded."""
    with opened(browser, report_of("given-up"), tmp_path) as tab:
        many = tab.ask(f"{REACHABLE}.length")
        seen = []
        for _ in range(many):
            tab.press("Tab")
            seen.append(tab.ask(FOCUSED))

        assert many > 5
        assert seen == [[place, True] for place in range(many)]
        tab.ask("document.querySelector('summary').focus()")
        tab.press("Enter")
        assert tab.ask("document.querySelector('details').open")


@pytest.mark.parametrize("name", ["delivered", "training-failed", "nothing"])
def test_it_can_be_heard(name: str, browser: Browser, tmp_path: Path) -> None:
    """Landmarks, headings without gaps, and a name for every plot, region and column."""
    with opened(browser, curves(report_of(name)), tmp_path) as tab:
        levels = tab.ask("[...document.querySelectorAll('h1, h2, h3')].map(one => Number(one.tagName[1]))")
        ids = tab.ask("[...document.querySelectorAll('[id]')].map(one => one.id)")

        assert tab.ask("[...document.body.children].map(one => one.localName)") == ["header", "main", "footer"]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(below - above <= 1 for above, below in pairwise(levels))
        assert len(ids) == len(set(ids))
        assert tab.ask(UNNAMED) == []


def test_what_is_folded_is_printed(browser: Browser, tmp_path: Path) -> None:
    """Paper cannot be clicked."""
    with opened(browser, report_of("given-up"), tmp_path) as tab:
        tab.look(794, 1123, media="print")
        heights = tab.ask("[...document.querySelectorAll('details > :not(summary)')].map(one => one.offsetHeight)")

        assert heights
        assert min(heights) > 0


@pytest.mark.parametrize("part", [PAYLOADS[:14], PAYLOADS[14:28], ("}</style><script>alert(1)</script>",)])
def test_text_of_others_runs_nothing(part: tuple[str, ...], browser: Browser, tmp_path: Path) -> None:
    """No script, no picture, no style: a policy that something broke would have been heard of."""
    with opened(browser, hostile(" ".join(part)), tmp_path) as tab:
        assert tab.complaints == []
        assert tab.requests == [(tmp_path / "report.html").as_uri()]
        assert tab.ask("document.querySelectorAll('script, img, iframe, object, embed').length") == 0
        assert tab.ask("document.querySelectorAll('style').length") == 1
