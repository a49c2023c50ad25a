"""What a job left is brought here whole and safely, or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ctrain.backends.azureml import outputs
from ctrain.backends.azureml.addresses import StorePath
from ctrain.backends.azureml.outputs import Outputs, local_name
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.digest import tree_digest
from ctrain.errors import CtrainError, NotAllowed, PlatformUnavailable, TrainingFailed
from tests.azure.loopback import Loopback
from tests.backends.azureml.published import upload

FOLDER = StorePath("workspaceblobstore", "azureml/run/model/")
FILES = {"MLmodel": b"flavors: {}", "data/model.pkl": b"\x00" * 70_000, "data/deep/empty": b""}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def fetch(workspace: AzureWorkspace, cache: Path, place: StorePath = FOLDER) -> Path:
    return Outputs(workspace).fetch("ctrain-a-1", "model", place, cache)


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_comes_as_it_is(workspace: AzureWorkspace, cache: Path, tmp_path: Path) -> None:
    """All files with their content, and none from beside it."""
    upload(workspace, "azureml/run/model", FILES)
    upload(workspace, "azureml/run", {"model2/other": b"x", "model.txt": b"x"})

    got = fetch(workspace, cache)

    assert tree_digest(got) == tree_digest(written(tmp_path / "there", FILES))


def test_a_file_comes_as_a_file(workspace: AzureWorkspace, cache: Path) -> None:
    """Under its own name, and without those whose names begin as its does."""
    upload(workspace, "azureml/run/rows", {"scored.csv": b"row_id\n1\n", "scored.csv.old": b"x"})

    got = fetch(workspace, cache, StorePath("workspaceblobstore", "azureml/run/rows/scored.csv"))

    assert (got.name, got.read_bytes()) == ("scored.csv", b"row_id\n1\n")


def test_what_was_fetched_is_not_fetched_again(workspace: AzureWorkspace, cache: Path, azure: Loopback) -> None:
    """Unless it has changed: then it is another folder."""
    upload(workspace, "azureml/run/model", FILES)
    first = fetch(workspace, cache)
    mark = azure.mark()
    again = fetch(workspace, cache)
    read = [call for call in azure.calls(since=mark) if "/azureml/run/model/" in call["path"]]
    upload(workspace, "azureml/run/model", {"MLmodel": b"flavors: {python_function: {}}"})

    assert (first, read) == (again, [])
    assert fetch(workspace, cache) != first


def test_a_fetch_that_broke_off_goes_on(
    workspace: AzureWorkspace, cache: Path, azure: Loopback, tmp_path: Path
) -> None:
    """Nothing is there under the output's name until all is; what came is not fetched again."""
    upload(workspace, "azureml/run/model", FILES)
    azure.fault("answer", method="GET", path=".*/MLmodel.*", times=None, status=403)
    with pytest.raises(NotAllowed):
        fetch(workspace, cache)
    halfway = [entry.name for entry in cache.iterdir() if entry.suffix not in {".partial", ".parts"}]
    (next(cache.glob("*.parts")) / "left-behind").write_bytes(b"x")
    azure.clear_faults()
    mark = azure.mark()

    got = fetch(workspace, cache)

    assert halfway == []
    assert not [call for call in azure.calls(since=mark) if call["path"].endswith("/model.pkl")]
    assert tree_digest(got) == tree_digest(written(tmp_path / "there", FILES))
    assert [entry.name for entry in cache.iterdir()] == [got.name]


# a connection that the other side broke is closed by the garbage collector, which says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("act", ["truncate", "reset during", "reset before"])
def test_an_answer_that_breaks_off_is_asked_again(
    workspace: AzureWorkspace, cache: Path, azure: Loopback, act: str
) -> None:
    """A file is whole, or not there."""
    upload(workspace, "azureml/run/model", FILES)
    azure.fault(act, method="GET", path=".*/model.pkl.*", times=1)

    try:
        got = fetch(workspace, cache)
    except CtrainError:
        got = fetch(workspace, cache)

    assert (got / "data" / "model.pkl").read_bytes() == FILES["data/model.pkl"]


@pytest.mark.parametrize(
    "name",
    ["../up", "a/../../up", "a/..", "./x", "a//b", "/etc/passwd", "a\\..\\b", "C:/Windows", "c:x", "a\nb", "a\x00b",
     "a\x1b[2J", "x" * 256, ".."],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    """Whoever wrote the output chose these names."""
    with pytest.raises(TrainingFailed, match="plain relative path"):
        local_name(f"azureml/run/model/{name}", FOLDER)


@pytest.mark.parametrize("name", ["a", "a/b.c", ".hidden", "a b", "ä/ö", "ab:c", "...", "x" * 255])
def test_a_plain_name_stays(name: str) -> None:
    """Below the output's folder."""
    assert local_name(f"azureml/run/model/{name}", FOLDER) == name


def test_a_bad_name_in_storage_stops_it_all(workspace: AzureWorkspace, cache: Path, tmp_path: Path) -> None:
    """Before anything is written."""
    upload(workspace, "azureml/run/model", {**FILES, "a\\..\\..\\..\\up": b"x"})

    with pytest.raises(TrainingFailed):
        fetch(workspace, cache)
    assert not cache.exists()


@pytest.mark.parametrize(("limit", "most"), [("MOST_FILES", 2), ("MOST_BYTES", 60_000)])
def test_what_is_too_large_is_refused(
    workspace: AzureWorkspace, cache: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """With what to do about it, and before anything is fetched."""
    upload(workspace, "azureml/run/model", FILES)
    monkeypatch.setattr(outputs, limit, most)

    with pytest.raises(TrainingFailed, match="too large"):
        fetch(workspace, cache)
    assert not cache.exists()


def test_an_output_that_is_gone_is_said_to_be(workspace: AzureWorkspace, cache: Path) -> None:
    """Storage has its own rules for what is old."""
    with pytest.raises(TrainingFailed, match="is gone"):
        fetch(workspace, cache, StorePath("workspaceblobstore", "azureml/other/model/"))
    with pytest.raises(TrainingFailed, match="in no blob store"):
        fetch(workspace, cache, StorePath("nowhere", "azureml/other/model/"))


def test_a_datastore_that_is_listed_is_not_taken_for_gone(
    workspace: AzureWorkspace, cache: Path, azure: Loopback
) -> None:
    """One 404 in a bad moment, and what an hour of training made would count as lost."""
    upload(workspace, "azureml/run/model", FILES)
    azure.fault("answer", status=404, method="GET", path=r".*/datastores/workspaceblobstore(\?.*)?")

    assert (fetch(workspace, cache) / "MLmodel").is_file()


def test_what_is_no_datastore_is_no_answer(workspace: AzureWorkspace, cache: Path, azure: Loopback) -> None:
    """An answer from who knows whom says nothing of what the training made."""
    upload(workspace, "azureml/run/model", FILES)
    path = r".*/datastores/workspaceblobstore(\?.*)?"
    azure.fault("answer", status=200, body={"value": "something else"}, method="GET", path=path)

    with pytest.raises(PlatformUnavailable, match="could not be used"):
        fetch(workspace, cache)


def test_what_nobody_asked_for_is_forgotten(workspace: AzureWorkspace, cache: Path) -> None:
    """After two weeks; the cache does not grow without end."""
    old, recent = cache / "old", cache / "recent"
    for folder in (old, recent):
        folder.mkdir(parents=True)
    long_ago = time.time() - outputs.KEPT_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    upload(workspace, "azureml/run/model", FILES)

    fetch(workspace, cache)

    assert (old.exists(), recent.exists()) == (False, True)
