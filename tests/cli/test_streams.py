"""Data on stdout, talk on stderr, whoever listens, or has left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.repository import CTRAIN, Repository, environment
from tests.e2e.tiny import tiny

pytestmark = pytest.mark.e2e

READING = [("plan",), ("status",), ("history",), ("show",), ("logs",), ("validate",), ("doctor",), ("local", "status")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A project with one release: of a pull request, in a CI, on a branch with a name that is a command."""
    repository = tiny(tmp_path_factory.mktemp("user") / "tiny")
    ci = {"TF_BUILD": "True", "BUILD_REASON": "PullRequest", "SYSTEM_PULLREQUEST_SOURCEBRANCH": "##vso[task.x]\n::y"}
    said = repository.ctrain("run", **ci)
    assert said.code == 0, said.err
    assert said.out == ""
    yield repository
    repository.down()


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_json_is_one_document_with_its_schema(project: Repository, words: tuple[str, ...]) -> None:
    """And nothing else: not on stdout, not on stderr. No value in it is a command to a CI."""
    said = project.ctrain(*words, "--json")

    assert said.code == 0, said.err
    assert said.err == ""
    kind = said.document["schema"].removeprefix("ctrain.").removesuffix("/1")
    assert kind in said.document
    assert "##" not in said.out


def test_values_in_json_are_what_they_are(project: Repository) -> None:
    """The escape that keeps a CI from obeying them is JSON's own."""
    document = project.ctrain("show", "--json").document

    assert document["release"]["release"]["plan"]["source"]["branch"] == "##vso[task.x] ::y"


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_what_people_read_is_on_stdout(project: Repository, words: tuple[str, ...]) -> None:
    """Without escapes where it is no terminal, and without commands to a CI."""
    said = project.ctrain(*words)

    assert said.code == 0, said.err
    assert said.out.strip()
    assert said.err == ""
    assert "\x1b" not in said.out
    assert "##vso[" not in said.out


def called(project: Repository, words: str, **streams: int) -> int:
    """The exit code of a shell's line, in which `ctrain` is ours."""
    line = words.replace("ctrain", str(CTRAIN))
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    done = subprocess.run(["bash", "-c", line], cwd=project.root, env=environment(), check=False, **kept)  # type: ignore[call-overload]
    assert b"Traceback" not in (done.stderr or b"")
    assert b"bug" not in (done.stderr or b"")
    return int(done.returncode)


@pytest.mark.parametrize("words", ["ctrain show", "ctrain show --json", "ctrain logs"])
def test_a_reader_that_leaves_is_no_trouble(project: Repository, words: str) -> None:
    """As `| head` does: no word, and no failure."""
    read, write = os.pipe()
    os.close(read)

    assert called(project, words, stdout=write) == 0

    os.close(write)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ctrain run --trigger nonsense 2>&1 | true; exit ${PIPESTATUS[0]}", 2),
        ("ctrain run --trigger pull_request 2>/dev/full", 0),
        ("ctrain run --trigger pull_request 2>&-", 0),
        ("ctrain status >&-", 0),
        ("ctrain status >/dev/full", 11),
        ("ctrain status --json >/dev/full", 11),
        ("LC_ALL=C PYTHONIOENCODING=ascii ctrain show", 0),
        ("LC_ALL=C PYTHONIOENCODING=ascii ctrain run --trigger pull_request", 0),
        ("ctrain", 2),
        ("ctrain local", 2),
        ("ctrain --version", 0),
        ("mkdir gone; cd gone; rmdir ../gone; ctrain status", 2),
    ],
)
def test_the_exit_code_tells_what_was_done_whoever_listens(project: Repository, line: str, code: int) -> None:
    """What is said may be lost; what is done is not. Only lost data is a failure."""
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")

    assert called(project, line) == code


def test_no_color_means_no_colour(project: Repository) -> None:
    """Even on a terminal."""
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"

    def shown(**variables: str) -> str:
        words = ["python", "-c", script, str(CTRAIN), "run", "--trigger", "nonsense"]
        env = environment() | {"PATH": f"{CTRAIN.parent}:{os.environ['PATH']}", "TERM": "xterm"} | variables
        done = subprocess.run(
            words, cwd=project.root, env=env, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        return done.stdout.decode()

    assert "\x1b[31m" in shown()
    assert "\x1b[" not in shown(NO_COLOR="1")


def test_usage_errors_name_the_help_to_read(project: Repository) -> None:
    """Of the very command that was called."""
    said = project.ctrain("history", "--count", "0")

    assert said.code == 2
    assert "see `ctrain history --help`" in said.err
