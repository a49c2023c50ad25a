"""Setting ctrain up, for real: from the lock that `ctrain init` writes, by hash, and from the cache the second time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.ci.runner.azure_pipelines import AzureDevOps
from tests.ci.runner.github import GitHub
from tests.ci.runner.stories import CHECKOUT
from tests.e2e.repository import Repository, environment
from tests.e2e.tiny import tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]

GITHUB = """\
on: push
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@0000000000000000000000000000000000000000
        with: {persist-credentials: false}
      - uses: $/.github/actions/ctrain-setup
        with: {source: ctrain}
      - run: command -v ctrain && ctrain --version && ctrain validate
"""
DEVOPS = """\
stages:
  - stage: one
    jobs:
      - job: one
        steps:
          - template: .azure-pipelines/ctrain/setup.yml
            parameters:
              settings: {pythonVersion: "3.11", requirements: requirements/ctrain.txt, source: ctrain, packageFeed: ""}
          - bash: command -v ctrain && ctrain --version && ctrain validate
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The tiny project with both CIs' files, and ctrain's source beside it, as no index has it."""
    made = tiny(tmp_path / "user")
    said = made.ctrain("init", "--yes", "--backend", "local", "--ci", "github", "--ci", "azure-devops")
    assert said.code == 0, said.err
    for name in (
        "src",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".github",
        ".azure-pipelines",
        "requirements",
        "pipelines",
    ):
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(
                source, made.root / "ctrain" / name, ignore=shutil.ignore_patterns("__pycache__", ".ctrain")
            )
        else:
            shutil.copy2(source, made.root / "ctrain" / name)
    (made.root / ".github" / "workflows" / "one.yml").write_text(GITHUB)
    (made.root / "azure-pipelines.yml").write_text(DEVOPS)
    made.commit("Begin")
    return made


def machine(home: Path) -> Mapping[str, str]:
    """A fresh job's, which knows this machine's package index and nothing else of it."""
    config = Path("~/.config").expanduser()
    return {**environment(), "HOME": str(home), "XDG_CONFIG_HOME": str(config), "PATH": os.environ["PATH"]}


def test_github_installs_what_the_lock_pins(repository: Repository, tmp_path: Path) -> None:
    """The second run finds the packages in the cache."""
    hub = GitHub(repository.root, tmp_path / "hub", machine(tmp_path))
    for _ in range(2):
        (run,) = [one for one in hub.push() if one.workflow.file.name == "one.yml"]
        assert run.wait().conclusion == "success", run.text()
        lines = run.jobs["one"].log.lines
        assert any(line.startswith(str(run.jobs["one"].temporary)) and line.endswith("/bin/ctrain") for line in lines)
        (kept,) = hub.cache.folder.glob("*/temp/ctrain-uv")
        assert any(kept.iterdir())


def test_azure_devops_installs_what_the_lock_pins(repository: Repository, tmp_path: Path) -> None:
    """By the same script; the path is the only thing that the step may set."""
    hub = AzureDevOps(repository.root, tmp_path / "hub", machine(tmp_path))
    (build,) = hub.push()

    assert build.wait().result == "Succeeded", build.text()
    job = build.jobs["one.one"]
    assert [one.event for one in job.log.commands] == ["prependpath"]
    assert job.log.refused == []
