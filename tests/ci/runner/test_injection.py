"""The injection corpus: nothing that somebody wrote is obeyed by a CI, a shell, a terminal or a page."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ctrain.cli import terminal
from ctrain.cli.ci import caller, host
from ctrain.cli.ci.host import Note
from ctrain.cli.failure import show_error
from ctrain.errors import UsageError
from ctrain.report import Report, html, junit, markdown, sarif
from tests.ci.runner import execution
from tests.ci.runner.execution import in_a_terminal, in_devops, in_github
from tests.ci.runner.github_log import pairs
from tests.ci.runner.payloads import PAYLOADS, Payload
from tests.report.hostile import hostile

IDS = [f"{one.number}" for one in PAYLOADS]
every_payload = pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)


def test_there_are_enough() -> None:
    """Sixty, each with a word of its own."""
    assert len({one.text for one in PAYLOADS}) == len(PAYLOADS) >= 60


@every_payload
def test_each_runs_where_it_is_printed_as_it_is(payload: Payload, tmp_path: Path) -> None:
    """So that a parser that sees nothing would be noticed."""
    done = [
        execution.in_github(payload.text),
        execution.in_devops(payload.text),
        execution.in_a_terminal(payload.text),
        execution.in_github_without_controls(payload.text),
        execution.in_devops_without_controls(payload.text),
        execution.in_an_output_file(payload.text),
        execution.in_an_expression(payload.text),
        execution.in_a_page(payload.text),
        execution.in_xml(payload.text),
        execution.in_a_shell(payload.text, tmp_path) if "touch" in payload.text else set(),
    ]

    assert any(done)


def _shown(words: str, act: Callable[[str], object], capsys: pytest.CaptureFixture[str]) -> str:
    act(words)
    said = capsys.readouterr()
    return said.out + said.err


SINKS: dict[str, Callable[[str], object]] = {
    "talk": terminal.say,
    "talk after a sign": lambda text: terminal.say(text, lead="  x "),
    "an excerpt of a log": lambda text: terminal.say("".join(f"      │ {line}\n" for line in text.splitlines())),
    "data": terminal.give,
    "a document": lambda text: terminal.give_json(json.dumps({"value": text, text: "key"}, indent=1)),
    "an error": lambda text: show_error(UsageError(text, why=text, hint=text)),
    "who calls": lambda text: terminal.say(str(caller({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": text}, "me").name)),
    "a branch": lambda text: terminal.say(caller({"TF_BUILD": "True", "BUILD_SOURCEBRANCH": text}, "me").branch),
}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CI around us, but what a test puts there."""
    for name in ("GITHUB_ACTIONS", "TF_BUILD", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(terminal, "_secrets", set())
    host.here.cache_clear()


@pytest.mark.parametrize("sink", SINKS)
def test_nothing_that_is_printed_is_obeyed(sink: str, quiet: None, capsys: pytest.CaptureFixture[str]) -> None:
    """By neither CI, by no terminal, on neither stream; a secret's name is no value."""
    heard = {}
    for payload in PAYLOADS:
        text = _shown(payload.text, SINKS[sink], capsys)
        heard[payload.text] = in_github(text) | in_devops(text) | in_a_terminal(text)

    assert {text: done for text, done in heard.items() if done} == {}


def test_what_libraries_print_in_a_ci_is_not_obeyed(quiet: None, capsys: pytest.CaptureFixture[str]) -> None:
    """In one piece or in many."""
    terminal.guard_streams()
    for payload in PAYLOADS:
        for letter in payload.text + "\n":
            sys.stdout.write(letter)
            sys.stdout.flush()
    text = capsys.readouterr().out

    assert in_github(text) | in_devops(text) | in_a_terminal(text) == set()


@every_payload
def test_github_obeys_us_alone(
    payload: Payload, quiet: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fold and an annotation are what we made them, whatever words are in them; an output is one output."""
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")}
    ours = host.GitHub({name: str(file) for name, file in files.items()})
    ours.fold(payload.text)
    for level in ("error", "warning", "notice"):
        ours.annotate(Note(level, payload.text, payload.text, Path(payload.text.replace("\0", "")), 3))
    ours.put("release", payload.text)
    ours.summarize(payload.text)
    ours.unfold()

    text = capsys.readouterr().err
    obeyed = in_github(text)
    assert sorted(str(one[0]) for one in obeyed if isinstance(one, tuple)) == [
        "endgroup", "error", "group", "notice", "warning"
    ]  # fmt: skip
    assert not obeyed & in_github(payload.text)
    assert in_devops(text) | in_a_terminal(text) == set()
    assert [name for name, _ in pairs(files["GITHUB_OUTPUT"].read_text())] == ["release"]
    assert not files["GITHUB_ENV"].exists()
    assert not files["GITHUB_PATH"].exists()


@every_payload
def test_azure_obeys_us_alone(
    payload: Payload, quiet: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, with logging commands."""
    ours = host.DevOps({"AGENT_TEMPDIRECTORY": str(tmp_path)})
    for level in ("error", "warning", "notice"):
        ours.annotate(Note(level, payload.text, payload.text, Path(payload.text.replace("\0", "")), 3))
    ours.put("release", payload.text)
    ours.upload(payload.text, "report")

    text = capsys.readouterr().err
    obeyed = in_devops(text)
    assert sorted(str(one[1]) for one in obeyed if isinstance(one, tuple)) == [
        "logissue", "logissue", "setvariable", "uploadsummary"
    ]  # fmt: skip
    assert not obeyed & in_devops(payload.text)
    assert in_github(text) | in_a_terminal(text) == set()


def test_a_fold_of_azure_is_one_line(quiet: None, capsys: pytest.CaptureFixture[str]) -> None:
    """As many begin as end."""
    ours = host.DevOps({})
    for payload in PAYLOADS:
        ours.fold(payload.text)
    ours.unfold()

    formats = [str(one) for one in in_devops(capsys.readouterr().err)]
    assert {one.partition("]")[0] for one in formats} == {"##[group", "##[endgroup"}


def _keys(value: object) -> object:
    """The structure of a JSON document without its texts."""
    if isinstance(value, dict):
        return {name: _keys(inner) for name, inner in value.items()}
    return [_keys(inner) for inner in value] if isinstance(value, list) else type(value).__name__


@every_payload
def test_a_report_has_one_structure_whatever_its_words_are(payload: Payload) -> None:
    """In Markdown, as a page, as test results and as findings: every text in it is somebody's."""
    ours, theirs = hostile(re.sub(r"\S+", "word", payload.text)), hostile(payload.text)

    assert execution.shape_of_markdown(markdown(theirs, limit=10**7)) == execution.shape_of_markdown(
        markdown(ours, limit=10**7)
    )
    assert execution.shape_of_html(html(theirs)) == execution.shape_of_html(html(ours))
    assert execution.shape_of_xml(junit(theirs)) == execution.shape_of_xml(junit(ours))
    assert _keys(json.loads(sarif(theirs))) == _keys(json.loads(sarif(ours)))


@pytest.mark.parametrize("show", [markdown, html, junit, sarif], ids=lambda show: str(show.__name__))
def test_a_report_that_is_printed_is_not_obeyed(
    show: Callable[[Report], str], quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout, where a CI reads it as it reads any log."""
    for payload in PAYLOADS:
        text = _shown(show(hostile(payload.text)), terminal.give, capsys)

        assert in_github(text) | in_devops(text) | in_a_terminal(text) == set(), payload.text
