"""The texts of a user's CI files, about twenty lines each, and the building blocks that they call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ctrain.errors import UsageError
from ctrain.starter import shelf

_BLOCKS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9][A-Za-z0-9._-]*@[0-9a-f]{40}")


@dataclass(frozen=True)
class Setting:
    """What the CI files say of the project. `blocks` is where the building blocks are: empty for a copy of one's own,
    else OWNER/REPOSITORY@COMMIT. `source` is what is installed beside the lock, if anything is; `requirements` the
    lock, where it is another than requirements/ctrain.txt."""

    project: str
    file: str
    branch: str
    stages: tuple[str, ...]
    backend: Literal["local", "azureml"]
    blocks: str = ""
    source: str = ""
    version: str = ""
    requirements: str = ""

    def __post_init__(self) -> None:
        if self.blocks and not _BLOCKS.fullmatch(self.blocks):
            raise UsageError(
                f"{self.blocks!r} names no building blocks",
                why="they are named by repository and commit, as a tag or branch can be moved by others",
                hint="write OWNER/REPOSITORY@ and the 40 digits of a commit",
            )


def github(setting: Setting) -> str:
    """A workflow that calls ctrain's."""
    owner, _, commit = setting.blocks.partition("@")
    uses = f"{owner}/.github/workflows/ctrain.yml@{commit} # v{setting.version}" if setting.blocks else ""
    lines = [
        "name: training",
        "on:",
        "  pull_request:",
        f"  push: {{branches: [{_quoted(setting.branch)}]}}",
        f"  schedule: [{{cron: {_quoted(_weekly(setting.project))}}}]",
        "  workflow_dispatch:",
        "  repository_dispatch: {types: [data, model, drift]}",
        "permissions: {}",
        "concurrency: # a newer push to a pull request cancels the older run; nothing that deploys is ever cancelled",
        "  group: training-${{ github.event.pull_request.number || github.run_id }}",
        "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
        "jobs:",
        "  ctrain:",
        "    permissions: {contents: read, id-token: write, pull-requests: write, checks: write, deployments: write}",
        f"    uses: {uses or '$/.github/workflows/ctrain.yml'}",
        "    with:",
        f"      file: {_quoted(setting.file)}",
        f"      backend: {setting.backend}",
        *([f"      source: {_quoted(setting.source)}"] if setting.source else []),
        *([f"      requirements: {setting.requirements}"] if setting.requirements else []),
    ]
    return "\n".join(lines) + "\n"


def azure_devops(setting: Setting) -> str:
    """A pipeline that extends ctrain's template."""
    owner, _, commit = setting.blocks.partition("@")
    name = _quoted(setting.branch)
    resources = [
        "resources:",
        "  repositories: # `endpoint` is the service connection to GitHub",
        f"    - {{repository: ctrain, type: github, name: {owner}, ref: refs/tags/v{setting.version},",
        f"      endpoint: github}} # the tag has to be {commit}",
    ]
    connect = setting.backend == "azureml"
    lines = [
        f"trigger: {{branches: {{include: [{name}]}}}}",
        'pr: {branches: {include: ["*"]}} # on Azure Repos a build validation policy of the branch does this',
        "schedules:",
        f'  - {{cron: {_quoted(_weekly(setting.project))}, displayName: train anew, always: "true",',
        f"    branches: {{include: [{name}]}}}}",
        *(resources if setting.blocks else []),
        "extends:",
        f"  template: .azure-pipelines/{'ctrain.yml@ctrain' if setting.blocks else 'ctrain/ctrain.yml'}",
        "  parameters:",
        f"    file: {_quoted(setting.file)}",
        f"    backend: {setting.backend}",
        *(["    serviceConnection: ctrain-train # with workload identity federation"] if connect else []),
        *([f"    source: {_quoted(setting.source)}"] if setting.source else []),
        *([f"    requirements: {setting.requirements}"] if setting.requirements else []),
        "    stages:" if setting.stages else "    stages: []",
        *(_stage(stage, connect=connect) for stage in setting.stages),
    ]
    return "\n".join(lines) + "\n"


def github_blocks() -> dict[str, str]:
    """ctrain's workflows and action, as a repository of its own has them."""
    return {
        target: shelf.text(source).replace("$/.github/actions/setup", "$/.github/actions/ctrain-setup")
        for source, target in shelf.GITHUB.items()
    }


def azure_blocks() -> dict[str, str]:
    """ctrain's templates, as a repository of its own has them."""
    return {target: shelf.text(source) for source, target in shelf.AZURE.items()}


def lock() -> str:
    """All that ctrain needs, by hash."""
    return shelf.text(shelf.LOCK)


def _stage(name: str, *, connect: bool) -> str:
    return f"      - {{name: {name}, serviceConnection: ctrain-{name}}}" if connect else f"      - {{name: {name}}}"


def _weekly(project: str) -> str:
    """Once a week, at a minute of its own: at full hours CI services are busy, and may start late."""
    minute = sum(project.encode()) % 59 + 1
    return f"{minute} 3 * * 1"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", text) else '"' + text.replace('"', "") + '"'
