"""What each CI is told while we run: by its own commands and files, and by nothing that others wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.cli import terminal
from ctrain.cli.ci import commands
from ctrain.cli.ci.host import SUMMARY, DevOps, GitHub, Host, Note, host_of

HOSTILE = "x\n::error::y\r\n##vso[task.setvariable variable=PATH]z %0A::set-env name=a::b ;a=b] , :"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_secrets", set())


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    env = {name: str(tmp_path / name) for name in names}
    host = host_of({**env, "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)})
    assert isinstance(host, GitHub)
    return host


@pytest.fixture
def devops(tmp_path: Path) -> DevOps:
    env = {"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": str(tmp_path), "AGENT_TEMPDIRECTORY": str(tmp_path)}
    host = host_of(env)
    assert isinstance(host, DevOps)
    return host


def test_github_shows_a_note_at_its_line(github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file's path from the repository's root; lines of the text stay lines of it."""
    github.annotate(Note("error", "no, really: wrong", "why\nfix: 100%", tmp_path / "a,b" / "ctrain.yaml", 7, 3))

    assert capsys.readouterr().err == (
        "::error title=no%2C really%3A wrong,file=a%2Cb/ctrain.yaml,line=7,col=3::why%0Afix: 100%25\n"
    )


def test_azure_pipelines_shows_a_note_at_its_line(
    devops: DevOps, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the title before the text, as there is no place for one. Percent signs are left, but where they would mean
    something."""
    devops.annotate(Note("warning", "wrong", "why\nfix: 100% of %0A", tmp_path / "a;b.yaml", 7))

    assert capsys.readouterr().err == (
        "##vso[task.logissue type=warning;sourcepath=a%3Bb.yaml;linenumber=7;]wrong: why%0Afix: 100% of %AZP250A\n"
    )


def test_github_gets_no_more_notes_than_it_shows(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten of each level in a step."""
    for number in range(25):
        github.annotate(Note("warning" if number % 2 else "error", f"{number}", "x"))

    said = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in said].count("::error") == 10
    assert [line.partition(" ")[0] for line in said].count("::warning") == 10


@pytest.mark.parametrize("kind", ["github", "devops"])
def test_nothing_of_others_ends_a_command_or_begins_one(
    kind: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whatever the text: each call is one line, and one command."""
    host: Host = request.getfixturevalue(kind)

    host.fold(HOSTILE)
    host.unfold()
    host.annotate(Note("error", HOSTILE, HOSTILE, tmp_path / HOSTILE.replace("/", ""), 1))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(len(re.findall(r"##vso\[|##\[|^::\w", line)) == 1 for line in lines)


@given(st.text(), st.text())
def test_a_github_command_is_one_line_that_says_what_it_was_given(title: str, text: str) -> None:
    """Read back by the runner's rules (actions/runner `ActionCommand.cs`), it is the same."""
    line = commands.github("error", text, {"title": title})

    assert len(re.split(r"[\r\n]", line)) == 1
    head, data = line.removeprefix("::error title=").split("::", 1)
    assert _decoded(head, ("%0D\r", "%0A\n", "%3A:", "%2C,", "%25%")) == title
    assert _decoded(data, ("%0D\r", "%0A\n", "%25%")) == text


@given(st.text(), st.text())
def test_an_azure_command_is_one_line_that_says_what_it_was_given(title: str, text: str) -> None:
    """Read back by the agent's rules (azure-pipelines-agent `CommandStringConvertor`), it is the same."""
    line = commands.devops("task.x", text, {"title": title})

    assert len(re.split(r"[\r\n]", line)) == 1
    head, data = line.removeprefix("##vso[task.x title=").split(";]", 1)
    codes = ("%3B;", "%0D\r", "%0A\n", "%5D]", "%AZP25%")
    assert _decoded(head, codes) == title
    assert _decoded(data, ("%0D\r", "%0A\n", "%AZP25%")) == text


def _decoded(text: str, codes: tuple[str, ...]) -> str:
    meant = {code[:-1]: code[-1] for code in codes}
    return re.sub("|".join(meant), lambda found: meant[found[0]], text)


def test_github_outputs_are_of_one_line_and_cannot_be_left(github: GitHub) -> None:
    """Each has a delimiter of its own that nobody can guess."""
    github.put("release", "main-b41c9e2-1")
    github.put("model", "a\nEOF\nstate=delivered")

    lines = Path(github.env["GITHUB_OUTPUT"]).read_text().splitlines()
    assert [line.partition("<<")[0] for line in lines[0::3]] == ["release", "model"]
    assert lines[1::3] == ["main-b41c9e2-1", "a EOF state=delivered"]
    assert lines[0].partition("<<")[2] == lines[2] != lines[5]


def test_azure_outputs_are_variables_of_the_step(devops: DevOps, capsys: pytest.CaptureFixture[str]) -> None:
    """That later jobs may read."""
    devops.put("model", "visits:3\n##vso[task.complete]")

    said = capsys.readouterr().err
    assert said == "##vso[task.setvariable variable=model;isOutput=true;]visits:3 **vso[task.complete]\n"


def test_the_summary_grows_by_each_verb(github: GitHub) -> None:
    """Several verbs may run in one job; each adds its own."""
    github.summarize("# one")
    github.summarize("# two\n")

    assert Path(github.env["GITHUB_STEP_SUMMARY"]).read_text() == "# one\n\n# two\n\n"


def test_a_summary_that_is_full_is_left_alone(github: GitHub) -> None:
    """GitHub drops the whole of one that is longer than a mebibyte."""
    github.summarize("x" * (SUMMARY - 100))
    github.summarize("y" * 200)

    assert "y" not in Path(github.env["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.mark.parametrize(("kind", "command"), [("github", "::add-mask::"), ("devops", "##vso[task.setsecret]")])
def test_a_key_is_masked_once_before_it_is_used(
    kind: str, command: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By the CI, for all that follows in its log."""
    host: Host = request.getfixturevalue(kind)
    monkeypatch.setattr(terminal, "heard", lambda: True)

    host.mask("s3cr3t-key-1")
    host.mask("s3cr3t-key-1")

    assert capfd.readouterr().err == f"{command}s3cr3t-key-1\n"


def test_a_key_is_not_written_to_a_file(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the talk goes to a file, no CI reads the mask, and the file would keep the key."""
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr("sys.stderr", log)
        github.mask("s3cr3t-key-2")

    assert "s3cr3t" not in (tmp_path / "log").read_text()
    assert terminal.harmless("s3cr3t-key-2") == "***"


def test_a_ci_that_has_no_files_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    """Outputs and summary then go nowhere."""
    host = GitHub({})

    host.put("release", "x")
    host.summarize("x")

    assert capsys.readouterr().err == ""
