"""A model and a scoring script for deployments over the loopback Azure, and the specs that name them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.serving import DeploymentSpec, Probe, ScoringCode
from tests.builders import a_deployment_spec

SCORING = Path(__file__).parents[3] / "contract" / "project" / "scoring"

CONDA = """\
name: scoring
dependencies:
  - python=3.11
  - pip
  - pip: [azureml-inference-server-http]
"""


def publish_model(workspace: AzureWorkspace, name: str = "visits", version: int = 1) -> str:
    """A registered model that is not MLflow's: a folder with one file. Its URI."""
    store, prefix = workspace.store, f"models/{name}/{version}/model"
    with translated("upload a model"):
        workspace.blobs.upload_blob(f"{prefix}/weights", b"1 2 3", overwrite=True)
    url = f"{workspace.cloud.blob_url(store.account)}/{store.container}/{prefix}"
    body = {"properties": {"modelUri": url, "modelType": "custom_model"}}
    workspace.arm.put(f"models/{name}/versions/{version}", "2023-08-01-preview", body)
    return f"azureml:{name}:{version}"


def a_spec(name: str, model_uri: str, conda: Path, *, crash: bool = False) -> DeploymentSpec:
    """A deployment of the contract's scoring script; `crash` makes it fail as it starts."""
    conda.write_text(CONDA)
    plain = a_deployment_spec(name, crash=crash, model_uri=model_uri)
    code = ScoringCode(str(SCORING), "score.py", str(conda))
    return replace(plain, scoring=code, readiness=Probe(period=1, failure_threshold=20))
