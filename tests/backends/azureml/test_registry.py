"""The registry on Azure ML: what is stored, what it costs, and what happens when two write at once or one is killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.backends.azureml.blobs import listed
from ctrain.backends.azureml.bodies import texts
from ctrain.backends.azureml.models import MODELS
from ctrain.backends.azureml.registry import AzureRegistry
from ctrain.backends.azureml.shelf import PIECE
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.digest import tree_digest
from ctrain.errors import Conflict, CtrainError, UsageError
from ctrain.rollout import Stage
from ctrain.serving import WorkspaceAddress
from ctrain.version import ModelVersion
from tests.azure.loopback import Loopback
from tests.builders import a_lineage, a_version

BLOBS = r".*\.blob\..*"
ARM = r"management\..*"


def a_model(folder: Path, **files: str | bytes) -> Path:
    """A folder with these files; dots in names are written as __, folders as _in_."""
    for name, content in (files or {"weights__txt": "1 2 3"}).items():
        file = folder / name.replace("__", ".").replace("_in_", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def opened(workspace: AzureWorkspace) -> AzureRegistry:
    """The registry, as one process has it."""

    def at(address: WorkspaceAddress) -> AzureWorkspace:
        return AzureWorkspace(address, workspace.session)

    return AzureRegistry(workspace, at)


@pytest.fixture
def registry(workspace: AzureWorkspace) -> AzureRegistry:
    return opened(workspace)


def registered(registry: AzureRegistry, files: Path, release: str = "main-b41c9e2-1") -> ModelVersion:
    return registry.register("visits", files, tree_digest(files), a_lineage(release=release))


def tags(workspace: AzureWorkspace, number: int = 1) -> dict[str, str]:
    """As the Studio shows them."""
    return dict(texts(workspace.arm.get(f"models/visits/versions/{number}", MODELS), "properties", "tags"))


def at_once(acts: list[Callable[[], None]]) -> None:
    """All of them at the same moment."""
    barrier = threading.Barrier(len(acts))

    def act(one: Callable[[], None]) -> None:
        barrier.wait()
        one()

    threads = [threading.Thread(target=act, args=(one,)) for one in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_folder_with_an_mlmodel_is_registered_as_an_mlflow_model(
    registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """So that it can be deployed without code; anything else is a custom model, a single file too."""
    registered(registry, a_model(tmp_path / "a", MLmodel="flavors: {}", data_in_model__bin="1"))
    registered(registry, a_model(tmp_path / "b"))
    registered(registry, a_model(tmp_path / "c") / "weights.txt")

    found = [workspace.arm.get(f"models/visits/versions/{number}", MODELS) or {} for number in (1, 2, 3)]
    assert [texts(body, "properties")["modelType"] for body in found] == [
        "mlflow_model",
        "custom_model",
        "custom_model",
    ]
    ends = [texts(body, "properties")["modelUri"].rpartition("/")[2] for body in found]
    assert ends == ["model", "model", "weights.txt"]


def test_the_files_are_in_the_default_datastore_byte_for_byte(
    registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """Also empty ones, ones in folders, and ones that are sent in several blocks."""
    large = bytes(range(256)) * (PIECE // 256) + b"and more"
    files = a_model(tmp_path / "m", large__bin=large, empty__txt="", conda_in_env__yml="x: 1")

    made = registered(registry, files)

    root = f"ctrain/models/visits/files/{made.digest}/model"
    stored = {name: workspace.blobs.download_blob(f"{root}/{name}").readall() for name in _names(files)}
    assert stored == {name: (files / name).read_bytes() for name in _names(files)}
    assert stored["large.bin"] == large


def _names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def test_what_registering_costs(registry: AzureRegistry, azure: Loopback, tmp_path: Path) -> None:
    """Three calls to Azure's management, five to storage beside the files; a second time one, which writes nothing."""
    registry.champion("visits")
    files = a_model(tmp_path / "m", a="1", b="2", c="3")
    mark = azure.mark()
    registered(registry, files)
    first = azure.mark()
    registered(registry, files)

    arm = [call["method"] for call in azure.calls(since=mark, host=ARM)][:3]
    blob = sorted(call["method"] for call in azure.calls(since=mark, host=BLOBS))
    assert (arm, blob) == (["GET", "GET", "PUT"], ["GET", "GET", "GET", "GET", "PUT", "PUT", "PUT", "PUT"])
    assert [call["method"] for call in azure.calls(since=first)] == ["GET"]


