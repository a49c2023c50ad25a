"""The YAML is Azure ML's, judged by Microsoft's own loader, and by the version pins of what we run ourselves."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctrain.project import load_project
from tests.reference.scripts import PIPELINES, STEPS

pytestmark = pytest.mark.filterwarnings("ignore")  # the SDK's own, at import and of experimental classes


def test_the_pipeline_job_loads_and_validates() -> None:
    """`az ml job create -f train.yml` starts from the same loader and validation."""
    job = load("train.yml")

    assert job._validate().passed
    assert set(job.component.jobs) == set(STEPS)
    assert job.component.inputs["champion"].optional


def test_the_pipeline_job_takes_a_champion_as_az_set_does() -> None:
    """The optional input is absent from the job until it is set."""
    champion = [{"inputs.champion.type": "mlflow_model"}, {"inputs.champion.path": "azureml:medical-visits:3"}]

    job = load("train.yml", params_override=champion)

    assert "champion" not in load("train.yml").inputs
    assert job._validate().passed
    assert job.inputs["champion"]._data["path"].endswith("medical-visits:3")


@pytest.mark.parametrize("file", ["components/pipeline.yml", *(f"components/{step}/component.yml" for step in STEPS)])
def test_each_component_loads_and_validates(file: str) -> None:
    """Each may be registered and used alone."""
    from azure.ai.ml import load_component

    assert load_component(PIPELINES / file)._validate().passed


def test_the_environment_pins_what_the_tests_run_with() -> None:
    """A model that passes here is made by the same versions there."""
    pip: list[str] = yaml.safe_load((PIPELINES / "environment" / "conda.yml").read_text())["dependencies"][-1]["pip"]
    pins = dict(pin.split("==") for pin in pip)
    del pins["azureml-mlflow"]  # only where there is an Azure

    assert {package: version(package) for package in pins} == pins


def test_all_steps_share_one_environment() -> None:
    """One image to build, one place to change a version."""
    environments = [yaml.safe_load(component(step).read_text())["environment"] for step in STEPS]

    assert all(environment == environments[0] for environment in environments)
    assert (component("prep").parent / environments[0]["conda_file"]).resolve() == PIPELINES / "environment/conda.yml"


def test_the_job_and_its_components_agree_on_defaults() -> None:
    """A hyper-parameter has one committed value, wherever it is read."""
    tied = yaml.safe_load((PIPELINES / "components" / "pipeline.yml").read_text())["inputs"]
    told = yaml.safe_load((PIPELINES / "train.yml").read_text())["inputs"]
    own = {
        name: value for step in STEPS for name, value in yaml.safe_load(component(step).read_text())["inputs"].items()
    }

    for name, declared in tied.items():
        if "default" in declared:
            assert told.get(name, declared["default"]) == declared["default"] == own[name]["default"], name


def test_ctrain_reads_the_project_file() -> None:
    """The example that everybody starts from is one that loads."""
    project = load_project(PIPELINES / "ctrain.yaml")

    assert [stage.name for stage in project.stages] == ["dev", "test", "prod"]
    assert project.evaluation.group == "person"
    assert project.data.sample is not None
    assert project.data.sample.key == "person"


def test_the_reference_project_knows_nothing_of_ctrain() -> None:
    """It stays a plain Azure ML pipeline: no script or component names ctrain."""
    files = [file for kind in ("*.py", "component.yml", "conda.yml") for file in PIPELINES.rglob(kind)]

    assert len(files) >= 8
    assert [file.name for file in files if "ctrain" in file.read_text()] == []


def component(step: str) -> Path:
    return PIPELINES / "components" / step / "component.yml"


def load(file: str, **options: Any) -> Any:
    from azure.ai.ml import load_job

    return load_job(PIPELINES / file, **options)
