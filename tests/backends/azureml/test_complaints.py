"""What Azure's SDK has against a pipeline is said as we say things: where, what, why, and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.backends.azureml.complaints import complaints, refused
from ctrain.backends.azureml.preview import read_for_azure
from ctrain.backends.azureml.submission import load
from ctrain.errors import PipelineError
from tests.backends.azureml.pipelines import TRAIN, a_training, write_pipeline

CODE = "    code: code\n"

COMPONENT = """\
type: command
code: code
command: python step.py prep ${{inputs.behave}} ${{inputs.rows}} ${{outputs.clean}}
environment: {image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04}
inputs: {rows: {type: uri_file}, behave: {type: string}}
outputs: {clean: {type: uri_folder}}
"""


def said(file: Path) -> PipelineError:
    """The SDK's refusal of that pipeline, as ctrain says it."""
    spec = a_training(file)
    with pytest.raises(PipelineError) as raised:
        load(spec, read_for_azure(spec))
    return raised.value


@pytest.mark.parametrize(
    ("added", "what", "hint"),
    [
        ("queue_settings: {job_tier: standart}", "jobs.prep.queue_settings.job_tier cannot be 'standart'",
         "did you mean 'standard'?"),
        ("resources: {instance_count: two}", "jobs.prep.resources.instance_count is of the wrong type",
         "write an integer"),
        ("resources: {instance_typ: gpu}", "there is no jobs.prep.resources.instance_typ", "correct or remove it"),
        ("identity: {type: robot}", "jobs.prep.identity.type cannot be 'robot'", "write one of them"),
        ("distribution: {type: pytorch, process_count_per_instance: many}",
         "jobs.prep.distribution.process_count_per_instance is of the wrong type", "write an integer"),
        ("type: command\n    description: [a]", "Azure ML cannot read jobs.prep", "look at its keys one by one"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_to_write(tmp_path: Path, added: str, what: str, hint: str) -> None:
    """Only what the schema says that was meant, of the dozens that a step could have been written in."""
    error = said(write_pipeline(tmp_path, TRAIN.replace(CODE, f"{CODE}    {added}\n", 1)))

    assert error.what == what
    assert hint in error.hint
    assert error.at is not None
    assert error.at.file.name == "train.yml"
    line = (tmp_path / "train.yml").read_text().splitlines()[error.at.line - 1]
    assert added.partition(":")[0] in line or line == "  prep:"
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{clean: {type: uri_folder}}", "{clean: {type: uri_folder, mode: bogus}}", "outputs.clean.mode"),
        ("code: code", "code: code\ndistribution: {type: horovod}", "distribution.type"),
    ],
)
def test_a_mistake_in_a_components_file_is_told_there(tmp_path: Path, old: str, new: str, what: str) -> None:
    """The place is the component's own file and line."""
    before, _, after = TRAIN.partition("    command: python step.py prep")
    given = after[after.index("    inputs: {rows") :]
    file = write_pipeline(tmp_path, f"{before}    type: command\n    component: prep.yml\n{given}")
    (tmp_path / "prep.yml").write_text(COMPONENT.replace(old, new))

    error = said(file)

    assert error.what.startswith(f"jobs.prep.component.{what} cannot be")
    assert error.at is not None
    assert error.at.file.name == "prep.yml"
    assert new.splitlines()[-1].partition(":")[0] in (tmp_path / "prep.yml").read_text().splitlines()[error.at.line - 1]


def test_a_page_of_another_kind_is_told_in_a_line(tmp_path: Path) -> None:
    """Another version of the SDK may say it otherwise: its first words, and no wall of text."""
    error = refused(tmp_path / "train.yml", "No such luck.\n\n" + "x " * 5000)

    assert complaints("no JSON {at all") == ()
    assert error.why.startswith("No such luck. x")
    assert len(error.why) <= 300
