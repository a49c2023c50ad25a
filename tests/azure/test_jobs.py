"""Pipeline jobs by the unmodified SDK: submitted, run, followed, cancelled, listed, and what they leave behind."""

from __future__ import annotations

import functools
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.azure.jobs.samples import Samples, samples
from tests.azure.loopback import Loopback, Place
from tests.azure.plain import plain

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

pytestmark = pytest.mark.usefixtures("stored")


@pytest.fixture
def jobs(tmp_path: Path, client: MLClient, azure: Loopback, place: Place) -> Samples:
    """A folder with a pipeline of two steps, and a client of a fresh workspace."""
    return samples(tmp_path, client, azure, place)


def test_a_pipeline_is_submitted_and_really_runs(jobs: Samples, tmp_path: Path) -> None:
    """Its steps run in order, and what they make is in the store under their runs, as the service puts it.

    Run data has the assets in run history's own words for types, and the planes resolve them to paths. azure-ai-ml
    1.35.2 does not know these words: it downloads a step's folder by its usual place, of a pipeline's folder nothing
    and without a word, and for a model it calls its own data class wrongly.
    """
    submitted = jobs.submit("ctrain-a-1", tags={"release": "r1"})

    assert (submitted.status, jobs.ended("ctrain-a-1")) == ("NotStarted", "Completed")
    found = jobs.client.jobs.get("ctrain-a-1")
    assert found.services["Studio"].endpoint.startswith("https://ml.azure.com/runs/ctrain-a-1?wsid=")
    assert (found.tags["release"], found.experiment_name) == ("r1", "visits")
    steps = jobs.children("ctrain-a-1")
    assert {name: step.status for name, step in steps.items()} == {"prep": "Completed", "train": "Completed"}
    train = steps["train"].name
    assert jobs.blobs(f"azureml/{train}/model/") == {
        f"azureml/{train}/model/MLmodel": b"flavors: {}",
        f"azureml/{train}/model/data/weights": b"X,Y\n1,2\n",
    }
    _all_api_versions_answer(jobs, train)
    _outputs_are_told(jobs, train)
    _the_sdk_downloads_a_steps_only(jobs, train, tmp_path)


def _all_api_versions_answer(jobs: Samples, train: str) -> None:
    """Each answer is held to the published type of its version by the loopback itself; a step shows nothing."""
    with plain(jobs.azure, jobs.place) as arm:
        for version in ("2023-04-01-preview", "2024-01-01-preview", "2024-10-01-preview", "2025-01-01-preview"):
            shown = arm.arm("GET", "jobs/ctrain-a-1", version=version).json()
            assert (shown["name"], shown["properties"]["status"]) == ("ctrain-a-1", "Completed")
            assert [job["name"] for job in arm.arm("GET", "jobs", version=version).json()["value"]] == ["ctrain-a-1"]
        assert "properties" not in arm.arm("GET", f"jobs/{train}", version="2024-01-01-preview").json()
        assert arm.arm("GET", "jobs/nothing", version="2024-01-01-preview").status_code == 404


def _outputs_are_told(jobs: Samples, train: str) -> None:
    data = jobs.region("POST", "history/v1.0{ws}/rundata", {"runId": "ctrain-a-1"}).json()
    outputs = data["runMetadata"]["outputs"]
    types = {name: asset["type"] for name, asset in outputs.items()}
    assert types == {"model": "MLFlowModel", "evaluation": "UriFolder"}
    wanted = [asset["assetId"] for asset in outputs.values()]
    found = jobs.region("POST", "data/v1.0{ws}/dataversion/batchGetResolvedUris", {"values": wanted}).json()["values"]
    uri = found[outputs["model"]["assetId"]]["uri"]
    assert uri.endswith(f"/datastores/workspaceblobstore/paths/azureml/{train}/model/")


def _the_sdk_downloads_a_steps_only(jobs: Samples, train: str, where: Path) -> None:
    jobs.client.jobs.download(train, download_path=where / "step", output_name="evaluation")
    jobs.client.jobs.download("ctrain-a-1", download_path=where / "job", output_name="evaluation")
    jobs.client.jobs.download(train, download_path=where / "logs")
    assert [file.name for file in (where / "step").rglob("*.csv")] == ["rows.csv"]
    assert not (where / "job").exists()
    assert "asked to be ok" in (where / "logs/artifacts/user_logs/std_log.txt").read_text()
    with pytest.raises(TypeError, match="BatchGetResolvedUrisDto"):
        jobs.client.jobs.download("ctrain-a-1", download_path=where / "model", output_name="model")