def test_writers_of_different_bytes_at_once_get_different_versions(workspace: AzureWorkspace, tmp_path: Path) -> None:
    """No number is given twice, and each has the files that were registered under it."""
    folders = [a_model(tmp_path / str(number), weights__txt=str(number)) for number in range(5)]
    made: dict[int, ModelVersion] = {}

    def register(number: int) -> None:
        made[number] = registered(opened(workspace), folders[number])

    at_once([lambda number=number: register(number) for number in range(5)])  # type: ignore[misc]

    assert sorted(version.version for version in made.values()) == [1, 2, 3, 4, 5]
    listing = {version.version: version.digest for version in opened(workspace).versions("visits")}
    assert listing == {made[number].version: tree_digest(folders[number]) for number in range(5)}


def test_writers_of_the_same_bytes_at_once_get_one_version(workspace: AzureWorkspace, tmp_path: Path) -> None:
    """With the lineage of the one who claimed its number."""
    files = a_model(tmp_path / "m")
    made: list[ModelVersion] = []
    at_once(
        [
            lambda number=number: made.append(registered(opened(workspace), files, f"r-{number}"))  # type: ignore[misc]
            for number in range(4)
        ]
    )

    assert made == [made[0]] * 4
    assert opened(workspace).versions("visits") == [made[0]]


