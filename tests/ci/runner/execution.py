"""What a text does where it is printed: in both CIs' logs and files, in a shell, in an expression, in a page."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt

from tests.ci.runner import azure_log, github_log
from tests.ci.runner.azure_expressions import Scope as AzureScope
from tests.ci.runner.azure_expressions import evaluate
from tests.ci.runner.expressions import Scope, fill
from tests.ci.runner.process import LINE_ENDS

Effects = set[object]
"""What was obeyed; empty where it was all text."""
_CONTROLS = re.compile(
    r"\x1b\[[0-9;?]*[@-~]|\x9b[0-9;]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def in_github(text: str) -> Effects:
    """Every command that GitHub's runner obeys, and what was changed."""
    log = github_log.Log()
    for line in LINE_ENDS.split(text):
        log.stop = None
        log.hear(line)
    return {(one.name, tuple(one.properties.items()), one.data) for one in log.commands}


def in_devops(text: str) -> Effects:
    """Every command that Azure's agent understands, obeyed or refused, and every line that it gives a format to."""
    log = azure_log.Log(lambda *_: True)
    log.begin_step(azure_log.Target())
    found: Effects = set()
    for line in LINE_ENDS.split(text):
        log.hear(line)
        if azure_log.parse(line) is None and azure_log.format_of(line):
            found.add(line.strip())
    heard = [*log.commands, *log.refused]
    return found | {(one.area, one.event, tuple(one.properties.items()), one.data) for one in heard}


def in_a_terminal(text: str) -> Effects:
    """What is not to be seen, and does something."""
    return set(_CONTROLS.findall(text.replace("\r", "")))


def in_github_without_controls(text: str) -> Effects:
    return in_github(_CONTROLS.sub("", text))


def in_devops_without_controls(text: str) -> Effects:
    return in_devops(_CONTROLS.sub("", text))


def in_an_output_file(text: str) -> Effects:
    """Written as `release=TEXT`, or between fixed delimiters: what else is set."""
    found: Effects = set()
    for written in (f"release={text}\n", f"release<<EOF\n{text}\nEOF\n"):
        try:
            found |= {name for name, _ in github_log.pairs(written)} - {"release"}
        except github_log.BadFile as problem:
            found.add(str(problem))
    return found


def in_a_shell(text: str, folder: Path) -> Effects:
    """Put into a script as `${{ }}` and `$( )` put it: bare, and within quotes of either kind."""
    for script in (f"echo {text}", f'echo "{text}"', f"echo '{text}'"):
        subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False, timeout=10)
    made: Effects = {file.name for file in folder.iterdir()}
    for file in list(folder.iterdir()):
        file.unlink()
    return made


def in_an_expression(text: str) -> Effects:
    """Read again after it was put in: `${{ }}` of GitHub, `$[ ]` and `$( )` of Azure."""
    found: Effects = set()
    if "${{" in text:
        scope = Scope({"secrets": {"KEY": "s3cret"}})
        try:
            found |= {fill(text, scope)} - {text}
        except Exception:  # noqa: BLE001  refused is not run
            found = set()
    if inner := re.fullmatch(r"\$\[(.*)\]", text):
        try:
            found.add(evaluate(inner[1], AzureScope({})))
        except Exception:  # noqa: BLE001  refused is not run
            found = set()
    return found | set(re.findall(r"\$\(Secret\.\w+\)", text))


class _Shape(HTMLParser):
    """The tags, and their attributes with addresses and handlers, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        live = [f"{name}={value}" for name, value in attrs if name in ("href", "src", "srcdoc", "action")]
        self.seen.append(" ".join([tag, *sorted(name for name, _ in attrs), *live]))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.seen.append("comment")


def shape_of_html(text: str) -> list[str]:
    """A page's structure, which no text in it may change."""
    reading = _Shape()
    reading.feed(text)
    reading.close()
    return reading.seen


def shape_of_markdown(text: str) -> list[str]:
    """The structure of what a page makes of it: blocks, links, images, and HTML with its own structure."""
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return shape_of_html(made)


def shape_of_xml(text: str) -> list[str]:
    """The elements and their attributes, in order. Raises where it is no XML."""
    return [" ".join([one.tag, *sorted(one.attrib)]) for one in ET.fromstring(text).iter()]  # noqa: S314  our own


def in_a_page(text: str) -> Effects:
    """As Markdown and as HTML, in the middle of a sentence and of a table: what it adds to the structure."""
    frames: tuple[tuple[Callable[[str], list[str]], str], ...] = (
        (shape_of_markdown, "| a | b |\n| --- | --- |\n| {} | x |\n"),
        (shape_of_markdown, "before {} after"),
        (shape_of_markdown, "[{}](https://ours.example)"),
        (shape_of_html, "<table><tr><td>{}</td></tr></table>"),
        (shape_of_html, '<p title="{}">x</p>'),
    )
    return {frame for shape, frame in frames if shape(frame.format("word").strip()) != shape(frame.format(text))}


def in_xml(text: str) -> Effects:
    """As an element's text and as an attribute."""
    found: Effects = set()
    for frame in ("<a><failure><![CDATA[{}]]></failure></a>", "<a><b>{}</b></a>", "<a b='{}'/>"):
        try:
            if shape_of_xml(frame.format(text)) != shape_of_xml(frame.format("word")):
                found.add(frame)
        except ET.ParseError:
            found.add(frame)
    return found