@pytest.mark.long
def test_registered_data_and_models_reach_the_steps(jobs: Samples) -> None:
    """`azureml:name:version` is fetched from the store, a model's folder as well as a file.

    The same model from a registry is the same content, so that its step is not run again.
    """
    from azure.ai.ml.entities import Data, Model

    jobs.write({"other.csv": "from an asset", "champion/weights": "the champion's"})
    jobs.client.data.create_or_update(
        Data(name="rows", version="3", path=str(jobs.folder / "other.csv"), type="uri_file")
    )
    model = Model(name="visits", version="1", path=str(jobs.folder / "champion"), type="custom_model")
    jobs.client.models.create_or_update(model)
    text = (jobs.folder / "pipeline.yml").read_text()
    text = text.replace("  how: ok\n", "  champion: {type: custom_model, path: azureml:visits:1}\n  how: ok\n")
    text = text.replace("python prep.py", "cat ${{inputs.champion}}/weights && python prep.py")
    text = text.replace(
        'rows: "${{parent.inputs.rows}}"', 'rows: "${{parent.inputs.rows}}", champion: "${{parent.inputs.champion}}"'
    )
    jobs.write({"pipeline.yml": text})

    jobs.submit("ctrain-a-1", inputs__rows__path="azureml:rows:3")

    assert jobs.ended("ctrain-a-1") == "Completed"
    prep = jobs.children("ctrain-a-1")["prep"].name
    assert list(jobs.blobs(f"azureml/{prep}/made").values()) == [b"FROM AN ASSET"]
    assert b"the champion's" in jobs.blobs(f"ExperimentRun/dcid.{prep}/user_logs/std_log.txt").popitem()[1]

    name, address = f"models-{uuid.uuid4().hex[:8]}", jobs.place.address
    where = {"subscription_id": address.subscription_id, "resource_group": address.resource_group}
    jobs.azure.control("POST", "/registries", {"name": name, **where, "location": "northeurope"})
    shared = {"share_with_name": "visits", "share_with_version": "2", "registry_name": name}
    jobs.client.models.share("visits", "1", **shared)
    champion = f"azureml://registries/{name}/models/visits/versions/2"
    jobs.submit("ctrain-b-1", inputs__rows__path="azureml:rows:3", inputs__champion__path=champion)

    assert jobs.ended("ctrain-b-1") == "Completed"
    assert jobs.children("ctrain-b-1")["prep"].properties["azureml.reusedrunid"] == prep


@pytest.mark.long
def test_steps_are_reused_unless_the_pipeline_says_otherwise(jobs: Samples) -> None:
    """With the marks of the service: a run that is reused names the run whose outputs it has."""
    jobs.submit("ctrain-a-1")
    jobs.ended("ctrain-a-1")
    jobs.submit("ctrain-b-1", inputs__how="other")
    jobs.ended("ctrain-b-1")
    jobs.submit("ctrain-c-1", settings__force_rerun=True)
    jobs.ended("ctrain-c-1")

    first, second, third = (jobs.children(f"ctrain-{letter}-1") for letter in "abc")
    reused = second["prep"].properties
    assert (reused["azureml.isreused"], reused["azureml.reusedrunid"]) == ("true", first["prep"].name)
    assert reused["azureml.reusedpipelinerunid"] == "ctrain-a-1"
    others = (second["train"], third["prep"], third["train"])
    assert not any("azureml.isreused" in step.properties for step in others)
    assert jobs.blobs(f"azureml/{second['prep'].name}/") == {}
    jobs.client.jobs.download(second["prep"].name, download_path=jobs.folder / "down")
    assert "preparing" in (jobs.folder / "down/artifacts/user_logs/std_log.txt").read_text()


@pytest.mark.long
def test_a_job_takes_what_another_one_made(jobs: Samples) -> None:
    """By the short address of the job's output, as examples of the service write it."""
    jobs.submit("ctrain-a-1")
    jobs.ended("ctrain-a-1")

    output = "azureml://jobs/ctrain-a-1/outputs/evaluation/paths/rows.csv"
    jobs.submit("ctrain-b-1", inputs__rows__path=output)

    assert jobs.ended("ctrain-b-1") == "Completed"
    prep = jobs.children("ctrain-b-1")["prep"].name
    assert list(jobs.blobs(f"azureml/{prep}/made").values()) == [b"OK"]


