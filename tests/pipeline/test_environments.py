"""What a step runs in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ctrain.errors import PipelineError
from ctrain.pipeline import Environment
from ctrain.pipeline.environments import is_python_image, runs_python
from tests.pipeline.written import command_step, component, read

PIPELINE = """
    type: pipeline
    jobs:
      a: {component: part.yml}
"""


def environment(folder: Path, text: str, **files: str) -> Environment:
    return command_step(read(folder, pipeline=PIPELINE, part=component(environment=text), **files), "a").environment


@pytest.mark.parametrize(
    "text",
    [
        "azureml:sklearn:3",
        "azureml:sklearn@latest",
        "azureml:sklearn",
        "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
    ],
)
def test_a_reference_stays_as_written(tmp_path: Path, text: str) -> None:
    """By version, by label, bare, or in a registry."""
    assert environment(tmp_path, text).reference == text


def test_a_conda_file_is_its_text(tmp_path: Path) -> None:
    """Relative to the YAML that names it."""
    found = environment(tmp_path, "{image: 'any:1', conda_file: e/c.yml}", e__c="dependencies: [python=3.11]")
    assert (found.image, found.conda) == ("any:1", "dependencies: [python=3.11]")


def test_an_inline_conda_specification_is_its_yaml(tmp_path: Path) -> None:
    """It reads back as what was written."""
    found = environment(tmp_path, "{image: 'any:1', conda_file: {channels: [a], dependencies: [python, {pip: [x]}]}}")
    assert yaml.safe_load(found.conda or "") == {"channels": ["a"], "dependencies": ["python", {"pip": ["x"]}]}


@pytest.mark.parametrize("prefix", ["./", "file:", "file:./", ""])
def test_an_environment_file_is_read_where_it_is(tmp_path: Path, prefix: str) -> None:
    """Its own paths are relative to it."""
    found = environment(
        tmp_path,
        f"'{prefix}envs/e.yml'",
        envs__e="{name: e, image: 'python:3.11', conda_file: c.yml}",
        envs__c="dependencies: []",
    )
    assert (found.image, found.conda) == ("python:3.11", "dependencies: []")


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.11-slim",
        "docker.io/library/python@sha256:00",
        "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest",
        "mcr.microsoft.com/azureml/curated/acpt-pytorch-2.2-cuda12.1",
        "continuumio/miniconda3",
        "condaforge/mambaforge",
        "pytorch/pytorch:2.4",
        "tensorflow/tensorflow",
        "localhost:5000/team/my-python-base:1",
        "rayproject/ray:2",
    ],
)
def test_an_image_says_by_its_name_that_it_is_pythons(image: str) -> None:
    """A word of its repository path tells."""
    assert is_python_image(image)


@pytest.mark.parametrize(
    "image",
    [
        "rocker/tidyverse:4",
        "r-base",
        "julia:1.10",
        "node:20",
        "ubuntu:24.04",
        "python.example.com/stats/r:1",
        "example.azurecr.io/arrays/gray:python",
        "mcr.microsoft.com/mmlspark/release:1.0.0-rc3",
    ],
)
def test_other_images_do_not(image: str) -> None:
    """Neither the registry's host nor the tag counts, nor a part of a word."""
    assert not is_python_image(image)


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("python train.py", True),
        ("cd src && python3 -m train", True),
        ("X=1 /usr/bin/python3.11 train.py", True),
        ("torchrun --nproc 1 train.py", True),
        ("pip install x; Rscript a.R", True),
        ("Rscript train.R", False),
        ("bash run.sh --python", False),
        ("./pythonic", False),
    ],
)
def test_a_command_says_that_it_runs_python(command: str, does: bool) -> None:
    """By starting one of its programs."""
    assert runs_python(command) is does


def test_a_private_image_will_do_where_the_command_starts_python(tmp_path: Path) -> None:
    """Such images are called anything."""
    assert environment(tmp_path, "{image: 'example.azurecr.io/team/trainer:7'}").image


@pytest.mark.parametrize(
    "address",
    [
        "https://pkgs.example.org/feed/",
        "https://team@pkgs.example.org/feed/",
        "https://me:${FEED}@pkgs.example.org/",
    ],
)
def test_an_address_without_a_password_is_fine(tmp_path: Path, address: str) -> None:
    """A name alone opens nothing, and a variable's name tells nothing."""
    found = environment(
        tmp_path, "{image: 'any:1', conda_file: c.yml}", c=f"dependencies: [{{pip: ['visits @ {address}']}}]"
    )
    assert address in (found.conda or "")


def test_a_password_in_an_inline_specification_is_refused(tmp_path: Path) -> None:
    """It would be baked into the image; the password itself is not said again."""
    with pytest.raises(PipelineError, match="has a password in it") as refused:
        environment(
            tmp_path, "{image: a, conda_file: {dependencies: [{pip: ['visits @ https://a:pa55@b.example.org']}]}}"
        )
    assert "pa55" not in str(refused.value)
