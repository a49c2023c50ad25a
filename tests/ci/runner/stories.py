"""A user's repository on a CI that this process plays: the tiny project, its own CI file, and ours as published."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ci.runner.actions import VENV
from tests.ci.runner.azure_pipelines import AzureDevOps
from tests.ci.runner.github import GitHub
from tests.e2e.repository import Repository, environment
from tests.e2e.tiny import tiny

CHECKOUT = Path(__file__).parents[3]
GITHUB_FILE = ".github/workflows/ctrain.yml"
DEVOPS_FILE = "azure-pipelines.yml"


@dataclass(frozen=True)
class OnGitHub:
    """The repository, and GitHub as it sees it. What ctrain keeps is on this machine, whichever job runs."""

    repository: Repository
    hub: GitHub


@dataclass(frozen=True)
class OnDevOps:
    """The same on Azure DevOps."""

    repository: Repository
    hub: AzureDevOps


def on_github(root: Path, file: str, changed: Mapping[str, str] | None = None, **variables: str) -> OnGitHub:
    """The tiny project with this CI file. ctrain is not installed anew in every job: a story of its own does that."""
    repository, machine = _repository(root, {GITHUB_FILE: file, **(changed or {})}, variables)
    name = re.search(r"uses: ([\w-]+/[\w.-]+)/\.github/workflows/ctrain\.yml@", file)
    assert name, file
    hub = GitHub(
        repository.root,
        root / "github",
        machine,
        published={name[1]: CHECKOUT},
        instead={".github/actions/setup": lambda job: job.paths.append(str(VENV))},
    )
    return OnGitHub(repository, hub)


def on_devops(root: Path, file: str, changed: Mapping[str, str] | None = None, **variables: str) -> OnDevOps:
    """The tiny project with this CI file, on Azure DevOps."""
    repository, machine = _repository(root, {DEVOPS_FILE: file, **(changed or {})}, variables)
    name = re.search(r"name: ([\w-]+/[\w.-]+)", file)
    assert name, file
    hub = AzureDevOps(
        repository.root,
        root / "devops",
        machine,
        published={name[1]: CHECKOUT},
        instead={"Install ctrain": lambda job: job.log.paths.append(str(VENV))},
    )
    return OnDevOps(repository, hub)


def _repository(
    root: Path, changed: Mapping[str, str], variables: Mapping[str, str]
) -> tuple[Repository, Mapping[str, str]]:
    home = {"CTRAIN_HOME": str(root / "platform")}
    made = tiny(root / "user", changed)
    machine = {**environment(), **home, **variables, "HOME": str(root), "PATH": os.environ["PATH"]}
    return Repository(made.root, {**home, **variables}), machine


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)
