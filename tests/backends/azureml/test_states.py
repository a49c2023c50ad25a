"""A table of our own for what Azure ML says of jobs."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.quiet import quiet
from ctrain.backends.azureml.states import job_status
from ctrain.training import JobStatus


@pytest.mark.parametrize("status", list(JobStatus))
def test_each_state_is_known_in_any_case(status: JobStatus) -> None:
    """All fourteen of them."""
    assert job_status(status.value) is job_status(status.value.lower()) is status


@pytest.mark.parametrize("said", ["Succeeded", "Finished", "Scheduled", "", None])
def test_a_state_that_is_not_known_is_no_success(said: str | None) -> None:
    """Only `Completed` is."""
    assert job_status(said) is JobStatus.UNKNOWN
    assert not job_status(said).succeeded


def test_the_sdk_knows_no_other_state() -> None:
    """Of azure-ai-ml's `JobStatus`, so that a new one shows here."""
    with quiet():
        from azure.ai.ml._restclient.arm_ml_service.models import JobStatus as Theirs

    assert {one.value for one in Theirs} == {one.value for one in JobStatus}
