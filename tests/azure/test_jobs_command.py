"""Single command jobs by the unmodified SDK: run, read, and their outputs registered as data assets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.azure.jobs.samples import Samples, samples
from tests.azure.loopback import Loopback, Place

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

pytestmark = [pytest.mark.usefixtures("stored"), pytest.mark.long]


@pytest.fixture
def jobs(tmp_path: Path, client: MLClient, azure: Loopback, place: Place) -> Samples:
    """A folder with code, and a client of a fresh workspace."""
    return samples(tmp_path, client, azure, place)


def _sampling(jobs: Samples, name: str, version: str | None = None, text: str = "0.5") -> Any:
    """A job whose output is to be the data asset `sample`."""
    from azure.ai.ml import Input, Output, command
    from azure.ai.ml.entities import Environment

    return command(
        name=name,
        experiment_name="visits",
        code=str(jobs.folder / "code"),
        command="python prep.py ${{inputs.rows}} ${{outputs.made}} && echo fraction ${{inputs.fraction}}",
        environment=Environment(image="python:3.11-slim"),
        compute="cpu-cluster",
        inputs={"rows": Input(type="uri_file", path=str(jobs.folder / "rows.csv")), "fraction": text},
        outputs={"made": Output(type="uri_file", name="sample", version=version)},
    )


def test_a_commands_output_becomes_a_data_asset(jobs: Samples, tmp_path: Path) -> None:
    """With the next version where none is asked for; the job has no steps, and its own log."""
    jobs.client.jobs.create_or_update(_sampling(jobs, "sample-a"))

    assert jobs.ended("sample-a") == "Completed"
    found = jobs.client.data.get("sample", label="latest")
    assert (found.version, found.type) == ("1", "uri_file")
    assert str(found.path).endswith("/datastores/workspaceblobstore/paths/azureml/sample-a/made")
    assert jobs.blobs("azureml/sample-a/") == {"azureml/sample-a/made": b"X,Y\n1,2\n"}
    assert jobs.children("sample-a") == {}
    jobs.client.jobs.download("sample-a", download_path=tmp_path / "down")
    assert "fraction 0.5" in (tmp_path / "down/artifacts/user_logs/std_log.txt").read_text()


def test_a_version_for_an_output_is_refused_as_the_service_was_recorded(jobs: Samples) -> None:
    """At the api-version that the SDK uses for commands, though Microsoft's published type has it.

    Source: the recording test_command_job_register_output of azure-ai-ml (Azure/azure-sdk-assets, March 2026).
    """
    from azure.core.exceptions import HttpResponseError

    with pytest.raises(HttpResponseError, match="Could not find member 'assetVersion'") as refused:
        jobs.client.jobs.create_or_update(_sampling(jobs, "sample-a", version="7"))
    assert refused.value.status_code == 400

    jobs.control("POST", "", {"strict": False})
    jobs.client.jobs.create_or_update(_sampling(jobs, "sample-a", version="7"))
    assert jobs.ended("sample-a") == "Completed"
    assert jobs.client.data.get("sample", "7").type == "uri_file"


def test_a_pipelines_output_is_registered_with_its_version(jobs: Samples) -> None:
    """Where an output has a name and a version, it is an asset of it; pipelines may say both."""
    text = (jobs.folder / "pipeline.yml").read_text()
    named = "evaluation: {type: uri_folder, name: scored, version: '4', path: 'azureml://datastores/workspaceblobstore/paths/own/${{name}}/'}"
    jobs.write({"pipeline.yml": text.replace("evaluation: {type: uri_folder}", named, 1)})

    jobs.submit("ctrain-a-1")

    assert jobs.ended("ctrain-a-1") == "Completed"
    train = jobs.children("ctrain-a-1")["train"].name
    assert str(jobs.client.data.get("scored", "4").path).endswith(f"/paths/own/{train}/")
    assert jobs.blobs("own/") == {f"own/{train}/rows.csv": b"ok"}


def test_the_log_of_a_running_command_is_there_to_read(jobs: Samples) -> None:
    """Run history's signed URLs have what was written so far."""
    jobs.write({"code/prep.py": "import time\nprint('begun', flush=True)\ntime.sleep(60)\n"})
    jobs.client.jobs.create_or_update(_sampling(jobs, "sample-a"))
    jobs.until("sample-a", "Running")

    read = ""
    with jobs.http() as http:
        for _ in range(100):
            files = jobs.region("GET", "history/v1.0{ws}/runs/sample-a/details").json()["logFiles"]
            read = http.get(files["user_logs/std_log.txt"]).text if files else ""
            if read:
                break
    assert read == "begun\n"
    jobs.client.jobs.begin_cancel("sample-a").result()
    assert jobs.ended("sample-a") == "Canceled"


def test_a_command_that_fails_says_why(jobs: Samples) -> None:
    """In its own error, with the end of its log."""
    jobs.write({"code/prep.py": "raise SystemExit('no rows')\n"})
    jobs.client.jobs.create_or_update(_sampling(jobs, "sample-a"))

    assert jobs.ended("sample-a") == "Failed"
    run = jobs.region("GET", "history/v1.0{ws}/runs/sample-a").json()
    assert "no rows" in run["error"]["error"]["message"]
