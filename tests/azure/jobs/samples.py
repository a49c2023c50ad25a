"""Small pipelines and commands for tests: standard library only, and done in a blink."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from tests.azure.loopback import Loopback, Place

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

ENDED: Final = ("Completed", "Failed", "Canceled")

PREP: Final = """\
import pathlib, sys
source, made = sys.argv[1:]
print("preparing", pathlib.Path(source).name)
pathlib.Path(made).write_text(pathlib.Path(source).read_text().upper())
"""

TRAIN: Final = """\
import pathlib, sys, time
rows, how, model, evaluation = sys.argv[1:]
print("asked to be", how, flush=True)
if how == "fail":
    raise SystemExit("boom")
if how == "slow":
    time.sleep(60)
pathlib.Path(model, "MLmodel").write_text("flavors: {}")
pathlib.Path(model, "data").mkdir()
pathlib.Path(model, "data", "weights").write_text(pathlib.Path(rows).read_text())
pathlib.Path(evaluation, "rows.csv").write_text(how)
"""

PIPELINE: Final = """\
type: pipeline
display_name: two steps
experiment_name: visits
settings: {default_compute: azureml:cpu-cluster}
inputs:
  rows: {type: uri_file, path: rows.csv}
  how: ok
outputs:
  model: {type: mlflow_model}
  evaluation: {type: uri_folder}
jobs:
  prep:
    command: python prep.py ${{inputs.rows}} ${{outputs.made}}
    code: code
    environment: {image: "python:3.11-slim"}
    inputs: {rows: "${{parent.inputs.rows}}"}
    outputs: {made: {type: uri_file}}
  train:
    command: python train.py ${{inputs.rows}} ${{inputs.how}} ${{outputs.model}} ${{outputs.evaluation}}
    code: code
    environment: {image: "python:3.11-slim"}
    inputs: {rows: "${{parent.jobs.prep.outputs.made}}", how: "${{parent.inputs.how}}"}
    outputs: {model: "${{parent.outputs.model}}", evaluation: "${{parent.outputs.evaluation}}"}
"""


@dataclass
class Samples:
    """A project's folder, a client, and the loopback behind it."""

    folder: Path
    client: MLClient
    azure: Loopback
    place: Place

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def submit(self, name: str, file: str = "pipeline.yml", **overrides: Any) -> Any:
        """The job as the SDK submits it. `inputs__how="fail"` overrides `inputs.how`."""
        from azure.ai.ml import load_job

        given = [{key.replace("__", "."): value} for key, value in {"name": name, **overrides}.items()]
        return self.client.jobs.create_or_update(load_job(self.folder / file, params_override=given))

    def ended(self, name: str, seconds: float = 60.0) -> str:
        """How the job ended; bounded."""
        return self.until(name, *ENDED, seconds=seconds)

    def until(self, name: str, *states: str, seconds: float = 60.0) -> str:
        """The job's status, once it is one of these."""
        end = time.monotonic() + seconds
        while (status := str(getattr(told := self.client.jobs.get(name).status, "value", told))) not in states:
            assert time.monotonic() < end, f"{name} is {status}"
            time.sleep(0.05)
        return status

    def children(self, name: str) -> dict[str, Any]:
        """The step's jobs, by the steps' names."""
        return {child.display_name: child for child in self.client.jobs.list(parent_job_name=name)}

    def children_of_run(self, run: str) -> dict[str, str]:
        """Names and states of the steps within an inner pipeline, by run history."""
        listed = self.region("GET", f"history/v1.0{{ws}}/runs/{run}/children").json()["value"]
        return {child["displayName"]: child["status"] for child in listed}

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A control call on this workspace's jobs."""
        return self.azure.control(method, f"{self.place.arm_id}/jobs{path}", body)

    def region(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A data-plane call, with a token; `{ws}` in the path is the workspace's id."""
        from azure.identity import EnvironmentCredential

        with EnvironmentCredential() as credential:
            token = credential.get_token("https://ml.azure.com/.default").token
        url = f"https://{self.place.location}.api.azureml.ms/{path.replace('{ws}', self.place.arm_id)}"
        with self.http() as http:
            return http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})

    def http(self) -> httpx.Client:
        import ssl

        context = ssl.create_default_context(cafile=str(self.azure.ca))
        return httpx.Client(proxy=self.azure.proxy, verify=context, trust_env=False, timeout=90)

    def blobs(self, prefix: str) -> dict[str, bytes]:
        """The default store's blobs below the prefix."""
        from azure.storage.blob import ContainerClient

        key = self.client.datastores.get("workspaceblobstore", include_secrets=True).credentials.sas_token
        url = f"https://{self.place.storage_account}.blob.core.windows.net"
        with ContainerClient(url, self.place.container, credential=key) as container:
            names = list(container.list_blob_names(name_starts_with=prefix))
            return {name: container.download_blob(name).readall() for name in names}


def samples(folder: Path, client: MLClient, azure: Loopback, place: Place) -> Samples:
    """With the two-step pipeline in it."""
    made = Samples(folder, client, azure, place)
    made.write({"pipeline.yml": PIPELINE, "code/prep.py": PREP, "code/train.py": TRAIN, "rows.csv": "x,y\n1,2\n"})
    return made
