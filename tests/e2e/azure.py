"""The tiny project on Azure ML: dev, test and prod in three workspaces of a loopback Azure."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ctrain.backends.azureml.ledger import AzureLedger
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.events import Event
from tests.azure.fixtures import FOREIGN
from tests.azure.loopback import Loopback, Place
from tests.e2e.repository import LIMIT, Repository, Said
from tests.e2e.tiny import CONFIGURATION, FILES, PIPELINE, write

STAGES = ("dev", "test", "prod")

COMPUTE = "settings: {default_compute: azureml:cpu-cluster}\n"
CONDA = """\
name: tiny
channels: [conda-forge]
dependencies: [python=3.11, pip, {pip: [azureml-inference-server-http]}]
"""


@dataclass(frozen=True)
class AzureTiny:
    """The repository, and the three workspaces by stage; the first one is the project's own."""

    repository: Repository
    azure: Loopback
    places: dict[str, Place]

    @property
    def ledger(self) -> AzureLedger:
        """What a person with the right to read would see. For a process that has the loopback's environment."""
        return AzureLedger(AzureWorkspace(self.places["dev"].address, AzureSession(SystemClock())), "tiny")

    def events(self) -> list[Event]:
        """All events so far, of all releases, oldest release first."""
        ledger = self.ledger
        return [event for release in ledger.releases() for event in ledger.events(release)]

    def run(self, trigger: str = "main") -> Said:
        return self.repository.ctrain("run", "--trigger", trigger)

    def kill(self, kind: str) -> None:
        """Start `ctrain run`, and kill it as soon as that event is in the ledger."""
        before = len(self.events())
        process = self.repository.start("run", "--trigger", "main")
        limit = time.monotonic() + LIMIT
        try:
            while process.poll() is None and kind not in [event.what.kind for event in self.events()[before:]]:
                assert time.monotonic() < limit, f"{kind} did not happen"
                time.sleep(0.02)
        finally:
            process.kill()
            process.communicate()

    def writes(self, since: int) -> list[str]:
        """What was changed in Azure since that place in the journal: method and path, without locks and questions."""
        asks = ("/oauth2/", "listKeys", "listSecrets", "/token", "rundata", "/query", "/entities", "batchget", "search")
        return [
            f"{call['method']} {call['host']}{call['path']} {call['status']}"
            for call in self.azure.calls(since=since)
            if call["method"] not in ("GET", "HEAD", "OPTIONS", "CONNECT")
            and not any(word.lower() in call["path"].lower() for word in asks)
            and "comp=lease" not in call["path"]
            and "/locks/" not in call["path"]
        ]


def azure_tiny(
    root: Path, azure: Loopback, patch: pytest.MonkeyPatch, changed: dict[str, str] | None = None
) -> AzureTiny:
    """The tiny project in a repository, its data and environment in the first of three fresh workspaces.

    This process is signed in to the loopback Azure as the project's runs are, for as long as `patch` lasts.
    """
    places = {
        "dev": azure.add_workspace(),
        "test": azure.add_workspace(group="loopback-test"),
        "prod": azure.add_workspace(group="loopback-prod", location="northeurope"),
    }
    files = {
        **FILES,
        "ctrain.yaml": _configuration(places),
        "train.yml": PIPELINE.replace(
            "type: pipeline\n", "type: pipeline\nsettings: {default_compute: azureml:cpu-cluster}\n"
        ),
        "scoring/conda.yml": CONDA,
        **(changed or {}),
    }
    write(root, files)
    variables = {**azure.environment(), **azure.service_principal(), "CTRAIN_BACKEND": "azureml"}
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)
    repository = Repository(root, variables)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("A tiny project")
    _seed(places["dev"], root)
    return AzureTiny(repository, azure, places)


def _configuration(places: dict[str, Place]) -> str:
    text = CONFIGURATION
    start, end = text.index("deployment:"), text.index("triggers:")
    home = places["dev"].address
    lines = [
        "deployment: {scoring: {code: scoring, script: score.py, environment: scoring/conda.yml}}",
        "stages:",
        *(f"  {stage}: {{{_stage(stage, places)}}}" for stage in STAGES),
        "backends:",
        "  azureml:",
        f"    subscription_id: {home.subscription_id}",
        f"    resource_group: {home.resource_group}",
        f"    workspace: {home.workspace}",
        "",
    ]
    text = text[:start] + "\n".join(lines) + text[end:]
    text = text.replace("local: rows.csv", "local: rows.csv\n  azureml: azureml:rows@latest")
    return text.replace("deploy: [dev, prod]", "deploy: [dev, test, prod]")


def _stage(stage: str, places: dict[str, Place]) -> str:
    # Endpoint names are unique in a region, and the loopback Azure is shared by tests.
    name = f"tiny-{stage}-{places['dev'].address.workspace[-8:]}"
    own = places[stage].address
    elsewhere = f", azureml: {{resource_group: {own.resource_group}, workspace: {own.workspace}}}"
    return f"endpoint: {name}, smoke: {{golden: 3}}{elsewhere if stage != 'dev' else ''}"


def _seed(place: Place, root: Path) -> None:
    """The data asset and the environment that the pipeline names, made by Microsoft's SDK as a user makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own, of marshmallow
        from azure.ai.ml.entities import Data, Environment

    client = AzureWorkspace(place.address, AzureSession(SystemClock())).client
    client.data.create_or_update(Data(name="rows", version="1", type="uri_file", path=str(root / "rows.csv")))
    image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
    client.environments.create_or_update(Environment(name="python-plain", version="1", image=image))


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.what.kind for event in events]
