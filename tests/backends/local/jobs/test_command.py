"""Commands: filled in as Azure ML does, and values never become syntax (asked of a real bash)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.backends.local.jobs.command import BadCommand, Word, expressions, resolve

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n"), max_size=30)
NASTY = st.one_of(
    TEXT,
    st.sampled_from(["$(touch hit)", "`touch hit`", "a; touch hit", "it's", '"', "\\", "$HOME", "a b", "*", "", "\\'"]),
    st.text(st.sampled_from("'\"\\$`();&|#* ax"), max_size=12),
)


def filled(command: str, values: Mapping[str, str | None], *, whole: bool = False) -> str:
    def value(_kind: str, name: str) -> Word | None:
        text = values[name]
        return None if text is None else Word(text, whole)

    return resolve(command, value)


def bash(text: str) -> str:
    return subprocess.run(["/bin/bash", "-c", text], capture_output=True, text=True, check=True, timeout=20).stdout


@pytest.mark.parametrize(
    "command",
    [
        "printf '%s|' '${{inputs.x}}'",
        "printf '%s|' \"${{inputs.x}}\"",
        "printf '%s|' \"$(printf '%s' '${{inputs.x}}')\"",
        "# don't mind\nprintf '%s|' '${{inputs.x}}'",
        "cat <<END\n${{inputs.x}}\nEND\n",
        "cat <<'END'\n${{inputs.x}}\nEND\n",
        "true # ${{inputs.x}}\nprintf '%s|' \"${{inputs.x}}\"",
    ],
)
@given(value=NASTY)
@settings(max_examples=25, deadline=None)
def test_a_quoted_value_arrives_as_it_is(command: str, value: str) -> None:
    """Whatever a value holds, between quotes it is one word, unchanged."""
    assert bash(filled(command, {"x": value})) == value + ("\n" if "<<" in command else "|")


@given(value=NASTY)
@settings(max_examples=60, deadline=None)
def test_a_bare_value_becomes_its_words(value: str) -> None:
    """As on Azure ML, where bash splits what stands bare; here it is split at white space and nothing else happens."""
    words = bash(filled("printf '%s|' : ${{inputs.x}}", {"x": value}))
    assert words == ":|" + "".join(f"{word}|" for word in re.split("[ \t]+", value) if word)


@given(value=NASTY)
@settings(max_examples=30, deadline=None)
def test_a_path_is_one_word_wherever_it_stands(value: str) -> None:
    """A folder of the user's may have spaces in its name; no pipeline is written for that."""
    assert bash(filled("printf '%s|' ${{inputs.x}}", {"x": value}, whole=True)) == value + "|"


def test_an_optional_part_goes_with_its_value() -> None:
    """`$[[...]]` is left out where an input in it has no value."""
    command = "train $[[--seed ${{inputs.seed}}]] --rate ${{ inputs.rate }}"
    assert filled(command, {"seed": None, "rate": "1"}) == "train  --rate 1"
    assert filled(command, {"seed": "7", "rate": "1"}) == "train --seed 7 --rate 1"


def test_bashs_own_brackets_are_left_alone() -> None:
    """`[[ ... ]]` is a condition of bash, `${x}` a variable of it."""
    assert filled('[[ -n "${x}" ]] && echo ${{inputs.a}}', {"a": "1"}) == '[[ -n "${x}" ]] && echo 1'


def test_an_apostrophe_in_a_comment_is_no_quote() -> None:
    """Else everything after it would be quoted inside out."""
    assert bash(filled("# it's\nprintf '%s|' ${{inputs.x}}", {"x": "$(echo hit)"})) == "$(echo|hit)|"


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("echo $(( ${{inputs.x}} + 1 ))", "a[$(touch hit)]"),
        ("echo `cat ${{inputs.x}}`", "$(touch hit)"),
        ("cat <<END\n${{inputs.x}}\nEND\n", "END\ntouch hit"),
        ("echo ${{inputs.x}}", "\0"),
    ],
)
def test_what_cannot_be_made_safe_is_refused(command: str, value: str) -> None:
    """Better no command than one that a value has written."""
    with pytest.raises(BadCommand):
        filled(command, {"x": value})


def test_an_expression_without_meaning_is_refused() -> None:
    """What we would leave as it is, bash would misread."""
    with pytest.raises(BadCommand, match="search_space"):
        expressions("train ${{search_space.rate}}")
