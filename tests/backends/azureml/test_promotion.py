"""The same bytes for a stage in another workspace: copied, or shared through a registry; proven by digest."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.backends.azureml.bodies import texts
from ctrain.backends.azureml.models import MODELS
from ctrain.backends.azureml.registry import AzureRegistry
from ctrain.backends.azureml.shelf import PIECE
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.digest import tree_digest
from ctrain.errors import Conflict, CtrainError
from ctrain.rollout import Stage
from ctrain.serving import WorkspaceAddress
from ctrain.version import ModelVersion
from tests.azure.loopback import SUBSCRIPTION, Loopback
from tests.backends.azureml.test_registry import ARM, BLOBS, a_model, opened, registered, tags
from tests.builders import a_lineage


@pytest.fixture
def registry(workspace: AzureWorkspace) -> AzureRegistry:
    return opened(workspace)


@pytest.fixture
def prod(azure: Loopback, session: AzureSession) -> AzureWorkspace:
    """The workspace of the stage `prod`, in another group and region."""
    return AzureWorkspace(azure.add_workspace(group="production", location="northeurope").address, session)


def stage(prod: AzureWorkspace) -> Stage:
    return Stage("prod", "visits-prod", workspace=prod.address)


def writes(azure: Loopback, mark: int) -> list[str]:
    return [call["path"] for call in azure.calls(since=mark) if call["method"] not in {"GET", "HEAD", "POST"}]


def test_a_stage_in_our_own_workspace_has_the_version_already(registry: AzureRegistry, tmp_path: Path) -> None:
    """However its address is spelled: Azure's names have no case."""
    made = registered(registry, a_model(tmp_path / "m"))
    address = registry._workspace.address
    shouted = WorkspaceAddress(address.subscription_id, address.resource_group.upper(), address.workspace.upper())

    assert registry.promote(made, Stage("dev", "visits-dev")) == made.uri
    assert registry.promote(made, Stage("dev", "visits-dev", workspace=shouted)) == made.uri


