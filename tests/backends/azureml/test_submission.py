"""What goes to Azure ML is the user's YAML, with what a release fills in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ctrain.backends.azureml.git_remote import COMMIT, REPOSITORY
from ctrain.backends.azureml.preview import read_for_azure
from ctrain.backends.azureml.quiet import quiet
from ctrain.backends.azureml.submission import load
from ctrain.errors import PipelineError
from tests.backends.azureml.pipelines import a_training, write_pipeline

REFERENCE = Path(__file__).parents[3] / "pipelines" / "train.yml"


def test_inputs_are_filled_and_the_rest_stays(tmp_path: Path) -> None:
    """The asset by its reference and declared type, with the user's own mode; the literal by its value."""
    spec = a_training(write_pipeline(tmp_path), rows="azureml:visits:3", rate=0.5)

    with quiet():
        job = load(spec, read_for_azure(spec))._to_dict()

    assert job["inputs"]["rows"] == {"type": "uri_file", "path": "azureml:visits:3", "mode": "download"}
    assert str(job["inputs"]["rate"]) == "0.5"
    assert job["settings"] == {"default_compute": "azureml:cpu-cluster"}
    assert list(job["jobs"]) == ["prep", "train"]


def test_a_job_is_named_and_labelled_for_its_release(tmp_path: Path) -> None:
    """The user's own tags and properties stay beside ours."""
    spec = a_training(write_pipeline(tmp_path), "ctrain-f00-1")

    with quiet():
        job = load(spec, read_for_azure(spec))

    assert (job.name, job.experiment_name, job.display_name) == (
        "ctrain-f00-1", "medical-visits", "r-1 (ctrain-f00-1)",
    )  # fmt: skip
    assert job.tags == {**spec.tags, "owner": "ml-team"}
    assert job.properties["cost"] == "centre-7"


def test_a_fresh_training_reuses_nothing(tmp_path: Path) -> None:
    """Azure ML is told to run each step again."""
    file = write_pipeline(tmp_path)

    with quiet():
        asked = [load(a_training(file, fresh=fresh), read_for_azure(a_training(file))) for fresh in (True, False)]

    assert [job._to_dict()["settings"].get("force_rerun") for job in asked] == [True, None]


def test_the_champion_is_an_input_of_the_declared_type() -> None:
    """An optional input of the reference project's pipeline component, which its job does not name."""
    spec = a_training(REFERENCE, training_data="azureml:visits:3", champion="azureml:medical-visits:7")

    with quiet():
        job = load(spec, read_for_azure(spec))._to_dict()

    assert job["inputs"]["champion"] == {"type": "mlflow_model", "path": "azureml:medical-visits:7"}


def test_an_input_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the pipeline's file, before anything is sent."""
    spec = a_training(write_pipeline(tmp_path), rat=0.5)

    with pytest.raises(PipelineError, match=r"'rat'.*did you mean 'rate'"):
        read_for_azure(spec)


def test_no_token_of_the_git_remote_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the SDK add its own properties to ours, wherever we are called from."""
    token = "ghp_x9"  # noqa: S105  a made-up one
    file = write_pipeline(tmp_path)
    for command in (["init", "-q"], ["remote", "add", "origin", f"ssh://{token}@git.example/visits?t={token}"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.chdir(tmp_path)
    spec = a_training(file)

    with quiet():
        from azure.ai.ml.operations._job_ops_helper import get_git_properties

        job = load(spec, read_for_azure(spec))
        theirs = get_git_properties()

    assert (job.properties[REPOSITORY], job.properties[COMMIT]) == ("ssh://git.example/visits", "c0ffee")
    assert any(token in value for value in theirs.values())
    assert any(name in job.properties for name in theirs)


def test_code_with_a_repository_in_it_is_not_uploaded(tmp_path: Path) -> None:
    """CI systems write credentials into `.git/config`, and the SDK uploads what no ignore file names."""
    spec = a_training(write_pipeline(tmp_path))
    config = tmp_path / "code" / ".git" / "config"
    config.parent.mkdir()
    config.write_text("[http]\n")

    with pytest.raises(PipelineError, match=r"holds \.git") as refused:
        read_for_azure(spec)
    assert refused.value.at is not None

    (tmp_path / "code" / ".amlignore").write_text(".git/\n")
    read_for_azure(spec)


def test_a_link_out_of_the_code_is_refused(tmp_path: Path) -> None:
    """The SDK would follow it, and upload what it leads to."""
    spec = a_training(write_pipeline(tmp_path))
    (tmp_path / "code" / "passwords").symlink_to("/etc/passwd")

    with pytest.raises(PipelineError, match="passwords"):
        read_for_azure(spec)


def test_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    """The SDK would walk it until the system stops it."""
    spec = a_training(write_pipeline(tmp_path))
    (tmp_path / "code" / "again").symlink_to(tmp_path / "code")

    with pytest.raises(PipelineError, match="again"):
        read_for_azure(spec)


def test_what_the_sdk_uploads_is_what_the_fingerprint_sees(tmp_path: Path) -> None:
    """The same files, whatever the ignore file says."""
    from ctrain.pipeline import code_files

    write_pipeline(tmp_path)
    code = tmp_path / "code"
    for name in ("keep.py", "drop.log", "data/big.bin", "data/keep.txt", "__pycache__/x.pyc"):
        (code / name).parent.mkdir(exist_ok=True)
        (code / name).write_text("x")
    (code / ".amlignore").write_text("*.log\ndata/*\n!data/keep.txt\n")

    with quiet():
        from azure.ai.ml._utils._asset_utils import get_upload_files_from_folder
        from azure.ai.ml.entities._component.code import ComponentIgnoreFile

        theirs = get_upload_files_from_folder(code, ignore_file=ComponentIgnoreFile(code))

    assert sorted(entry[1] for entry in theirs) == [file.as_posix() for file in code_files(code)]
