"""One digest for a file's or folder's content."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.digest import Entry, combined_digest, tree_digest
from ctrain.errors import DataError, UsageError


def a_tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_files_digest_is_its_sha256(tmp_path: Path) -> None:
    """As `sha256sum` prints it, so that anybody can check."""
    (tmp_path / "x").write_bytes(b"abc")
    assert tree_digest(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folders_digest_is_as_documented(tmp_path: Path) -> None:
    """`path NUL size NUL sha256 LF` in path order, computed here by hand."""
    a_tree(tmp_path, {"b": b"2", "a/z": b"11"})
    lines = [("a/z", b"11"), ("b", b"2")]
    by_hand = "".join(f"{name}\0{len(text)}\0{hashlib.sha256(text).hexdigest()}\n" for name, text in lines)
    assert tree_digest(tmp_path) == hashlib.sha256(by_hand.encode()).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [{"a": b"1", "b": b"3"}, {"a": b"1", "c": b"2"}, {"a": b"1"}, {"a": b"1", "d/b": b"2"}, {"a": b"12", "b": b""}],
)
def test_any_change_of_content_changes_the_digest(tmp_path: Path, changed: dict[str, bytes]) -> None:
    """Bytes, names, places, and which files there are."""
    one, two = a_tree(tmp_path / "one", {"a": b"1", "b": b"2"}), a_tree(tmp_path / "two", changed)
    assert tree_digest(one) != tree_digest(two)


@given(st.permutations([Entry("a", 1, "x"), Entry("a/b", 2, "y"), Entry("é", 3, "z"), Entry("a.b", 4, "w")]))
def test_the_order_in_which_files_are_found_does_not_count(entries: list[Entry]) -> None:
    """File systems list as they like."""
    assert combined_digest(entries) == combined_digest(sorted(entries, key=lambda entry: entry.size))


def test_what_loading_a_model_leaves_behind_does_not_count(tmp_path: Path) -> None:
    """MLflow writes `registered_model_meta` into a folder that it loads, and Python its caches."""
    a_tree(tmp_path, {"MLmodel": b"flavors: {}", "code/a.py": b""})
    before = tree_digest(tmp_path)
    a_tree(tmp_path, {"registered_model_meta": b"name: m", "code/__pycache__/a.pyc": b"\0"})
    assert tree_digest(tmp_path) == before


def test_a_link_within_the_tree_counts_as_what_it_points_to(tmp_path: Path) -> None:
    """A copy that follows links has the same digest."""
    one = a_tree(tmp_path / "one", {"a": b"1", "b": b"1", "d/x": b"2", "e/x": b"2"})
    two = a_tree(tmp_path / "two", {"a": b"1", "d/x": b"2"})
    (two / "b").symlink_to("a")
    (two / "e").symlink_to("d")
    assert tree_digest(one) == tree_digest(two)


@pytest.mark.parametrize(
    ("target", "why"), [("../out", "could change"), (".", "points to a folder it is in"), ("gone", "leads nowhere")]
)
def test_a_link_that_cannot_be_pinned_is_refused(tmp_path: Path, target: str, why: str) -> None:
    """Out of the tree, in a circle, or into nothing."""
    (tmp_path / "out").write_text("x")
    tree = a_tree(tmp_path / "tree", {"a": b"1"})
    (tree / "link").symlink_to(target)
    with pytest.raises(UsageError, match=why):
        tree_digest(tree)


def test_what_is_no_file_is_refused_as_the_callers_error(tmp_path: Path) -> None:
    """A socket has no content, and a missing path neither."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(DataError, match="no regular file"):
            tree_digest(tmp_path, DataError)
    with pytest.raises(DataError, match="does not exist"):
        tree_digest(tmp_path / "gone", DataError)
