"""Reading ctrain.yaml: what is filled in, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.document import MAX_BYTES
from ctrain.errors import ExitCode, ProjectError
from ctrain.project import DataUse, Project, Trigger, find_project, load_project
from ctrain.rollout import DeploymentSettings
from ctrain.serving import ScoringCode, WorkspaceAddress
from tests.project.builders import SMALLEST, a_file, a_loaded_project, places, replaced

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
EXAMPLE = Path(__file__).parents[2] / "docs" / "ctrain.example.yaml"

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_each_mistake_is_told_with_its_line_and_in_words(file: Path) -> None:
    """The file's closing comments say which line is named for each problem, and what must be said of it."""
    lines = file.read_bytes().decode("latin-1").splitlines()
    expected = [line.removeprefix("# expect ") for line in lines if line.startswith("# expect ")]

    with pytest.raises(ProjectError) as refused:
        load_project(file)

    problems = refused.value.problems
    assert len(problems) == len(expected) > 0, str(refused.value)
    for problem, expectation in zip(problems, expected, strict=True):
        line, _, says = expectation.partition(": ")
        assert (problem.at.line if problem.at else 1) == int(line), str(problem)
        for words in says.split(" | "):
            assert words in str(problem)


def test_there_are_many_bad_files() -> None:
    """The corpus above must not shrink without anybody noticing."""
    assert len(BAD) >= 80


def test_the_documented_example_loads() -> None:
    """Users copy docs/ctrain.example.yaml: it must be valid, to the last key."""
    project = load_project(EXAMPLE)

    assert [stage.name for stage in project.stages] == ["dev", "test", "prod"]
    assert project.triggers[Trigger.PULL_REQUEST].parameters == {"trees": 20}


def test_what_is_left_out_is_filled_in(tmp_path: Path) -> None:
    """A pull request samples and deploys nothing; any other trigger takes all the data to all stages."""
    project = a_loaded_project(tmp_path)

    assert project.trigger(Trigger.PULL_REQUEST).data is DataUse.SAMPLE
    assert project.trigger(Trigger.PULL_REQUEST).deploy == ()
    for trigger in set(Trigger) - {Trigger.PULL_REQUEST}:
        assert project.trigger(trigger).data is DataUse.FULL
        assert project.trigger(trigger).deploy == ("dev", "prod")
    assert project.backend == "local"
    assert project.model.champion_input == "champion"


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter where ctrain is called from."""
    file = a_file(tmp_path / "team")
    monkeypatch.chdir(tmp_path)

    project = load_project(file.relative_to(tmp_path))

    assert project.pipeline == tmp_path / "team/pipelines/train.yml"
    assert project.data_reference("local") == str(tmp_path / "team/visits.parquet")


def test_a_scoring_script_is_found_from_anywhere(tmp_path: Path) -> None:
    """Its folder and its environment are files of the project; an Azure ML environment is none."""
    scoring = {"code": "scoring", "script": "score.py"}
    stages = {
        "dev": {"endpoint": "visits-dev", "deployment": {"scoring": scoring | {"environment": "conda.yml"}}},
        "prod": {"endpoint": "visits-prod", "deployment": {"scoring": scoring | {"environment": "azureml:env:1"}}},
    }

    project = a_loaded_project(tmp_path, stages=stages)

    local, azure = (stage.deployment.scoring for stage in project.stages)
    assert local == ScoringCode(str(tmp_path / "scoring"), "score.py", str(tmp_path / "conda.yml"))
    assert azure == ScoringCode(str(tmp_path / "scoring"), "score.py", "azureml:env:1")


def test_a_stage_takes_from_the_top_level_what_it_leaves_out(tmp_path: Path) -> None:
    """Key by key; environment variables are merged one by one, and the stage's win."""
    general = {"instance_count": 3, "environment_variables": {"A": "1", "B": "1"}}
    own = {"request_timeout_ms": 9000, "environment_variables": {"B": "2"}}
    stages = {"dev": {"endpoint": "visits-dev", "deployment": own}, "prod": {"endpoint": "visits-prod"}}

    project = a_loaded_project(tmp_path, deployment=general, stages=stages)

    assert project.stage("dev").deployment == DeploymentSettings(
        instance_count=3, request_timeout_ms=9000, environment_variables={"A": "1", "B": "2"}
    )
    assert project.stage("prod").deployment == DeploymentSettings(
        instance_count=3, environment_variables={"A": "1", "B": "1"}
    )


def test_a_stage_can_return_to_a_default(tmp_path: Path) -> None:
    """Writing the default out overrides the top level like any other value."""
    own = {"endpoint": "visits-dev", "deployment": {"instance_count": 1}}

    project = a_loaded_project(tmp_path, deployment={"instance_count": 3}, stages={"dev": own})

    assert project.stage("dev").deployment.instance_count == 1


def test_stages_keep_their_order(tmp_path: Path) -> None:
    """The order in the file is the order of delivery."""
    names = ["zulu", "alpha", "mike"]

    project = a_loaded_project(tmp_path, stages={name: {"endpoint": f"visits-{name}"} for name in names})

    assert [stage.name for stage in project.stages] == names


