"""What a plan says of a training on Azure ML."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.backends.azureml.labels import Kind
from ctrain.backends.azureml.preview import preview
from ctrain.training import StepPreview
from tests.backends.azureml.pipelines import TRAIN, a_training, write_pipeline

ROOT = Path(__file__).parents[3]

NESTED = """\
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
outputs:
  model: {type: uri_folder}
jobs:
  prep:
    command: python step.py ${{outputs.clean}}
    code: code
    environment: azureml:sklearn@latest
    outputs: {clean: {type: uri_folder}}
  inner:
    type: pipeline
    component: inner.yml
    inputs: {rows: "${{parent.jobs.prep.outputs.clean}}"}
  last:
    command: python step.py ${{inputs.fitted}} ${{outputs.model}}
    code: code
    environment: azureml:sklearn@latest
    inputs: {fitted: "${{parent.jobs.inner.outputs.fitted}}"}
    outputs: {model: "${{parent.outputs.model}}"}
"""

INNER = """\
type: pipeline
name: inner
inputs:
  rows: {type: uri_folder}
outputs:
  fitted: {type: uri_folder}
jobs:
  a:
    type: command
    component: step.yml
    inputs: {rows: "${{parent.inputs.rows}}"}
  b:
    type: command
    component: step.yml
    inputs: {rows: "${{parent.jobs.a.outputs.made}}"}
    outputs: {made: "${{parent.outputs.fitted}}"}
"""

STEP = """\
type: command
name: step
inputs: {rows: {type: uri_folder}}
outputs: {made: {type: uri_folder}}
command: python step.py ${{inputs.rows}} ${{outputs.made}}
code: code
environment: azureml:sklearn@latest
"""


def as_it_is(reference: str, kind: Kind) -> str:
    return reference


def test_steps_come_in_order_with_what_they_wait_for() -> None:
    """Of the reference project, whose job is one pipeline component."""
    made = preview(a_training(ROOT / "pipelines" / "train.yml", training_data="azureml:visits:3"), as_it_is)

    assert [step.name for step in made.steps] == ["prep", "train", "evaluate"]
    assert [set(step.after) for step in made.steps] == [set(), {"prep"}, {"prep", "train"}]


def test_inner_pipelines_are_made_flat(tmp_path: Path) -> None:
    """A step within is named after the pipelines around it, and waits for the steps that really make its inputs."""
    file = write_pipeline(tmp_path, NESTED)
    (tmp_path / "inner.yml").write_text(INNER)
    (tmp_path / "step.yml").write_text(STEP)

    assert preview(a_training(file), as_it_is).steps == (
        StepPreview("prep", ()),
        StepPreview("inner.a", ("prep",)),
        StepPreview("inner.b", ("inner.a",)),
        StepPreview("last", ("inner.b",)),
    )


def test_an_environment_is_what_its_label_stands_for(tmp_path: Path) -> None:
    """So that a new version of it is another training; asked once for each label."""
    image = "{image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04}"
    file = write_pipeline(tmp_path, TRAIN.replace(image, "azureml:sk@latest"))

    def at(version: int) -> str:
        return preview(a_training(file), lambda _name, _kind: f"azureml:sk:{version}").environment

    assert at(1) == at(1) != at(2)


def test_code_and_parameters_do_not_touch_each_others_digests(tmp_path: Path) -> None:
    """Each part of a fingerprint is digested by itself; the laptop digests the same code alike."""
    from ctrain.pipeline import read_pipeline

    file = write_pipeline(tmp_path)
    before = preview(a_training(file, rate=0.1), as_it_is)
    other_rate = preview(a_training(file, rate=0.2), as_it_is)
    (tmp_path / "code" / "step.py").write_text("print()")
    after = preview(a_training(file, rate=0.1), as_it_is)

    assert before == other_rate
    assert (before.code == after.code, before.environment == after.environment) == (False, True)
    assert after.code == read_pipeline(file).code


def test_what_the_pipeline_reads_by_itself_counts(tmp_path: Path) -> None:
    """A file by its content, an asset by the version that its label stands for; what we fill in is not among them."""
    file = write_pipeline(tmp_path)
    own = preview(a_training(file), as_it_is).inputs
    (tmp_path / "rows.csv").write_text("row_id\n3\n")

    assert own != preview(a_training(file), as_it_is).inputs
    assert preview(a_training(file, rows="azureml:visits:3"), as_it_is).inputs == ""


@pytest.mark.parametrize(("type_", "kind"), [("mlflow_model", "models"), ("uri_file", "data")])
def test_an_assets_label_is_asked_of_its_kind(tmp_path: Path, type_: str, kind: Kind) -> None:
    """A model's of the models, a data set's of the data."""
    given = "{type: uri_file, path: rows.csv, mode: download}"
    text = TRAIN.replace(given, f"{{type: {type_}, path: azureml:x@latest}}")
    asked: list[tuple[str, Kind]] = []

    def latest(reference: str, kind: Kind) -> str:
        asked.append((reference, kind))
        return "azureml:x:5"

    made = preview(a_training(write_pipeline(tmp_path, text)), latest)

    assert asked == [("azureml:x@latest", kind)]
    assert made.inputs