def test_an_upload_that_was_cut_off_goes_on_with_what_is_missing(
    registry: AzureRegistry, workspace: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """No version is there before all its files are; none is sent twice."""
    files = a_model(tmp_path / "m", a="1", b="2", c="3", d="4")
    azure.fault("answer", method="PUT", host=BLOBS, path=r".*/model/c.*", status=403)
    with pytest.raises(CtrainError):
        registered(registry, files)
    assert registry.versions("visits") == []
    there = {blob.name.rpartition("/")[2] for blob in listed(workspace.blobs, "ctrain/models/visits/files/")}
    assert "c" not in there
    mark = azure.mark()

    assert registered(registry, files).version == 1
    sent = azure.calls(since=mark, host=BLOBS, method="PUT", path=r".*/files/.*")
    assert len(sent) == 4 - len(there)


def test_a_number_that_was_claimed_and_never_registered_is_taken_up_again(
    registry: AzureRegistry, azure: Loopback, tmp_path: Path
) -> None:
    """By whoever registers the same content; another content gets another number."""
    files, other = a_model(tmp_path / "m"), a_model(tmp_path / "n", weights__txt="other")
    azure.fault("answer", method="PUT", host=ARM, path=r".*/models/visits/versions/1\b.*", status=403)
    with pytest.raises(CtrainError):
        registered(registry, files)

    assert registered(registry, other).version == 2
    assert registered(registry, files).version == 1


def test_a_version_whose_answer_was_lost_is_registered_once(
    registry: AzureRegistry, azure: Loopback, tmp_path: Path
) -> None:
    """The PUT took effect; what is there is ours."""
    azure.fault("answer after", method="PUT", host=ARM, path=r".*/models/visits/versions/1\b.*", status=409)

    assert registered(registry, a_model(tmp_path / "m")).version == 1
    assert len(registry.versions("visits")) == 1


def test_a_number_that_somebody_took_by_other_means_is_passed_over(
    registry: AzureRegistry, workspace: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """By the SDK, at the very moment: theirs stays theirs, and is listed with what is known of it."""
    theirs = {"properties": {"modelUri": "azureml://datastores/other/paths/x", "modelType": "custom_model"}}
    path = f"{workspace.arm_id}/models/visits/versions/1?api-version={MODELS}"
    change = {"method": "PUT", "path": path, "body": theirs}
    azure.fault("change", method="PUT", host=ARM, path=r".*/models/visits/versions/1\b.*", change=change)

    made = registered(registry, a_model(tmp_path / "m"))

    assert made.version == 2
    assert [(version.version, version.digest) for version in registry.versions("visits")] == [(1, ""), (2, made.digest)]


def test_an_archived_version_is_still_there(registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path) -> None:
    """Out of sight in the Studio; its number is taken, and its content registered."""
    files = a_model(tmp_path / "m")
    made = registered(registry, files)
    body = workspace.arm.get("models/visits/versions/1", MODELS) or {}
    kept = {k: v for k, v in dict(body["properties"]).items() if v is not None and k != "provisioningState"}  # type: ignore[arg-type]
    workspace.arm.put("models/visits/versions/1", MODELS, {"properties": {**kept, "isArchived": True}})

    assert registry.versions("visits") == [made]
    assert registered(registry, files) == made


def test_a_lineage_of_any_length_is_kept(registry: AzureRegistry, tmp_path: Path) -> None:
    """In parts among the properties; one that does not fit there in the version's record."""
    some = replace(a_lineage(), parameters={f"p{n}": "ü" * 300 + str(n) for n in range(10)} | {"x": 1.5, "on": True})
    more = replace(a_lineage(), parameters={f"p{n}": "x" * 1000 for n in range(60)})
    one, two = a_model(tmp_path / "one", a="1"), a_model(tmp_path / "two", a="2")
    registry.register("visits", one, tree_digest(one), some)
    registry.register("visits", two, tree_digest(two), more)

    assert [version.lineage for version in registry.versions("visits")] == [some, more]


def test_the_studio_shows_where_a_version_comes_from_and_what_became_of_it(
    registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """By short tags; the crown moves."""
    first = registered(registry, a_model(tmp_path / "one"))
    registry.promote(first, Stage("prod", "visits-prod"))
    registry.crown(first)
    second = registered(registry, a_model(tmp_path / "two", a="2"))
    crowned = tags(workspace)
    registry.crown(second)

    assert crowned == {
        "ctrain.release": "main-b41c9e2-1",
        "ctrain.commit": first.lineage.commit,
        "ctrain.branch": "main",
        "ctrain.job": "j",
        "ctrain.data": "visits:1",
        "ctrain.verdict": "pass",
        "ctrain.digest": first.digest,
        "ctrain.stage.prod": "visits-prod",
        "ctrain.champion": "yes",
    }
    assert "ctrain.champion" not in tags(workspace)
    assert tags(workspace, 2)["ctrain.champion"] == "yes"


def test_the_champion_is_read_in_one_call_and_crowned_again_without_a_write(
    registry: AzureRegistry, azure: Loopback, tmp_path: Path
) -> None:
    """Running a finished release again changes nothing."""
    made = registered(registry, a_model(tmp_path / "m"))
    registry.crown(made)
    mark = azure.mark()

    assert registry.champion("visits") == made
    assert len(azure.calls(since=mark)) == 1
    registry.crown(made)
    assert registry.promote(made, Stage("dev", "visits-dev")) == made.uri
    mark = azure.mark()
    registry.crown(made)
    registry.promote(made, Stage("dev", "visits-dev"))
    assert {call["method"] for call in azure.calls(since=mark)} == {"GET"}


def test_a_models_name_is_one_projects(registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path) -> None:
    """Another's champion is neither compared with nor replaced: its project serves it."""
    ours, theirs = (AzureRegistry(workspace, lambda _: workspace, project=name) for name in ("visits", "other"))
    version = registered(ours, a_model(tmp_path / "model"))
    ours.crown(version)

    assert ours.champion("visits") == version
    assert registry.champion("visits") == version
    other = theirs.register("visits", (files := a_model(tmp_path / "other", a="2")), tree_digest(files), a_lineage())
    with pytest.raises(UsageError, match="the model visits is the project visits's"):
        theirs.crown(other)
    with pytest.raises(UsageError, match="the model visits is the project visits's"):
        theirs.champion("visits")
    assert ours.champion("visits") == version


def test_only_a_version_that_is_there_is_crowned(registry: AzureRegistry, tmp_path: Path) -> None:
    """By number and digest."""
    made = registered(registry, a_model(tmp_path / "m"))

    for other in (a_version(7), replace(made, digest="0" * 64)):
        with pytest.raises(Conflict, match="cannot become the champion"):
            registry.crown(other)
    assert registry.champion("visits") is None


def test_two_crowns_at_once_are_told_apart(
    registry: AzureRegistry, workspace: AzureWorkspace, azure: Loopback, tmp_path: Path
) -> None:
    """The pointer is changed only where it is what we read."""
    one, two = (
        registered(registry, a_model(tmp_path / "a", a="1")),
        registered(registry, a_model(tmp_path / "b", a="2")),
    )
    three = registered(registry, a_model(tmp_path / "c", a="3"))
    registry.crown(one)
    ended: list[str] = []

    def crown(version: ModelVersion) -> None:
        try:
            opened(workspace).crown(version)
            ended.append("crowned")
        except Conflict:
            ended.append("refused")

    at_once([lambda: crown(two), lambda: crown(three)])

    assert "crowned" in ended
    assert registry.champion("visits") in (two, three)


def test_a_champion_that_was_deleted_stays_the_champion(
    registry: AzureRegistry, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """A challenger must not win unopposed because somebody tidied up."""
    made = registered(registry, a_model(tmp_path / "m"))
    registry.crown(made)
    workspace.arm.delete("models/visits/versions/1", MODELS)

    assert registry.champion("visits") == made


def test_a_name_that_azure_does_not_take_is_refused_before_anything_is_sent(
    registry: AzureRegistry, azure: Loopback, tmp_path: Path
) -> None:
    """Bad usage."""
    mark = azure.mark()
    for name in ("", "a/b", "-a", "a b", "ü", "x" * 256):
        with pytest.raises(UsageError, match="cannot name a model"):
            registry.versions(name)
    assert azure.calls(since=mark) == []


def test_an_empty_folder_is_no_model(registry: AzureRegistry, tmp_path: Path) -> None:
    """There is nothing to serve."""
    (tmp_path / "m").mkdir()

    with pytest.raises(UsageError, match="no model"):
        registry.register("visits", tmp_path / "m", tree_digest(tmp_path / "m"), a_lineage())
