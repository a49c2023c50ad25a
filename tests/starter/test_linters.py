"""CI files, ours and all that `ctrain init` writes, have nothing that a linter or a schema minds."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctrain.starter.ci_text import Setting, azure_blocks, azure_devops, github, github_blocks
from tests.starter import linting

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIVE = ("dev", "test", "staging", "pre-prod", "prod")
OWNED = 25
"""Lines that a user has to own, at most."""


def _settings() -> Iterator[tuple[str, Setting]]:
    for backend in ("local", "azureml"):
        for blocks in ("", f"acme/ctrain@{COMMIT}"):
            for stages in ((), ("prod",), ("dev", "test", "prod"), FIVE):
                setting = Setting(
                    project="medical-visits",
                    file="models/visits/ctrain.yaml",
                    branch="release/2026#on",
                    stages=stages,
                    backend="local" if backend == "local" else "azureml",
                    blocks=blocks,
                    source=f"git+https://github.com/acme/ctrain@{COMMIT}",
                    version="0.1.0",
                )
                yield f"{backend}-{'called' if blocks else 'copied'}-{len(stages)}", setting


SETTINGS = dict(_settings())


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A repository for each setting, with the files of both CIs."""
    made = []
    for name, setting in SETTINGS.items():
        root = tmp_path_factory.mktemp(name)
        (root / ".git").mkdir()
        files = {".github/workflows/training.yml": github(setting), "azure-pipelines.yml": azure_devops(setting)}
        if not setting.blocks:
            files |= github_blocks() | azure_blocks()
        for file, text in files.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text, encoding="utf-8")
        made.append(root)
    return made


def test_actionlint_minds_nothing(repositories: list[Path]) -> None:
    """Ours, and every flavour of a user's."""
    assert "".join(linting.actionlint(root) for root in [ROOT, *repositories]) == ""


def test_zizmor_minds_nothing(repositories: list[Path]) -> None:
    """No finding, of any severity."""
    assert linting.zizmor(ROOT / ".github", *(root / ".github" for root in repositories)) == ""


def test_the_schemas_mind_nothing(repositories: list[Path], tmp_path: Path) -> None:
    """Of GitHub's workflows and actions, and of Azure Pipelines."""
    assert linting.schemas([ROOT, *repositories], tmp_path) == ""


def test_the_linters_do_mind(tmp_path: Path) -> None:
    """Each of them fails for what it is there for: else the tests above could not."""
    workflow = tmp_path / ".github" / "workflows" / "bad.yml"
    workflow.parent.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    script = "echo ${{ github.event.pull_request.title }}"
    workflow.write_text(
        f"on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{{run: '{script}'}}]\n    bad: 1\n"
    )

    found = linting.actionlint(tmp_path), linting.zizmor(tmp_path), linting.schemas([tmp_path], tmp_path)

    assert all(found), found
    (tmp_path / "azure-pipelines.yml").write_text("stages: [{stage: a, jobs: [{job: b, stepss: []}]}]\n")
    workflow.unlink()
    assert linting.schemas([tmp_path], tmp_path)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_user_owns_about_twenty_lines(setting: Setting) -> None:
    """With five stages and everything, at most 25 of each CI, comments counted."""
    assert max(len(text.splitlines()) + 1 for text in (github(setting), azure_devops(setting))) <= OWNED


def _workflow(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / ".github" / name).read_text(encoding="utf-8"))
    return content


def _steps() -> Iterator[dict[str, Any]]:
    yield from _workflow("actions/setup/action.yml")["runs"]["steps"]
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in _workflow(f"workflows/{file.name}")["jobs"].values():
            yield from job.get("steps", [])


def test_every_action_is_pinned_by_digest() -> None:
    """By a whole commit, with its version beside it."""
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / ".github").rglob("*.yml")]
    used = [line for text in texts for line in re.findall(r"uses: (.+)", text)]

    assert used
    assert not [it for it in used if not re.fullmatch(r"(\$/\S+|\S+@[0-9a-f]{40} # v[0-9.]+)", it)]


def test_ctrain_gets_signals() -> None:
    """GitHub and Azure Pipelines signal the shell only: ctrain takes its place."""
    runs = [step["run"] for step in _steps() if re.search(r"^(exec )?ctrain ", step.get("run", ""), re.MULTILINE)]
    templates = [file.read_text(encoding="utf-8") for file in (ROOT / ".azure-pipelines").glob("*.yml")]
    runs += [run for text in templates for run in re.findall(r"^ +run: (ctrain.*|exec ctrain.*)$", text, re.MULTILINE)]

    assert len(runs) > 8
    assert not [run for run in runs if not run.splitlines()[-1].startswith("exec ctrain ")]


def test_no_script_has_an_expression() -> None:
    """Values come by the environment: text in a script is run."""
    templates = [file.read_text(encoding="utf-8") for file in (ROOT / ".azure-pipelines").glob("*.yml")]
    scripts = [run for text in templates for run in re.findall(r"(?:run|bash): (.*(?:\n {6,}.*)*)", text)]
    inline = [script for script in scripts if "${{ parameters.run }}" not in script.partition("\n")[0]]

    assert not [step["run"] for step in _steps() if "${{" in step.get("run", "")]
    assert not [script for script in inline if "${{" in script.partition("displayName")[0].partition("settings:")[0]]


def test_both_ci_set_ctrain_up_by_the_same_script() -> None:
    """Apart from where their folders are and how the PATH is told."""
    steps = _workflow("actions/setup/action.yml")["runs"]["steps"]
    ours = next(step["run"] for step in steps if step["name"] == "Install ctrain")
    template = yaml.safe_load((ROOT / ".azure-pipelines" / "setup.yml").read_text(encoding="utf-8"))
    theirs = next(step["bash"] for step in template["steps"] if step.get("displayName") == "Install ctrain")
    index = 'if [ -n "$INDEX_URL" ]; then\n  export PIP_INDEX_URL="$INDEX_URL" UV_DEFAULT_INDEX="$INDEX_URL"\nfi\n'
    expected = ours.replace(index, "").replace("RUNNER_TEMP", "AGENT_TEMPDIRECTORY")
    expected = expected.replace('echo "$env/bin" >> "$GITHUB_PATH"', 'echo "##vso[task.prependpath]$env/bin"')

    assert theirs == "set -euo pipefail\n" + textwrap.dedent(expected)
