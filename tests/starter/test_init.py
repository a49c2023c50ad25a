"""`ctrain init` as a user has it: in a folder, without a terminal unless a test says otherwise."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctrain.cli import starting
from ctrain.cli.starting import Wishes
from ctrain.errors import PipelineError, UsageError
from ctrain.flow.prepare import check_pipeline
from ctrain.project import load_project
from ctrain.starter import mark, shelf
from ctrain.starter.choices import Asked, choose
from ctrain.starter.survey import look

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "pipelines"
CTRAIN = Path(sys.executable).parent / "ctrain"
BOTH = Wishes(ci=("github", "azure-devops"))
Texts = dict[str, bytes]


@pytest.fixture(autouse=True)
def nobody_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal, and no repository of git around the tests' folders."""
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The reference pipeline as it was before anybody knew ctrain."""
    folder = tmp_path / "visits"
    for part in ("components", "data", "environment"):
        shutil.copytree(REFERENCE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REFERENCE / "train.yml", folder)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)
    return folder


def init(folder: Path, wishes: Wishes = BOTH, **asked: Any) -> int:
    return starting.init(folder, Asked(**asked), wishes)


def texts(folder: Path) -> Texts:
    files = (file for file in folder.rglob("*") if file.is_file() and ".git/" not in file.as_posix())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_what_it_writes_is_valid_at_once(root: Path) -> None:
    """The project file names what the pipeline has."""
    assert init(root, label="visited") == 0

    project = load_project(root / "ctrain.yaml")
    check_pipeline(project, any_job=False)
    assert (project.data.input, project.data.local, project.evaluation.label) == (
        "training_data",
        "data/visits.parquet",
        "visited",
    )
    assert "could not know" not in (root / "ctrain.yaml").read_text()


def test_it_says_what_it_could_not_know(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The label is in no column of the data: the line has a comment, and is named at the end."""
    init(root)

    assert "label: label # ctrain init could not know" in (root / "ctrain.yaml").read_text()
    assert "guesses in ctrain.yaml, each with a comment: 1" in capfd.readouterr().err


def test_what_a_person_says_is_no_guess(root: Path) -> None:
    """The label that was typed, though no column of the data has that name; what is proposed and taken is one."""
    there = look(root, root=root, branch="main", remote="")

    said = choose(there, Asked(), lambda question, _choices, proposed: "visited" if "label" in question else proposed)
    taken = choose(there, Asked(), lambda _question, _choices, proposed: proposed)

    assert (said.label, said.guessed) == ("visited", frozenset())
    assert (taken.label, taken.guessed) == ("label", frozenset({"label"}))


def test_again_changes_nothing(root: Path) -> None:
    """Not a byte."""
    init(root)
    before = texts(root)

    assert init(root, Wishes()) == 0
    assert texts(root) == before


