"""A label stands for a version, and one that stands for nothing is told at once."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.labels import latest
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import UsageError

IMAGE = {"properties": {"image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"}}


def test_a_label_is_resolved_to_the_newest_version(workspace: AzureWorkspace) -> None:
    """What names a version stays as it is, unasked."""
    for version in ("1", "2"):
        workspace.arm.put(f"environments/sklearn/versions/{version}", "2023-04-01-preview", IMAGE)

    assert latest(workspace, "azureml:sklearn@latest", "environments") == "azureml:sklearn:2"
    assert latest(workspace, "azureml:other:7", "environments") == "azureml:other:7"


def test_a_label_of_nothing_is_refused_by_its_name(workspace: AzureWorkspace) -> None:
    """Planning says it: the SDK would say it once the release is open, as something to report."""
    with pytest.raises(UsageError, match="there is no environment sklaern in "):
        latest(workspace, "azureml:sklaern@latest", "environments")