def test_a_failed_step_fails_the_job_and_its_log_says_why(jobs: Samples) -> None:
    """The SDK's stream raises with the service's words; the step's own error and log have the reason."""
    from azure.ai.ml.exceptions import JobException

    jobs.submit("ctrain-f-1", inputs__how="fail")

    assert jobs.ended("ctrain-f-1") == "Failed"
    steps = jobs.children("ctrain-f-1")
    assert {name: step.status for name, step in steps.items()} == {"prep": "Completed", "train": "Failed"}
    with pytest.raises(JobException, match=r"Pipeline has failed child jobs. Failed nodes: /train\."):
        jobs.client.jobs.stream("ctrain-f-1")
    details = jobs.region("GET", f"history/v1.0{{ws}}/runs/{steps['train'].name}/details").json()
    assert "boom" in details["error"]["error"]["message"]
    url = details["logFiles"]["user_logs/std_log.txt"]
    with jobs.http() as http:
        assert http.get(url).text == "asked to be fail\nboom\n"
    assert any(kind == "SAS" and value in url for value, kind in jobs.azure.secrets().items())


def test_the_same_name_is_the_same_job_or_a_refusal(jobs: Samples) -> None:
    """Tags may change, what runs may not, and nothing is run twice. Archived jobs are not listed."""
    from azure.core.exceptions import HttpResponseError

    jobs.submit("ctrain-a-1")
    jobs.ended("ctrain-a-1")
    again = jobs.submit("ctrain-a-1", tags={"release": "r2"})
    with pytest.raises(HttpResponseError, match="A job with this name already exists") as refused:
        jobs.submit("ctrain-a-1", inputs__how="other")

    def listed() -> list[str]:
        return [job.name for job in jobs.client.jobs.list()]

    assert (again.status, again.tags["release"]) == ("Completed", "r2")
    assert refused.value.status_code == 400
    assert listed() == ["ctrain-a-1"]
    jobs.client.jobs.archive("ctrain-a-1")
    assert listed() == []
    jobs.client.jobs.restore("ctrain-a-1")
    assert listed() == ["ctrain-a-1"]


def test_of_two_submitters_one_makes_the_job(jobs: Samples) -> None:
    """Side by side, with the same body: both are answered, and it is run once."""
    with plain(jobs.azure, jobs.place) as arm, ThreadPoolExecutor() as pool:
        jobs.submit("ctrain-a-1")
        jobs.ended("ctrain-a-1")
        (call,) = jobs.azure.calls(method="PUT", path=rf"{jobs.place.arm_id}/jobs/ctrain-a-1", bodies=1)
        arm.arm("GET", "jobs", version="2024-01-01-preview")
        put = functools.partial(arm.arm, "PUT", "jobs/ctrain-b-1", call["sent"], "2024-01-01-preview")
        answers = [found.result() for found in [pool.submit(put) for _ in range(4)]]

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert jobs.ended("ctrain-b-1") == "Completed"


@pytest.mark.long
def test_jobs_of_the_same_code_and_data_run_side_by_side(jobs: Samples) -> None:
    """They share the code that was fetched, and neither takes the other's data away."""
    names = [f"ctrain-{letter}-1" for letter in "abc"]
    jobs.submit(names[0], settings__force_rerun=True)
    (call,) = jobs.azure.calls(method="PUT", path=rf"{jobs.place.arm_id}/jobs/{names[0]}", bodies=1)
    with plain(jobs.azure, jobs.place) as arm, ThreadPoolExecutor() as pool:
        arm.arm("GET", "jobs", version="2024-01-01-preview")
        list(pool.map(lambda name: arm.arm("PUT", f"jobs/{name}", call["sent"], "2024-01-01-preview"), names[1:]))

    assert [jobs.ended(name) for name in names] == ["Completed"] * 3


