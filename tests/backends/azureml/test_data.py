"""Data on Azure ML, over the loopback Azure: pinned, verified, and sampled where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.backends.azureml.data import AzureData
from ctrain.backends.azureml.data_assets import DATA
from ctrain.backends.azureml.trainer import AzureTrainer
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.backends.local.data import LocalData
from ctrain.backends.local.home import Home
from ctrain.data import DataVersion, SampleSpec
from ctrain.errors import DataError, PipelineError, PlatformUnavailable, StillRunning
from ctrain.ports import Pace
from tests.azure.loopback import Loopback
from tests.backends.azureml.clocks import CountingClock
from tests.backends.azureml.pipelines import a_training, write_pipeline
from tests.backends.azureml.published import publish_data, upload

ROWS = "row_id,label\n" + "".join(f"{row},{'rare' if row % 97 == 0 else 'common'}\n" for row in range(2000))
SPEC = SampleSpec(0.1, "row_id", stratify="label", seed=5)
QUICK = Pace(0.05, 0.2, 0.1)


@pytest.fixture
def data(workspace: AzureWorkspace) -> AzureData:
    """A workspace that has `visits`, one file, in versions 1 and 2."""
    publish_data(workspace, "visits", "1", {"visits.csv": b"row_id,label\n1,common\n"})
    publish_data(workspace, "visits", "2", {"visits.csv": ROWS.encode()})
    return AzureData(workspace, "azureml:cpu-cluster", pace=QUICK)


def content(workspace: AzureWorkspace, version: DataVersion) -> dict[str, bytes]:
    """What is at an asset's place, by the files' names."""
    body = workspace.arm.get("data/{}/versions/{}".format(*version.uri.split(":")[1:]), DATA)
    assert body is not None
    path = body["properties"]["dataUri"].partition("/paths/")[2]  # type: ignore[index,call-overload,union-attr]
    found = list(workspace.blobs.list_blob_names(name_starts_with=path))
    return {name.rpartition("/")[2]: workspace.blobs.download_blob(name).readall() for name in found}


def test_latest_is_pinned_to_the_version_that_it_is(data: AzureData) -> None:
    """So that a release goes on with it whatever is registered meanwhile."""
    pinned = data.pin("azureml:visits@latest")

    assert (pinned.name, pinned.version, pinned.uri) == ("visits", "2", "azureml:visits:2")
    assert pinned == data.pin("azureml:visits:2")
    assert pinned.size == len(ROWS)


def test_a_file_that_changes_under_its_version_is_noticed(data: AzureData, workspace: AzureWorkspace) -> None:
    """Azure ML pins the place, and not what is there."""
    pinned = data.pin("azureml:visits:2")
    upload(workspace, "data/visits/2", {"visits.csv": ROWS.replace("rare", "RARE").encode()})

    with pytest.raises(DataError, match="changed"):
        data.verify(pinned)


def test_a_file_that_was_written_again_as_it_was_is_the_same(data: AzureData, workspace: AzureWorkspace) -> None:
    """By its MD5; its ETag is another."""
    pinned = data.pin("azureml:visits:2")
    upload(workspace, "data/visits/2", {"visits.csv": ROWS.encode()})

    data.verify(pinned)


def test_a_file_beside_the_pinned_one_is_no_change(data: AzureData, workspace: AzureWorkspace) -> None:
    """Though its name begins as the other's does."""
    pinned = data.pin("azureml:visits:2")
    upload(workspace, "data/visits/2", {"visits.csv.bak": b"x", "visits.csvs/part": b"x"})

    data.verify(pinned)


def test_a_file_more_in_a_folder_is_a_change(data: AzureData, workspace: AzureWorkspace) -> None:
    """All below a folder is the data."""
    publish_data(workspace, "parts", "1", {"a.csv": b"row_id\n1\n", "deep/b.csv": b"row_id\n2\n"})
    pinned = data.pin("azureml:parts@latest")
    upload(workspace, "data/parts/1", {"deep/c.csv": b"row_id\n3\n"})

    with pytest.raises(DataError, match="changed"):
        data.verify(pinned)


def test_a_path_in_a_datastore_is_pinned_by_its_content(data: AzureData, workspace: AzureWorkspace) -> None:
    """Its version begins its digest, as for a file on the laptop."""
    path = f"azureml://datastores/{workspace.store.name}/paths/data/visits/"
    pinned = data.pin(path)
    upload(workspace, "data/visits", {"3/more.csv": b"row_id\n1\n"})

    assert (pinned.name, pinned.version, pinned.uri) == ("visits", pinned.digest[:12], path)
    assert pinned.digest != data.pin(path).digest


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("azureml:visit@latest", "did you mean 'visits'"),
        ("azureml:visits:20", "its versions are 1, 2"),
        ("azureml:visits@stable", "one label only, `latest`"),
        ("azureml:visits", "no version"),
        ("azureml://datastores/nowhere/paths/visits/", "no blob datastore 'nowhere'"),
        ("azureml://datastores/workspaceblobstore/paths/nothing/here.csv", "there is nothing at"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(data: AzureData, reference: str, words: str) -> None:
    """The nearest name, the versions that there are, the label that there is."""
    with pytest.raises(DataError) as refused:
        data.pin(reference)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "path"), [("azureml:visits@latest", "data/visits"), ("azureml:visits:2", "data/visits/versions/2")]
)
def test_what_azure_lists_is_not_called_missing(azure: Loopback, data: AzureData, reference: str, path: str) -> None:
    """One 404 in a bad moment, and nobody is told to correct a name that is right."""
    azure.fault("answer", status=404, method="GET", path=rf".*/{path}(\?.*)?")

    with pytest.raises(PlatformUnavailable, match="could not be read"):
        data.pin(reference)


