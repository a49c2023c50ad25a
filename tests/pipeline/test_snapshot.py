"""Which files are part of a step's code, and what the digest of a pipeline stands for."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctrain.errors import PipelineError
from ctrain.pipeline import code_files, read_pipeline
from tests.pipeline.written import SHAPES

WORDS = st.sampled_from(["a", "b.py", "c.log", "data", "__pycache__", "keep.log"])
PATHS = st.lists(WORDS, min_size=1, max_size=3).map("/".join)
PATTERNS = st.lists(
    st.sampled_from(
        ["*.log", "!keep.log", "data/", "/a", "a/", "**/b.py", "data/*", "!data/a", "# c", "", "a/**/c.log"]
    ),
    max_size=4,
)


def made(folder: Path, *paths: str) -> Path:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return folder


def names(folder: Path) -> list[str]:
    return [file.as_posix() for file in code_files(folder)]


def test_all_files_belong_sorted_but_what_never_does(tmp_path: Path) -> None:
    """`__pycache__`, `.git` and `.ctrain` stay out at any depth."""
    made(tmp_path, "b/y.py", "b/__pycache__/y.pyc", "a.py", ".git/HEAD", "b/.ctrain/x", ".env", "B.py")
    assert names(tmp_path) == [".env", "B.py", "a.py", "b/y.py"]


def test_amlignore_counts_and_gitignore_then_does_not(tmp_path: Path) -> None:
    """As on Azure ML: the first of the two that exists, in the folder itself only."""
    made(tmp_path, "a.py", "a.log", "b.tmp", "sub/.gitignore", "sub/c.log")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert names(tmp_path) == [".gitignore", "a.py", "b.tmp", "sub/.gitignore"]
    (tmp_path / ".amlignore").write_text("*.tmp\n")
    assert names(tmp_path) == [".amlignore", ".gitignore", "a.log", "a.py", "sub/.gitignore", "sub/c.log"]


def test_a_file_is_its_own_snapshot(tmp_path: Path) -> None:
    """`code: ./look.py`."""
    assert names(made(tmp_path, "look.py") / "look.py") == ["look.py"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(PATHS, max_size=6), PATTERNS)
def test_azure_ml_would_upload_the_same_files(paths: set[str], patterns: list[str]) -> None:
    """For any tree and any ignore file, as azure-ai-ml's own listing and ignore rules for components say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from azure.ai.ml._utils._asset_utils import get_upload_files_from_folder
        from azure.ai.ml.entities._component.code import ComponentIgnoreFile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        for path in sorted(paths):
            inside_a_file = any((folder / path).is_relative_to(one) for one in folder.rglob("*") if one.is_file())
            if not inside_a_file and not (folder / path).is_dir():
                made(folder, path)
        (folder / ".amlignore").write_text("\n".join(patterns))
        # their annotation says text, and they give pairs of where a file is and where it goes
        theirs: Iterable[Any] = get_upload_files_from_folder(folder, ignore_file=ComponentIgnoreFile(folder))
        assert sorted(names(folder)) == sorted(goes_to for _, goes_to in theirs)


def outward(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent)


def nowhere(folder: Path) -> None:
    (folder / "link").symlink_to("missing")


def to_itself(folder: Path) -> None:
    (folder / "link").symlink_to("link")


def upward(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "link").symlink_to(folder / "sub")


@pytest.mark.parametrize("make", [outward, nowhere, to_itself, upward])
def test_a_link_that_leads_astray_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Out of the folder, nowhere, or in a circle: named, with where it leads."""
    folder = made(tmp_path / "code", "a.py")
    make(folder)
    with pytest.raises(PipelineError, match="link cannot be part of the code"):
        code_files(folder)


def test_a_link_within_is_what_it_leads_to(tmp_path: Path) -> None:
    """To a file or to a folder beside it."""
    made(tmp_path, "real/a.py")
    (tmp_path / "also").symlink_to("real")
    (tmp_path / "b.py").symlink_to("real/a.py")
    assert names(tmp_path) == ["also/a.py", "b.py", "real/a.py"]


def test_an_ignored_link_is_not_followed(tmp_path: Path) -> None:
    """Naming it in the ignore file is the way out."""
    made(tmp_path / "code", "a.py")
    outward(tmp_path / "code")
    (tmp_path / "code" / ".amlignore").write_text("link\n")
    assert names(tmp_path / "code") == [".amlignore", "a.py"]


def test_a_folder_that_is_surely_not_meant_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home or a root folder would keep a plan busy for minutes."""
    monkeypatch.setattr("ctrain.pipeline.snapshot.MOST_FILES", 2)
    assert len(code_files(made(tmp_path, "a", "b"))) == 2
    with pytest.raises(PipelineError, match="is too large"):
        code_files(made(tmp_path, "c"))


# -- the digest of a pipeline

SHAPE = "component_job"
CODE = "components/src"


def copied(folder: Path) -> Path:
    shutil.copytree(SHAPES / SHAPE, folder)
    return folder


def digest(folder: Path) -> str:
    return read_pipeline(folder / "pipeline.yml").code


def test_the_same_tree_anywhere_has_the_same_digest(tmp_path: Path) -> None:
    """Neither the place nor the times count."""
    one, two = copied(tmp_path / "one"), copied(tmp_path / "deep" / "er" / "two")
    for file in two.rglob("*.py"):
        file.touch()
    assert digest(one) == digest(two)


def append(path: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with (folder / path).open("a") as file:
            file.write("# changed\n")

    return change


def rename(folder: Path) -> None:
    (folder / CODE / "keep.log").rename(folder / CODE / "kept.py")


@pytest.mark.parametrize(
    "change",
    [
        append("pipeline.yml"),
        append("components/listing.yml"),
        append("components/list.yml"),
        append(f"{CODE}/list_files.py"),
        append(f"{CODE}/shared/word.txt"),
        append(f"{CODE}/.amlignore"),
        rename,
    ],
)
def test_whatever_the_pipeline_is_made_of_changes_the_digest(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Its YAML, its components', their code, and what a file is called."""
    folder = copied(tmp_path / "p")
    before = digest(folder)
    change(folder)
    assert digest(folder) != before


@pytest.mark.parametrize(
    "change",
    [
        append(f"{CODE}/run.log"),
        append(f"{CODE}/private/notes.txt"),
        append("data/x.txt"),
        append("expected.json"),
        lambda folder: made(folder, f"{CODE}/__pycache__/x.pyc", f"{CODE}/.ctrain/y", "other.yml"),
    ],
)
def test_nothing_else_does(tmp_path: Path, change: Callable[[Path], object]) -> None:
    """Ignored files, data (pinned apart), and what only lies beside."""
    folder = copied(tmp_path / "p")
    before = digest(folder)
    change(folder)
    assert digest(folder) == before


def test_a_conda_file_changes_the_digest(tmp_path: Path) -> None:
    """An environment's files are part of the pipeline."""
    shutil.copytree(SHAPES / "regression_chain", tmp_path / "p")
    before = digest(tmp_path / "p")
    append("conda.yml")(tmp_path / "p")
    assert digest(tmp_path / "p") != before
