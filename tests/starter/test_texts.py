"""What is written holds for every name, and is read back as it was meant."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ctrain.project import load_project
from ctrain.project.checks import ENDPOINT
from ctrain.serving import WorkspaceAddress
from ctrain.starter import mark
from ctrain.starter.choices import Chosen, Task
from ctrain.starter.project_text import endpoint, project_text
from ctrain.starter.survey import Host, host_of

NAME = st.from_regex(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,40}", fullmatch=True)
CHOSEN = Chosen(
    name="visits",
    branch="main",
    pipeline="train.yml",
    data_input="training_data",
    data_local="data/visits.parquet",
    data_azureml="",
    row_id="row_id",
    label="visited",
    task="binary",
    model_output="model",
    evaluation_output="evaluation",
    champion=True,
    scoring=None,
    stages=("dev", "test", "prod"),
    workspace=None,
    sample=True,
    guessed=frozenset(),
)


@settings(max_examples=50)
@given(project=NAME, stage=st.from_regex(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,10}", fullmatch=True))
def test_endpoints_are_named_by_azures_rule(project: str, stage: str) -> None:
    """Whatever the project is called."""
    assert ENDPOINT.fullmatch(endpoint(project, stage))


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None)
@given(label=_TEXT, row_id=_TEXT, path=_TEXT)
def test_every_name_is_read_back(label: str, row_id: str, path: str) -> None:
    """YAML's own words, quotes and colons among them."""
    assume(len({label, row_id, "prediction", "champion_prediction"}) == 4)
    path = path.strip() or "rows.csv"
    chosen = replace(CHOSEN, label=label, row_id=row_id, data_local=path, champion=False, scoring="scoring")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ctrain.yaml")
        file.write_text(project_text(chosen), encoding="utf-8")
        project = load_project(file)

    assert (project.evaluation.label, project.evaluation.row_id, project.data.local) == (label, row_id, path)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("sample", [True, False])
@pytest.mark.parametrize("workspace", [None, WorkspaceAddress("0123", "ml team", "visits")])
def test_every_kind_of_project_is_accepted(
    tmp_path: Path, task: Task, sample: bool, workspace: WorkspaceAddress | None
) -> None:
    """With rules that can block, and a workspace where one is known."""
    chosen = replace(CHOSEN, task=task, sample=sample, workspace=workspace, branch="trunk", scoring="scoring")
    (tmp_path / "ctrain.yaml").write_text(project_text(chosen), encoding="utf-8")

    project = load_project(tmp_path / "ctrain.yaml")

    assert (project.evaluation.task, project.branch) == (task, "trunk")
    assert (project.backends.azureml.address if project.backends.azureml else None) == workspace
    assert (project.data.sample is not None) is sample


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\r")))
def test_a_mark_tells_whether_a_text_was_changed(text: str) -> None:
    """By nobody: ours. By anybody, were it a blank: not any more."""
    made = mark.marked(text, "1.2.3")

    assert mark.ours(made)
    assert mark.ours(made.replace("\n", "\r\n"))
    assert not mark.ours(made + " ")
    assert mark.written(made + " ")
    assert not mark.written(text)


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("https://github.com/acme/visits.git", Host.GITHUB),
        ("git@github.com:acme/visits.git", Host.GITHUB),
        ("ssh://git@ssh.github.com:443/acme/visits.git", Host.GITHUB),
        ("https://acme@dev.azure.com/acme/ml/_git/visits", Host.AZURE_DEVOPS),
        ("git@ssh.dev.azure.com:v3/acme/ml/visits", Host.AZURE_DEVOPS),
        ("https://acme.visualstudio.com/ml/_git/visits", Host.AZURE_DEVOPS),
        ("https://git.example.org/github.com/visits", None),
        ("https://github.com.example.org/acme/visits", None),
        ("/srv/git/visits.git", None),
        ("", None),
    ],
)
def test_the_host_is_told_by_the_remote(remote: str, host: Host | None) -> None:
    """By its name alone, wherever else that stands."""
    assert host_of(remote) is host
