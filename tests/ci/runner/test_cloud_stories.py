"""Our workflows against a loopback Azure: signed in by the identity of each job, without a secret anywhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.azure.loopback import Loopback
from tests.ci.runner.stories import put_on_devops, put_on_github
from tests.ci.services import devops as devops_service
from tests.ci.services.devops import devops
from tests.ci.services.github import NUMBER, github
from tests.e2e.azure import AzureTiny, azure_tiny
from tests.e2e.repository import environment

pytestmark = [pytest.mark.e2e, pytest.mark.long]
EVERYWHERE = {"dev": 1, "test": 1, "prod": 1}


def begun(root: Path, azure: Loopback, patch: pytest.MonkeyPatch, ci: str) -> AzureTiny:
    """The tiny project in three workspaces, with the CI files that `ctrain init` writes for it."""
    tiny = azure_tiny(root / "user", azure, patch)
    said = tiny.repository.ctrain(
        "init", "--yes", "--ci", ci, "--backend", "azureml", "--stages", "dev,test,prod", CTRAIN_BACKEND="local"
    )
    assert said.code == 0, said.err
    tiny.repository.commit("Begin with ctrain")
    return tiny


def machine(root: Path, azure: Loopback) -> Mapping[str, str]:
    """A fresh job's: it reaches Azure, and holds no key to it."""
    return {**environment(), **azure.environment(), "HOME": str(root), "PATH": os.environ["PATH"]}


def test_a_pull_request_and_a_merge_on_github(tmp_path: Path, azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the token that GitHub gives a job with `id-token: write`; through three workspaces; no secret is shown."""
    tiny = begun(tmp_path, azure, monkeypatch, "github")
    told = azure.github()
    identity = {name: value for name, value in told.items() if name.startswith("ACTIONS_")}
    names = {name: told[name] for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")}
    with github() as service:
        story = put_on_github(
            tiny.repository,
            tmp_path / "github",
            service,
            machine(tmp_path, azure),
            variables=names,
            identity_of=lambda _: identity,
        )
        story.change("change", "factor: 0.9", "factor: 0.8")
        (pull,) = story.hub.pull_request(NUMBER, "change")
        assert pull.wait(600).conclusion == "success", pull.text()
        assert list(pull.jobs) == ["ctrain/train/ctrain"]
        assert len(service.comments) == 1

        (merge,) = story.hub.push()
        assert merge.wait(600).conclusion == "success", merge.text()

    assert tiny.repository.serving() == EVERYWHERE
    assert [one.environment for one in story.hub.deployments] == ["dev", "test", "prod"]
    shown = pull.text() + merge.text() + str(service.comments)
    assert not [kind for secret, kind in azure.secrets().items() if secret in shown]


def test_a_merge_on_azure_devops(tmp_path: Path, azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service connection of each stage, with workload identity."""
    tiny = begun(tmp_path, azure, monkeypatch, "azure-devops")
    told = azure.pipelines()
    connection = {name: value for name, value in told.items() if name.startswith("AZURESUBSCRIPTION_")}
    monkeypatch.setattr(devops_service, "TOKEN", told["SYSTEM_ACCESSTOKEN"])
    with devops() as service:
        story = put_on_devops(
            tiny.repository,
            tmp_path / "devops",
            service,
            {**machine(tmp_path, azure), "SYSTEM_OIDCREQUESTURI": told["SYSTEM_OIDCREQUESTURI"]},
            connections={f"ctrain-{name}": connection for name in ("train", *EVERYWHERE)},
        )
        (build,) = story.hub.push()
        assert build.wait(600).result == "Succeeded", build.text()

    assert tiny.repository.serving() == EVERYWHERE
    assert [name for name, _, _ in story.hub.deployments] == ["dev", "test", "prod"]
    assert not [kind for secret, kind in azure.secrets().items() if secret in build.text()]