def test_a_running_job_is_cancelled(jobs: Samples) -> None:
    """`CancelRequested` at once, then `Canceled` with its steps; one that has ended is refused."""
    from azure.core.exceptions import HttpResponseError

    jobs.submit("ctrain-s-1", inputs__how="slow")
    jobs.until("ctrain-s-1", "Running")
    poller = jobs.client.jobs.begin_cancel("ctrain-s-1")
    poller.result()

    assert jobs.ended("ctrain-s-1") == "Canceled"
    assert {step.status for step in jobs.children("ctrain-s-1").values()} <= {"Completed", "Canceled"}
    with pytest.raises(HttpResponseError, match="terminal state"):
        jobs.client.jobs.begin_cancel("ctrain-s-1")


def test_a_job_goes_through_azures_states_in_virtual_time(jobs: Samples) -> None:
    """Each of them lasts as long as a test asks for."""
    jobs.azure.durations(job_start=600, job_queue=600, job_finalize=600)
    jobs.submit("ctrain-a-1")

    assert jobs.client.jobs.get("ctrain-a-1").status == "NotStarted"
    jobs.azure.advance(600)
    jobs.until("ctrain-a-1", "Queued")
    jobs.azure.advance(600)
    jobs.until("ctrain-a-1", "Finalizing")
    jobs.azure.advance(600)
    assert jobs.ended("ctrain-a-1") == "Completed"


def test_a_job_can_be_made_to_tell_any_status(jobs: Samples) -> None:
    """For so long, and to whoever asks: states that the engine does not have, and one that nobody knows."""
    jobs.azure.durations(job_start=1e6)
    jobs.submit("ctrain-a-1")
    for status in ("NotResponding", "Paused", "Unknown", "Hibernating"):
        jobs.control("PUT", "/ctrain-a-1/status", {"status": status, "seconds": 60})
        assert jobs.client.jobs.get("ctrain-a-1").status == status
        assert jobs.region("GET", "history/v1.0{ws}/runs/ctrain-a-1").json()["status"] == status
    jobs.azure.advance(61)
    assert jobs.client.jobs.get("ctrain-a-1").status == "NotStarted"
    jobs.client.jobs.begin_cancel("ctrain-a-1")
    assert jobs.ended("ctrain-a-1") == "Canceled"


def test_what_cannot_be_is_refused(jobs: Samples) -> None:
    """A job that there is not, and a cluster that there is not."""
    from azure.ai.ml import command
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    with pytest.raises(ResourceNotFoundError, match="nothing"):
        jobs.client.jobs.get("nothing")
    environment = "azureml://registries/azureml/environments/python/versions/1"
    job = command(command="echo", environment=environment, compute="nowhere", name="ctrain-a-1")
    with pytest.raises(HttpResponseError, match="Unknown compute target 'nowhere'"):
        jobs.client.jobs.create_or_update(job)


@pytest.mark.long
def test_a_pipeline_within_a_pipeline_has_steps_of_its_own(jobs: Samples) -> None:
    """Each level lists its own children, and fails with them."""
    text = (jobs.folder / "pipeline.yml").read_text()
    inner = text.replace("display_name: two steps\nexperiment_name: visits\n", "name: inner\nversion: '1'\n")
    inner = inner.replace("settings: {default_compute: azureml:cpu-cluster}\n", "").replace(", path: rows.csv", "")
    outer = """\
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs:
  rows: {type: uri_file, path: rows.csv}
outputs:
  model: {type: mlflow_model}
jobs:
  both:
    type: pipeline
    component: inner.yml
    inputs: {rows: "${{parent.inputs.rows}}", how: fine}
    outputs: {model: "${{parent.outputs.model}}"}
"""
    jobs.write({"inner.yml": inner.replace("  how: ok\n", "  how: {type: string}\n"), "outer.yml": outer})

    jobs.submit("ctrain-a-1", "outer.yml")

    assert jobs.ended("ctrain-a-1") == "Completed"
    top = jobs.children("ctrain-a-1")
    assert {name: step.status for name, step in top.items()} == {"both": "Completed"}
    assert jobs.children_of_run(top["both"].name) == {"prep": "Completed", "train": "Completed"}

    jobs.write({"outer.yml": outer.replace("how: fine", "how: fail")})
    jobs.submit("ctrain-f-1", "outer.yml")

    assert jobs.ended("ctrain-f-1") == "Failed"
    inner = jobs.children("ctrain-f-1")["both"]
    assert (inner.status, jobs.children_of_run(inner.name)["train"]) == ("Failed", "Failed")
