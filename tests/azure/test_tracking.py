"""MLflow's REST API of a workspace: a job's runs by Azure's ids, answered by MLflow's own server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.azure.jobs.samples import Samples, samples
from tests.azure.loopback import Loopback, Place

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

pytestmark = pytest.mark.usefixtures("stored")

REST = "mlflow/v2.0{ws}/api/2.0/mlflow"


@pytest.fixture
def jobs(tmp_path: Path, client: MLClient, azure: Loopback, place: Place) -> Samples:
    """A folder with a pipeline, and a client of a fresh workspace."""
    return samples(tmp_path, client, azure, place)


def test_a_jobs_metrics_are_read_by_its_name(jobs: Samples) -> None:
    """A run's id is the job's name or the step's GUID; a step's parent is the job, and what is logged is kept.

    MLflow is not imported here, which would cost seconds: its REST API is what its client speaks.
    """
    jobs.submit("ctrain-a-1", tags={"release": "r1"})
    assert jobs.ended("ctrain-a-1") == "Completed"
    step = jobs.children("ctrain-a-1")["prep"].name

    for value in (0.75, 0.8125):
        logged = {"run_id": step, "key": "auc", "value": value, "timestamp": 1, "step": int(value * 100)}
        assert jobs.region("POST", f"{REST}/runs/log-metric", logged).status_code == 200

    run = jobs.region("GET", f"{REST}/runs/get?run_id=ctrain-a-1").json()["run"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert (run["info"]["run_id"], run["info"]["status"], tags["release"]) == ("ctrain-a-1", "FINISHED", "r1")
    search = {"experiment_ids": [run["info"]["experiment_id"]], "filter": "tags.mlflow.parentRunId = 'ctrain-a-1'"}
    found = {one["info"]["run_id"]: one for one in jobs.region("POST", f"{REST}/runs/search", search).json()["runs"]}
    assert [metric["value"] for metric in found[step]["data"]["metrics"]] == [0.8125]
    history = jobs.region("GET", f"{REST}/metrics/get-history?run_id={step}&metric_key=auc").json()["metrics"]
    assert [metric["value"] for metric in history] == [0.75, 0.8125]


def test_what_mlflow_does_not_know_is_its_own_404(jobs: Samples) -> None:
    """In MLflow's words, not in Azure's."""
    answer = jobs.region("GET", f"{REST}/runs/get?run_id=nothing")

    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
