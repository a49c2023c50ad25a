"""`make release` tags what may be released, and nothing else; what is published says what it is made of."""

from __future__ import annotations

import importlib.util
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CHANGELOG = "# Changelog\n\n## [0.2.0] - 2026-11-28\n"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a small repository of version 0.2.0 that may be released."""
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    root = tmp_path / "repository"
    (root / "src" / "ctrain").mkdir(parents=True)
    (root / "src" / "ctrain" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (root / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    monkeypatch.setattr(script, "ROOT", root)
    for name, value in (("NAME", "Anna"), ("EMAIL", "anna@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    return script


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "A commit")


def with_origin(root: Path) -> Path:
    """A repository to push to, which has this commit as its main."""
    origin = root.parent / "origin.git"
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(root, "remote", "add", "origin", str(origin))
    git(root, "push", "--quiet", "origin", "main")
    return origin


def test_it_tags_and_pushes(release: ModuleType) -> None:
    """The version, on the commit that CI has seen."""
    origin = with_origin(release.ROOT)

    release.tag()

    assert git(origin, "tag", "--list") == "v0.2.0"
    assert git(origin, "rev-parse", "v0.2.0^{commit}") == git(release.ROOT, "rev-parse", "HEAD")


def test_without_a_remote_it_tags_nothing(release: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    release.tag()

    assert git(release.ROOT, "tag", "--list") == ""
    assert "no remote" in capsys.readouterr().out


def _no_section(root: Path) -> None:
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [0.2.0] - unreleased\n")
    commit(root)


def _changed(root: Path) -> None:
    (root / "CHANGELOG.md").write_text(CHANGELOG + "\nmore\n")


def _tagged(root: Path) -> None:
    git(root, "tag", "v0.2.0")


def _two_versions(root: Path) -> None:
    (root / "pyproject.toml").write_text('[project]\nversion = "0.3.0"\n')
    commit(root)


def _not_on_main(root: Path) -> None:
    commit(root)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_section, "has no section"),
        (_changed, "not committed"),
        (_tagged, "already"),
        (_two_versions, "different versions"),
        (_not_on_main, "not on origin's main"),
    ],
)
def test_what_may_not_be_released_is_not_tagged(
    release: ModuleType, spoil: Callable[[Path], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a reason, and no tag at the remote."""
    origin = with_origin(release.ROOT)
    spoil(release.ROOT)

    with pytest.raises(SystemExit) as ended:
        release.tag()

    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert git(origin, "tag", "--list") == ""


def test_the_bill_of_materials_has_all_that_is_locked(release: ModuleType) -> None:
    """Each package with its version, a purl and its hashes."""
    lines = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8").splitlines()
    parts = release.sbom("0.2.0")["components"]

    assert len(parts) == sum("==" in line and not line.startswith(" ") for line in lines) > 50
    assert all(part["hashes"] and part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in parts)


def test_a_wheel_with_something_else_in_it_is_refused(release: ModuleType, tmp_path: Path) -> None:
    """Tests, or what a run left in the reference project."""
    wheel = tmp_path / "ctrain-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tests/__init__.py", "")

    with pytest.raises(SystemExit):
        release.contents(wheel)
