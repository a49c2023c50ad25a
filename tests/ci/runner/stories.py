"""A user's repository on a CI that this process plays: the tiny project, and CI files that `ctrain init` writes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ci.runner.actions import VENV
from tests.ci.runner.azure_pipelines import AzureDevOps
from tests.ci.runner.github import GitHub
from tests.ci.runner.job import JobRun
from tests.ci.services import devops as devops_service
from tests.ci.services.devops import DevOps as DevOpsService
from tests.ci.services.github import GitHub as GitHubService
from tests.e2e.repository import Repository, environment
from tests.e2e.tiny import CONFIGURATION, tiny

CHECKOUT = Path(__file__).parents[3]
PUBLISHED = "acme/ctrain"
"""Where the building blocks are, for a repository that does not have its own copy."""
BLOCKS = f"{PUBLISHED}@{'0' * 40}"
STAGES = "dev,prod"


@dataclass(frozen=True)
class OnGitHub:
    """The repository, and GitHub as it sees it. What ctrain keeps is on this machine, whichever job runs."""

    repository: Repository
    hub: GitHub

    def change(self, branch: str, old: str, new: str, file: str = "ctrain.yaml") -> None:
        """A commit on a branch of that name, off main; main is checked out afterwards."""
        _change(self.repository, branch, old, new, file)


@dataclass(frozen=True)
class OnDevOps:
    """The same on Azure DevOps."""

    repository: Repository
    hub: AzureDevOps

    def change(self, branch: str, old: str, new: str, file: str = "ctrain.yaml") -> None:
        _change(self.repository, branch, old, new, file)


def on_github(
    root: Path, service: GitHubService, *words: str, changed: Mapping[str, str] | None = None, **settings: Any
) -> OnGitHub:
    """`words` are for `ctrain init`. ctrain is not installed anew in every job: a story of its own does that."""
    repository, machine = _repository(root, ["--ci", "github", *words], changed or {})
    return put_on_github(repository, root / "github", service, machine, **settings)


def put_on_github(
    repository: Repository, home: Path, service: GitHubService, machine: Mapping[str, str], **settings: Any
) -> OnGitHub:
    """A repository that has its CI files, with the environment of a fresh job."""

    def tell(token: str, job: JobRun) -> None:
        service.tokens[token] = job.permissions

    setup = dict.fromkeys((".github/actions/setup", ".github/actions/ctrain-setup"), _at_hand)
    wanted = {
        "published": {PUBLISHED: CHECKOUT},
        "instead": setup,
        "api_url": service.url,
        "on_token": tell,
        **settings,
    }
    return OnGitHub(repository, GitHub(repository.root, home, machine, **wanted))


def on_devops(
    root: Path, service: DevOpsService, *words: str, changed: Mapping[str, str] | None = None, **settings: Any
) -> OnDevOps:
    """The same."""
    repository, machine = _repository(root, ["--ci", "azure-devops", *words], changed or {})
    return put_on_devops(repository, root / "devops", service, machine, **settings)


def put_on_devops(
    repository: Repository, home: Path, service: DevOpsService, machine: Mapping[str, str], **settings: Any
) -> OnDevOps:
    """The same."""
    setup = {"Install ctrain": lambda job: job.log.paths.append(str(VENV))}
    there = {"System.CollectionUri": f"{service.url}/team/", "Build.Repository.ID": devops_service.REPOSITORY}
    wanted = {"published": {PUBLISHED: CHECKOUT}, "instead": setup, "token": devops_service.TOKEN, **settings}
    wanted["predefined_more"] = {**there, "System.TeamProjectId": devops_service.PROJECT}
    return OnDevOps(repository, AzureDevOps(repository.root, home, machine, **wanted))


def _at_hand(job: JobRun) -> None:
    job.paths.append(str(VENV))


def _repository(root: Path, words: list[str], changed: Mapping[str, str]) -> tuple[Repository, Mapping[str, str]]:
    home = {"CTRAIN_HOME": str(root / "platform")}
    made = Repository(tiny(root / "user", {"ctrain.yaml": CONFIGURATION, **changed}).root, home)
    said = made.ctrain("init", "--yes", "--backend", "local", "--stages", STAGES, *words)
    assert said.code == 0, said.err
    made.commit("Begin with ctrain")
    return made, {**environment(), **home, "HOME": str(root), "PATH": os.environ["PATH"]}


def _change(repository: Repository, branch: str, old: str, new: str, file: str) -> None:
    repository.git("checkout", "--quiet", "-B", branch, "main")
    repository.edit(file, old, new)
    repository.git("checkout", "--quiet", "main")


def until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait for something to become true."""
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)
