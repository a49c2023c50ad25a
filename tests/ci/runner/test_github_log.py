"""What GitHub's runner takes for a command, and what for text; its environment files."""

from __future__ import annotations

import pytest

from tests.ci.runner.github_log import BadFile, Log, pairs, parse


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("::group::Training", "group"),
        ("  \t::GROUP::Training", "group"),
        ("\u00a0::warning file=a.py,line=3::text", "warning"),
        ("text before ##[group]Training", "group"),
        ("##[set-output name=x;]value", "set-output"),
        ("::add-mask::secret", "add-mask"),
        ("x ::group::Training", None),
        (": :group::Training", None),
        ("::nothing::text", None),
        ("::group:text", None),
        ("##[section]text", None),
        ("##vso[task.setvariable variable=x]y", None),
    ],
)
def test_a_command_is_known_by_its_place_and_its_name(line: str, name: str | None) -> None:
    """`::` after blanks only; `##[` anywhere; names of the runner only."""
    command = parse(line)

    assert (command.name if command else None) == name


def test_values_are_unescaped_once() -> None:
    """Properties have escapes of their own."""
    command = parse("::error file=a%2Cb.py,title=x%3Ay%25::one%0Atwo%25")

    assert command is not None
    assert command.properties == {"file": "a,b.py", "title": "x:y%"}
    assert command.data == "one\ntwo%"


def test_stopped_commands_are_text_until_the_token_comes() -> None:
    """Also that a step's end resumes, and that a command's name is no token."""
    log = Log()
    for line in ("::stop-commands::tok3n", "::warning::quiet", "::tok3n::", "::warning::loud"):
        log.hear(line)

    assert [one.text for one in log.annotations] == ["loud"]
    log.hear("::stop-commands::warning")
    assert log.failed
    assert log.stop is None


def test_masked_values_are_never_shown() -> None:
    """From then on, by line too."""
    log = Log()
    log.hear("::add-mask::first%0Asecond")
    log.hear("it is second")
    log.hear("::error::first")

    assert "it is ***" in log.lines
    assert log.annotations[0].text == "***"


def test_old_commands_fail_the_step() -> None:
    """`set-env` and `add-path` are refused."""
    log = Log()
    log.hear("::set-env name=PATH::/evil")

    assert log.failed


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a=1\nb=x=y\n", {"a": "1", "b": "x=y"}),
        ("a<<END\none\ntwo=2\nEND\nb=3\n", {"a": "one\ntwo=2", "b": "3"}),
        ("a<<END\nEND", {"a": ""}),
        ("a=x<<END\n\n", {"a": "x<<END"}),
        ("a=", {"a": ""}),
    ],
)
def test_an_environment_file_gives_names_and_values(text: str, read: dict[str, str]) -> None:
    """On a line, or between delimiters."""
    assert dict(pairs(text)) == read


@pytest.mark.parametrize("text", ["nothing\n", "a<<END\none\n", "<<END\nEND\n", "a<<\n"])
def test_an_environment_file_that_cannot_be_read_is_refused(text: str) -> None:
    """No equals sign, no end, no name."""
    with pytest.raises(BadFile):
        dict(pairs(text))