def test_a_project_may_have_no_stages(tmp_path: Path) -> None:
    """Training and judging is a use of its own."""
    project = a_loaded_project(tmp_path, stages={})

    assert project.trigger(Trigger.MAIN).deploy == ()


def test_no_sample_is_needed_where_nothing_trains_on_it(tmp_path: Path) -> None:
    """A small data set needs no sample, once that is said."""
    data = {"input": "training_data", "local": "visits.parquet"}

    project = a_loaded_project(tmp_path, data=data, triggers={"pull_request": {"data": "full"}})

    assert project.trigger(Trigger.PULL_REQUEST).data is DataUse.FULL


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    """They are plain YAML, and teams use them to repeat a stage."""
    file = tmp_path / "ctrain.yaml"
    sections = {key: value for key, value in SMALLEST.items() if key != "stages"}
    stages = (
        "stages:\n"
        "  dev: &stage {endpoint: visits-dev, smoke: {golden: 5}}\n"
        "  prod: {<<: *stage, endpoint: visits-prod}\n"
    )
    file.write_text("\n".join(f"{key}: {json.dumps(value)}" for key, value in sections.items()) + "\n" + stages)

    project = load_project(file)

    assert project.stage("prod").endpoint == "visits-prod"
    assert project.stage("prod").smoke.golden == 5


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """Data does not belong into the configuration."""
    file = tmp_path / "ctrain.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))

    with pytest.raises(ProjectError, match="too large"):
        load_project(file)


@pytest.mark.parametrize("make", [lambda _: None, Path.mkdir], ids=["absent", "a-folder"])
def test_what_cannot_be_read_is_named(tmp_path: Path, make: Any) -> None:
    """No file, and a folder in its place."""
    file = tmp_path / "ctrain.yaml"
    make(file)

    with pytest.raises(ProjectError) as refused:
        load_project(file)

    assert str(file) in refused.value.what
    assert refused.value.exit_code is ExitCode.USAGE


def test_the_nearest_file_upwards_is_found(tmp_path: Path) -> None:
    """As git does: any folder of the project will do."""
    outer, inner = a_file(tmp_path), a_file(tmp_path / "a/b")
    (tmp_path / "a/b/c/d").mkdir(parents=True)

    assert find_project(tmp_path / "a/b/c/d") == inner
    assert find_project(tmp_path / "a") == outer


def test_a_project_that_is_not_found_says_what_to_do(tmp_path: Path) -> None:
    """`ctrain.yml` is the usual reason."""
    (tmp_path / "ctrain.yml").touch()

    with pytest.raises(ProjectError) as refused:
        find_project(tmp_path)

    assert refused.value.hint == "rename ctrain.yml to ctrain.yaml"


def _load(folder: Path, value: object) -> Project | ProjectError:
    file = folder / "ctrain.yaml"
    file.write_text(json.dumps(value), encoding="utf-8")
    try:
        return load_project(file)
    except ProjectError as refused:
        return refused


@given(value=plain)
def test_no_value_causes_anything_but_a_project_error(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever plain YAML holds, it is refused in words."""
    assert isinstance(_load(tmp_path_factory.getbasetemp(), value), ProjectError)


@settings(max_examples=300)
@given(data=st.data())
def test_no_change_to_a_valid_file_causes_anything_but_a_project_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One place of a valid file is replaced by anything: it loads, or it is refused there, in printable words."""
    value = replaced(SMALLEST, data.draw(st.sampled_from(places(SMALLEST))), data.draw(plain))

    result = _load(tmp_path_factory.getbasetemp(), value)

    if isinstance(result, ProjectError):
        for problem in result.problems:
            assert problem.what
            assert problem.why
            assert problem.hint
            assert str(problem).isprintable()


def test_a_stage_may_be_in_another_workspace(tmp_path: Path) -> None:
    """What it leaves out is as in the project's; where all is, it is the project's."""
    home = {"subscription_id": "s", "resource_group": "team", "workspace": "ml"}
    project = a_loaded_project(
        tmp_path,
        stages={
            "dev": {"endpoint": "visits"},
            "test": {"endpoint": "visits-test", "azureml": {"workspace": "ml"}},
            "prod": {"endpoint": "visits", "azureml": {"resource_group": "prod", "workspace": "ml-prod"}},
        },
        backends={"azureml": home},
    )

    assert [project.stage(name).workspace for name in ("dev", "test")] == [None, None]
    assert project.stage("prod").workspace == WorkspaceAddress("s", "prod", "ml-prod")
    assert project.stage("prod").lock != project.stage("dev").lock


def test_a_pull_requests_training_is_cancelled_with_its_run_and_others_go_on(tmp_path: Path) -> None:
    """A run of a pull request is cancelled since a newer one takes its place; a training of all the data is dear."""
    on_cancel = {trigger: rule.on_cancel for trigger, rule in a_loaded_project(tmp_path).triggers.items()}

    assert on_cancel.pop(Trigger.PULL_REQUEST) == "cancel"
    assert set(on_cancel.values()) == {"detach"}
