"""Text of others can neither command a CI nor a terminal, whoever prints it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.cli import terminal
from ctrain.cli.neutral import Guarded, neutral, without


@pytest.mark.parametrize(
    "payload",
    [
        "::set-env name=PATH::/evil",
        "   ::add-mask::x",
        "before ##[command]x",
        "before ##vso[task.setvariable variable=PATH]/evil",
        "##VSO[task.prependpath]/evil",
        "#\x00#vso[task.setvariable]x",
        "\x1b[2J\x1b]0;title\x07::error::x",
        "ok\r::error::x",
        "ok\n::error::x",
        "ok\u2028::error::x",
    ],
)
def test_no_text_is_a_command(payload: str) -> None:
    """Neither for GitHub's runner, nor for Azure's agent, nor for a terminal."""
    assert commands(neutral(payload)) == []


@given(st.text(alphabet=st.sampled_from("#:[]vso \n\r\t\x00\x1b\x07ab##::") | st.characters()))
def test_text_made_harmless_stays_harmless(text: str) -> None:
    """Taking something out never puts a command together from what is left."""
    made = neutral(text)

    assert commands(made) == []
    assert "\x1b" not in made


def test_ordinary_text_stays_as_it_is() -> None:
    """Accents, colons and code are no danger."""
    text = "größer: a::b C++::std\n\tindented — fine"

    assert neutral(text) == text


def commands(text: str) -> list[str]:
    """What either CI would obey, by the rules of their parsers."""
    lines = text.splitlines()
    github = [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    return github + [line for line in lines if "##vso[" in line.lower()]


@given(st.lists(st.text(alphabet=st.sampled_from("#:[]vso \n\r\t\x1bab")), max_size=20))
def test_no_command_is_put_together_from_pieces(pieces: list[str]) -> None:
    """A library may print half a word, and the rest later, and flush in between."""
    raw = io.StringIO()
    stream = Guarded(raw, neutral)

    for piece in pieces:
        stream.write(piece)
        stream.flush()
    stream.end()

    assert commands(raw.getvalue()) == []


def test_lines_come_as_they_end() -> None:
    """What was begun is kept until its end, or until nothing more comes."""
    raw = io.StringIO()
    stream = Guarded(raw, neutral)

    stream.write("one\ntw")
    assert raw.getvalue() == "one\n"
    stream.write("o")
    stream.end()

    assert raw.getvalue() == "one\ntwo\n"


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    """A progress bar may never end its line."""
    raw = io.StringIO()
    stream = Guarded(raw, neutral)

    stream.write("x" * (Guarded.MOST + 1))

    assert raw.getvalue().endswith("x\n")


def test_a_key_that_we_hold_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On neither stream, and in no document: a model's log may repeat what it was called with."""
    monkeypatch.setattr(terminal, "_secrets", set())
    terminal.hide("s3cr3t-of-the-endpoint")

    terminal.say("a log: Bearer s3cr3t-of-the-endpoint")
    terminal.give("s3cr3t-of-the-endpoint")
    terminal.give_json('{"text": "s3cr3t-of-the-endpoint"}')

    said = capsys.readouterr()
    assert "s3cr3t" not in said.out + said.err
    assert said.out == '***\n{"text": "***"}\n'


def test_the_longer_secret_goes_first() -> None:
    """One may hold the other, whose end would be left."""
    assert without({"abcdefgh", "abcdefgh-rest"}, "x abcdefgh-rest abcdefgh") == "x *** ***"