def test_the_bytes_are_copied_to_the_stages_workspace(
    registry: AzureRegistry, prod: AzureWorkspace, tmp_path: Path
) -> None:
    """Registered there under the same name and number, with the same digest, lineage and tags."""
    large = bytes(range(256)) * (PIECE // 256) + b"and more"
    files = a_model(tmp_path / "m", MLmodel="flavors: {}", large__bin=large, empty__txt="", conda_in_env__yml="x: 1")
    made = registered(registry, files)

    assert registry.promote(made, stage(prod)) == made.uri

    assert opened(prod).versions("visits") == [made]
    root = f"ctrain/models/visits/files/{made.digest}/model"
    for name in ("MLmodel", "large.bin", "empty.txt", "conda/env.yml"):
        assert prod.blobs.download_blob(f"{root}/{name}").readall() == (files / name).read_bytes()
    body = prod.arm.get("models/visits/versions/1", MODELS)
    assert texts(body, "properties")["modelType"] == "mlflow_model"
    assert f"/workspaces/{prod.address.workspace}/" in texts(body, "properties")["modelUri"]
    assert tags(prod)["ctrain.stage.prod"] == tags(registry._workspace)["ctrain.stage.prod"] == "visits-prod"


def test_a_single_file_is_copied_as_one(registry: AzureRegistry, prod: AzureWorkspace, tmp_path: Path) -> None:
    """Its digest is the file's own."""
    made = registered(registry, a_model(tmp_path / "m") / "weights.txt")

    registry.promote(made, stage(prod))

    assert opened(prod).versions("visits") == [made]


def test_a_version_that_is_there_already_costs_one_call_there(
    registry: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """And writes nothing."""
    made = registered(registry, a_model(tmp_path / "m"))
    registry.promote(made, stage(prod))
    mark = azure.mark()

    assert registry.promote(made, stage(prod)) == made.uri
    assert writes(azure, mark) == []
    assert len(azure.calls(since=mark, path=rf".*/{prod.address.workspace}/.*")) == 1


def test_a_copy_that_was_cut_off_goes_on_with_what_is_missing(
    registry: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """The version is there once all its files are."""
    made = registered(registry, a_model(tmp_path / "m", a="1", b="2", c="3", d="4"))
    azure.fault("answer", method="PUT", host=BLOBS, path=r".*/model/c.*", status=403)
    with pytest.raises(CtrainError):
        registry.promote(made, stage(prod))
    assert opened(prod).versions("visits") == []
    there = len(list(prod.blobs.list_blobs(name_starts_with="ctrain/models/visits/files/")))
    mark = azure.mark()

    registry.promote(made, stage(prod))

    assert len([path for path in writes(azure, mark) if "/files/" in path]) == 4 - there
    assert opened(prod).versions("visits") == [made]


@pytest.mark.parametrize("call", ["claim", "register"])
def test_a_copy_that_was_cut_off_before_it_was_registered_is_finished(
    registry: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path, call: str
) -> None:
    """No file is copied twice."""
    made = registered(registry, a_model(tmp_path / "m"))
    host, path = (BLOBS, r".*/versions/00000001.*") if call == "claim" else (ARM, r".*/models/visits/versions/1\b.*")
    azure.fault("answer", method="PUT", host=host, path=path, status=403)
    with pytest.raises(CtrainError):
        registry.promote(made, stage(prod))
    mark = azure.mark()

    registry.promote(made, stage(prod))

    assert not [path for path in writes(azure, mark) if "/files/" in path]
    assert opened(prod).versions("visits") == [made]


def test_other_content_under_that_number_is_a_conflict(
    registry: AzureRegistry, prod: AzureWorkspace, tmp_path: Path
) -> None:
    """What is there stays."""
    theirs = registered(opened(prod), a_model(tmp_path / "theirs", a="theirs"))
    made = registered(registry, a_model(tmp_path / "ours"))

    with pytest.raises(Conflict, match="other content under that name and number"):
        registry.promote(made, stage(prod))
    assert opened(prod).versions("visits") == [theirs]


def test_other_content_that_is_only_claimed_is_a_conflict_too(
    registry: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """Somebody is about to register it."""
    azure.fault("answer", method="PUT", host=ARM, path=r".*/models/visits/versions/1\b.*", status=403)
    with pytest.raises(CtrainError):
        registered(opened(prod), a_model(tmp_path / "theirs", a="theirs"))
    made = registered(registry, a_model(tmp_path / "ours"))

    with pytest.raises(Conflict, match="other content under that name and number"):
        registry.promote(made, stage(prod))
    assert opened(prod).versions("visits") == []


@pytest.mark.parametrize("where", ["source", "target"])
def test_files_that_somebody_changed_are_not_promoted(
    registry: AzureRegistry, prod: AzureWorkspace, tmp_path: Path, where: str
) -> None:
    """Neither what was changed at the source, nor what was put in its place at the target, has the digest."""
    made = registered(registry, a_model(tmp_path / "m"))
    store = registry._workspace.blobs if where == "source" else prod.blobs
    name = f"ctrain/models/visits/files/{made.digest}/model/weights.txt"
    store.upload_blob(name, b"4 5 6", overwrite=True, metadata={"sha256": "0" * 64})

    with pytest.raises(Conflict, match="is not"):
        registry.promote(made, stage(prod))
    assert opened(prod).versions("visits") == []


def test_a_version_that_ctrain_did_not_register_is_not_promoted(
    registry: AzureRegistry, prod: AzureWorkspace, tmp_path: Path
) -> None:
    """There is no digest that would prove anything."""
    made = registered(registry, a_model(tmp_path / "m"))

    with pytest.raises(Conflict, match="no record of how it was registered"):
        registry.promote(replace(made, version=7), stage(prod))


@pytest.fixture
def shared(azure: Loopback, workspace: AzureWorkspace) -> AzureRegistry:
    """A registry whose models go through an Azure ML registry."""
    name = f"reg{uuid.uuid4().hex[:8]}"
    azure.control("POST", "/registries", {"name": name, "subscription_id": SUBSCRIPTION, "resource_group": "loopback"})

    def at(address: WorkspaceAddress) -> AzureWorkspace:
        return AzureWorkspace(address, workspace.session)

    return AzureRegistry(workspace, at, name)


def test_a_version_is_shared_through_the_registry(
    shared: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """Once, whatever the stage and the process; what it has there was digested."""
    made = registered(shared, a_model(tmp_path / "m", MLmodel="flavors: {}", conda_in_env__yml="x: 1"))

    uri = shared.promote(made, stage(prod))

    name = shared._shared._name if shared._shared else ""
    assert uri == f"azureml://registries/{name}/models/visits/versions/1"
    again = AzureRegistry(shared._workspace, lambda address: AzureWorkspace(address, prod.session), name)
    mark = azure.mark()
    assert shared.promote(made, stage(prod)) == again.promote(made, stage(prod)) == uri
    assert writes(azure, mark) == []
    assert prod.arm.get("models/visits", MODELS) is None


def test_what_was_shared_and_not_yet_proven_is_proven_by_the_next_run(
    shared: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """Killed right after the share: what the registry has is read back all the same."""
    made = registered(shared, a_model(tmp_path / "m"))
    azure.fault("answer", method="PUT", host=BLOBS, path=r".*/models/visits/shared/.*", status=403)
    with pytest.raises(CtrainError):
        shared.promote(made, stage(prod))
    mark = azure.mark()

    shared.promote(made, stage(prod))
    shared.promote(made, stage(prod))

    assert len(azure.calls(since=mark, host=BLOBS, method="GET", path=r".*/weights\.txt")) == 1


def test_a_single_file_is_shared_as_one(shared: AzureRegistry, prod: AzureWorkspace, tmp_path: Path) -> None:
    """Read back and digested as a file."""
    made = registered(shared, a_model(tmp_path / "m") / "weights.txt")

    assert shared.promote(made, stage(prod)).endswith("/models/visits/versions/1")


def test_other_content_in_the_registry_is_a_conflict(
    shared: AzureRegistry, prod: AzureWorkspace, azure: Loopback, session: AzureSession, tmp_path: Path
) -> None:
    """Registered there from somewhere else, under the same name and number."""
    elsewhere = AzureWorkspace(azure.add_workspace().address, session)
    name = shared._shared._name if shared._shared else ""
    theirs = AzureRegistry(elsewhere, lambda address: AzureWorkspace(address, session), name)
    theirs.promote(registered(theirs, a_model(tmp_path / "theirs", a="theirs")), stage(prod))
    made = registered(shared, a_model(tmp_path / "ours"))

    with pytest.raises(Conflict, match="other content under that name and number"):
        shared.promote(made, stage(prod))


@pytest.mark.parametrize("act", ["answer", "answer after"])
def test_a_run_that_is_cut_off_at_any_write_is_finished_by_the_next_one(
    registry: AzureRegistry, prod: AzureWorkspace, azure: Loopback, tmp_path: Path, act: str
) -> None:
    """Before the write, and after it took effect: registered once, promoted once, crowned."""
    cut_off = 0
    for nth in range(1, 11):
        name, files = f"visits-{nth}", a_model(tmp_path / str(nth))

        def deliver(name: str = name, files: Path = files) -> ModelVersion:
            made = registry.register(name, files, tree_digest(files), a_lineage())
            registry.promote(made, stage(prod))
            registry.crown(made)
            return made

        rule = azure.fault(act, method="PUT", nth=nth, status=403)
        try:
            deliver()
        except CtrainError:
            cut_off += 1
        azure.control("DELETE", f"/faults/{rule}")
        made = deliver()

        assert opened(prod).versions(name) == registry.versions(name) == [made]
        assert (made.version, registry.champion(name)) == (1, made)
    assert cut_off == 7  # the other writes are tags for the Studio; the tenth does not come