def test_a_dry_run_writes_nothing_and_shows_it(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As a diff on stdout."""
    before = texts(root)

    init(root, Wishes(ci=("github",), dry_run=True))

    assert texts(root) == before
    assert "+++ ctrain.yaml\n" in capfd.readouterr().out


def test_it_upgrades_what_nobody_changed_and_leaves_the_rest(root: Path) -> None:
    """An older version wrote all of it; one file was changed by hand since."""
    init(root)
    ours, changed = root / ".github/workflows/ctrain.yml", root / "azure-pipelines.yml"
    ours.write_text(mark.marked("name: older\n", "0.0.9"))
    changed.write_text(mark.marked("trigger: none\n", "0.0.9") + "pool: mine\n")
    by_hand = changed.read_bytes()

    init(root)

    assert "name: older" not in ours.read_text()
    assert changed.read_bytes() == by_hand


def test_a_file_that_a_person_wrote_stays(root: Path) -> None:
    """The next free name is taken, and the copied blocks are beside it."""
    (root / "azure-pipelines.yml").write_text("trigger: none\n")

    init(root)

    assert (root / "azure-pipelines.yml").read_text() == "trigger: none\n"
    assert mark.ours((root / "azure-pipelines-ctrain.yml").read_text())


def test_a_project_file_that_is_there_is_used_as_it_is(root: Path) -> None:
    """Its stages are those of the CI."""
    shutil.copy(REFERENCE / "ctrain.yaml", root)
    before = (root / "ctrain.yaml").read_bytes()

    init(root)

    assert (root / "ctrain.yaml").read_bytes() == before
    assert (root / "azure-pipelines.yml").read_text().count("- {name: ") == 3


def test_line_endings_of_windows_are_no_change(root: Path) -> None:
    """A checkout with CRLF is as good as new, and what is upgraded or extended keeps its line endings."""
    (root / ".gitignore").write_bytes(b"*.log\r\nout/")
    init(root)
    assert (root / ".gitignore").read_bytes() == b"*.log\r\nout/\r\n.ctrain/\r\n"
    for name, content in texts(root).items():
        if mark.written(content.decode(errors="replace")):
            (root / name).write_bytes(content.replace(b"\n", b"\r\n"))
    older = root / ".github/workflows/training.yml"
    older.write_bytes(mark.marked("name: older\n", "0.0.9").replace("\n", "\r\n").encode())
    before = texts(root)

    init(root)

    after = texts(root)
    assert {name for name in after if after[name] != before.get(name)} == {".github/workflows/training.yml"}
    assert older.read_bytes().count(b"\r\n") == older.read_bytes().count(b"\n") > 10


def test_blocks_that_are_called_stay_called(root: Path) -> None:
    """Written anew, the workflow calls what it called."""
    commit = "c0ffee" * 6 + "c0ff"
    init(root, replace(BOTH, blocks=f"acme/ctrain@{commit}"))
    files = [root / ".github/workflows/training.yml", root / "azure-pipelines.yml"]
    before = [file.read_text() for file in files]
    for file in files:
        file.write_text(mark.marked(file.read_text().partition("\n")[2] + "# older\n", "0.0.9"))

    init(root, Wishes())

    assert [file.read_text() for file in files] == before
    assert f"acme/ctrain/.github/workflows/ctrain.yml@{commit}" in before[0]
    assert not (root / ".github/workflows/ctrain.yml").exists()
    assert not (root / ".azure-pipelines").exists()


def test_a_lock_of_the_repository_that_has_ctrain_is_used(root: Path) -> None:
    """What the team pins already needs no second lock."""
    (root / "uv.lock").write_text('[[package]]\nname = "ctrain"\nversion = "0.1.0"\n')

    init(root)

    assert "requirements: uv.lock" in (root / ".github/workflows/training.yml").read_text()
    assert not (root / "requirements").exists()


def _no_pipeline(root: Path) -> None:
    (root / "train.yml").unlink()


def _two_pipelines(root: Path) -> None:
    shutil.copy(root / "train.yml", root / "other.yml")


def _broken_pipeline(root: Path) -> None:
    (root / "train.yml").write_text("type: pipeline\njobs:\n  a: {type: command, comand: x}\n")


def _a_file_where_a_folder_belongs(root: Path) -> None:
    (root / ".github").write_text("no folder")


def _a_folder_where_a_file_belongs(root: Path) -> None:
    (root / ".gitignore").mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_pipeline, "there is no pipeline"),
        (_two_pipelines, "more than one pipeline"),
        (_broken_pipeline, r"train\.yml:3"),
        (_a_file_where_a_folder_belongs, r"\.github"),
        (_a_folder_where_a_file_belongs, "there is a folder of that name"),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_is_written(
    root: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """Not one file of many."""
    spoil(root)
    before = texts(root)

    with pytest.raises((UsageError, PipelineError), match=words):
        init(root)
    assert texts(root) == before


@pytest.mark.parametrize(
    ("wishes", "asked"),
    [
        (Wishes(ci=("jenkins",)), {}),
        (Wishes(ci=("github",), blocks="acme/ctrain@v1"), {}),
        (Wishes(ci=("github",), backend="aws"), {}),
        (Wishes(), {"task": "clustering"}),
        (Wishes(), {"name": "visits and more"}),
        (Wishes(), {"stages": ("dev", "pre_prod")}),
        (Wishes(), {"stages": ("dev", "dev")}),
    ],
)
def test_a_flag_that_cannot_be_is_refused(root: Path, wishes: Wishes, asked: dict[str, Any]) -> None:
    """Before anything is written."""
    before = texts(root)

    with pytest.raises(UsageError):
        init(root, wishes, **asked)
    assert texts(root) == before


def test_a_read_only_folder_is_refused(root: Path) -> None:
    """With the folder's name."""
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    root.chmod(0o555)
    try:
        with pytest.raises(UsageError, match="read-only"):
            init(root)
    finally:
        root.chmod(0o755)


def test_a_project_within_a_repository(root: Path) -> None:
    """The CI's files stand at the top, and name the project file from there."""
    (root / "models").mkdir()
    for name in ("components", "data", "environment", "train.yml"):
        (root / name).rename(root / "models" / name)

    init(root / "models", Wishes(ci=("github",)))

    assert "file: models/ctrain.yaml" in (root / ".github/workflows/training.yml").read_text()
    assert (root / "models/.gitignore").read_text() == ".ctrain/\n"


def test_without_a_repository_it_writes_the_project_alone(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A CI could not run it."""
    shutil.rmtree(root / ".git")

    init(root, Wishes())

    assert not (root / ".github").exists()
    assert "no git repository" in capfd.readouterr().err


def test_the_example_is_the_reference_project(tmp_path: Path) -> None:
    """All of it but what running it left there; again, it stays as it is."""
    assert starting.example(tmp_path / "new", Wishes()) == 0
    assert starting.example(tmp_path / "new", Wishes()) == 0

    brought = {name: content for name, content in texts(tmp_path / "new").items() if name != ".gitignore"}
    assert brought == {name: (REFERENCE / name).read_bytes() for name in brought}
    assert {"ctrain.yaml", "train.yml", "data/visits.parquet", "components/train/train.py"} <= set(brought)


def test_the_example_goes_to_no_folder_that_has_another_project(root: Path) -> None:
    """One file in its way, and none is written."""
    (root / "ctrain.yaml").write_text("project: mine\n")
    before = texts(root)

    with pytest.raises(UsageError, match="cannot be brought"):
        starting.example(root, Wishes())
    assert texts(root) == before


def test_the_example_is_valid_at_once(tmp_path: Path) -> None:
    """With the installed command, in an empty folder. `make release` runs it from a wheel."""
    for words in (["init", "--example"], ["validate"]):
        done = subprocess.run([CTRAIN, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr


def test_the_wheel_has_all_that_is_brought() -> None:
    """Every file that init reads stands in the wheel's list, under its own name."""
    import tomllib

    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = told["force-include"]
    wanted = [*shelf.GITHUB, *shelf.AZURE, shelf.LOCK, *(f"pipelines/{name}" for name in shelf.EXAMPLE)]

    assert not [name for name in wanted if not any(name == it or name.startswith(f"{it}/") for it in packed)]
    assert {target.removeprefix("ctrain/starter/files/") for target in packed.values()} == set(packed)


def test_the_runtime_lock_is_part_of_the_whole_one() -> None:
    """The same versions by the same hashes, and nothing that only tests need."""
    whole, part = (_pins(name) for name in ("requirements/lock.txt", shelf.LOCK))

    assert part < whole
    assert not [line for line in part if line.startswith(("pytest", "hypothesis", "zizmor"))]


def _pins(name: str) -> set[str]:
    """Each version and each hash; which platforms a package is for may differ."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.strip(" \\").partition(" ;")[0] for line in lines}


@pytest.mark.parametrize("typed", [b"visited\n\nn\n", b"\x04"], ids=["no", "end of input"])
def test_a_person_is_asked_and_may_say_no(root: Path, typed: bytes) -> None:
    """At a terminal: which column is the label, and whether to write it. No means no, and so does leaving."""
    before = texts(root)
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [CTRAIN, "init", "--ci", "github"], cwd=root, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    os.write(mine, typed)
    said = _all(mine)

    assert process.wait(timeout=60) == 0
    assert "Which column is the label?" in said
    assert ("+  label: visited" in said) is (typed != b"\x04")
    assert texts(root) == before


def _all(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end was closed
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode(errors="replace")