def test_archived_data_is_not_trained_on(data: AzureData, workspace: AzureWorkspace) -> None:
    """Whoever archived it had a reason."""
    body = workspace.arm.get("data/visits/versions/1", DATA) or {}
    workspace.arm.put("data/visits/versions/1", DATA, {"properties": {**body["properties"], "isArchived": True}})  # type: ignore[dict-item]

    with pytest.raises(DataError, match="archived"):
        data.pin("azureml:visits:1")


def test_data_of_another_type_than_the_input_is_refused(
    data: AzureData, workspace: AzureWorkspace, tmp_path: Path
) -> None:
    """In the plan, and not a cluster later."""
    publish_data(workspace, "parts", "1", {"a.csv": b"row_id\n1\n", "b.csv": b"row_id\n2\n"})
    file, trainer = write_pipeline(tmp_path), AzureTrainer(workspace)

    trainer.preview(a_training(file, rows=data.pin("azureml:visits:2").uri))
    with pytest.raises(PipelineError, match="'rows' is declared uri_file"):
        trainer.preview(a_training(file, rows=data.pin("azureml:parts:1").uri))


def test_a_sample_has_the_rows_that_the_laptops_has(
    data: AzureData, workspace: AzureWorkspace, tmp_path: Path, azure: Loopback
) -> None:
    """One definition: the same bytes, though one was made by a job on the cluster; and made once."""
    (tmp_path / "visits.csv").write_text(ROWS)
    local = LocalData(Home(tmp_path / ".ctrain"), tmp_path)
    ours = local.sample(local.pin("visits.csv"), SPEC)
    pinned = data.pin("azureml:visits:2")

    made = data.sample(pinned, SPEC)
    mark = azure.mark()
    again = data.sample(pinned, SPEC)

    assert content(workspace, made) == {"visits.csv": Path(ours.uri).read_bytes()}
    assert (made.name, made.sample, made.uri) == ("visits-sample", SPEC, f"azureml:visits-sample:{made.version}")
    assert again == made
    assert {call["method"] for call in azure.calls(since=mark)} == {"GET"}


def test_a_folder_is_sampled_as_a_folder(data: AzureData, workspace: AzureWorkspace) -> None:
    """Each part by itself, under its own name; the tags say of what, and how."""
    half = ROWS.splitlines(keepends=True)
    publish_data(workspace, "parts", "1", {"a.csv": "".join(half[:900]).encode(), "deep/b.csv": ROWS.encode()})

    made = data.sample(data.pin("azureml:parts:1"), SPEC)

    assert set(content(workspace, made)) == {"a.csv", "b.csv"}
    body = workspace.arm.get(f"data/{made.name}/versions/{made.version}", DATA) or {}
    properties = body["properties"]
    assert properties["dataType"] == "uri_folder"  # type: ignore[index,call-overload]
    assert properties["tags"]["ctrain.sample.of"] == "azureml:parts:1"  # type: ignore[index,call-overload]


def test_a_sample_that_cannot_be_made_says_why(data: AzureData) -> None:
    """With the end of the job's log, in the same words as on the laptop; the next attempt is another job."""
    pinned = data.pin("azureml:visits:2")

    for attempt in (1, 2):
        with pytest.raises(DataError, match="no column 'row'") as refused:
            data.sample(pinned, SampleSpec(0.1, "row"))
        assert f"-{attempt} ended as Failed" in refused.value.why


def test_a_sampling_job_is_adopted_and_waited_for_within_bounds(
    data: AzureData, workspace: AzureWorkspace, azure: Loopback
) -> None:
    """Whoever comes later finds the job under its name; nobody waits without end."""
    pinned = data.pin("azureml:visits:2")
    azure.durations(job_prepare=1e6)
    try:
        workspace.session.clock = CountingClock()
        impatient = AzureData(workspace, "cpu-cluster")
        with pytest.raises(StillRunning, match="run the same command again"):
            impatient.sample(pinned, SPEC)
        mark = azure.mark()
        with pytest.raises(StillRunning):
            impatient.sample(pinned, SPEC)
    finally:
        azure.durations(job_prepare=0)

    assert not [call for call in azure.calls(since=mark) if call["method"] == "PUT" and "/jobs/" in call["path"]]
    assert len(azure.calls(since=mark)) < 130


def test_each_datastore_is_opened_once(data: AzureData, azure: Loopback) -> None:
    """Its secret is asked for once in a run."""
    mark = azure.mark()
    for _ in range(3):
        data.verify(data.pin("azureml:visits:2"))

    assert len([call for call in azure.calls(since=mark) if call["path"].endswith("/listSecrets")]) == 1
