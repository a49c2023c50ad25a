"""MLflow's store: runs that we write by SQL are runs as MLflow itself makes them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.backends.local.jobs.builders import a_pipeline, a_spec, a_step, trained

from ctrain.backends.local import tracking
from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import PlatformUnavailable
from ctrain.pipeline.graph import ValueType
from ctrain.training import JobStatus

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

LOG = """
import mlflow
for step in range(5):
    mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
mlflow.log_param("seed", {seed})
mlflow.set_tag("mine", "yes")
mlflow.log_text("hello", "note.txt")
"""

WITH = """
import mlflow
with mlflow.start_run():
    mlflow.log_metrics({"auc": 0.75, "nan": float("nan")})
"""

AUTOLOG = """
import mlflow
mlflow.sklearn.autolog(log_models=False)
from sklearn.linear_model import LinearRegression
LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
"""

OTHER = """
import mlflow
import os
for name in [n for n in os.environ if n.startswith("MLFLOW_RUN") or n.startswith("MLFLOW_EXP")]:
    del os.environ[name]
mlflow.set_experiment("mine")
with mlflow.start_run():
    mlflow.log_text("x", "x.txt")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("tracking") / "home")


@dataclass(frozen=True)
class Seen:
    client: MlflowClient
    parent: Any
    children: dict[str, Any]
    metrics: dict[str, float]


@pytest.fixture(scope="module")
def seen(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One job of five steps that log in different ways, two at a time, as MLflow shows it."""
    code = tmp_path_factory.mktemp("code")
    for number in range(2):
        (code / f"log{number}.py").write_text(LOG.format(seed=number))
    for name, text in (("with", WITH), ("autolog", AUTOLOG), ("other", OTHER)):
        (code / f"{name}.py").write_text(text)
    names = ["log0", "log1", "with", "autolog", "other"]
    pipeline = a_pipeline(*(a_step(name, f"python -W ignore {name}.py", code=code) for name in names))
    trainer = LocalTrainer(home, cores=3, read=lambda _: pipeline)
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.COMPLETED, f"{run.error}\n{trainer.logs('job-1')}"
    assert "database is locked" not in trainer.logs("job-1")
    client = client_of(home)
    parent = client.get_run(run.run_id)
    nested = client.search_runs([parent.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{run.run_id}'")
    yield Seen(client, parent, {child.info.run_name: child for child in nested}, dict(run.metrics))


def client_of(home: Home) -> MlflowClient:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        return MlflowClient(home.tracking_uri)


def rows(home: Home, run: str) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(home.tracking_db) as store:
        found = {
            table: store.execute(f"SELECT * FROM {table} WHERE run_uuid=?", (run,)).fetchall()  # noqa: S608 - constants
            for table in ("runs", "tags", "params", "metrics", "latest_metrics")
        }
    store.close()
    return found


def test_a_run_of_ours_is_a_run_of_mlflows(home: Home) -> None:
    """Column by column, tag by tag: the same call made through MlflowClient differs in its id alone."""
    client = client_of(home)
    runs = tracking.open_runs(home)
    assert isinstance(runs, tracking.RunsBySql)
    experiment = runs.experiment("twins")
    tags = {"mlflow.user": "me", "a": "b" * 10}
    ours = runs.start(experiment, "name", tags, 1_700_000_000_000)
    theirs = client.create_run(experiment.id, start_time=1_700_000_000_000, tags=tags, run_name="name").info.run_id
    for end in (False, True):
        if end:
            runs.end(ours, "FAILED", 1_700_000_001_000)
            client.set_terminated(theirs, "FAILED", 1_700_000_001_000)
        found, expected = repr(rows(home, ours)).replace(ours, "RUN"), repr(rows(home, theirs)).replace(theirs, "RUN")
        assert found == expected
    assert client.get_run(ours).info.artifact_uri == client.get_run(theirs).info.artifact_uri.replace(theirs, ours)
    runs.close()


def test_an_experiment_of_ours_is_one_of_mlflows(home: Home) -> None:
    """And MLflow's is ours: whoever comes first makes it."""
    client = client_of(home)
    runs = tracking.open_runs(home)
    ours = client.get_experiment(runs.experiment("ours").id)
    theirs = client.get_experiment(client.create_experiment("theirs", artifact_location=str(home.artifacts / "x")))
    assert runs.experiment("theirs").id == theirs.experiment_id
    assert {**vars(ours), "_experiment_id": 0, "_name": "", "_artifact_location": ""}.keys() == vars(theirs).keys()
    assert (ours.lifecycle_stage, ours.tags) == (theirs.lifecycle_stage, theirs.tags)
    assert ours.artifact_location == str(home.artifacts / ours.experiment_id)
    runs.close()


def test_a_deleted_experiment_is_said_to_be(home: Home) -> None:
    """MLflow refuses runs in it, and so do we, with the way out."""
    client = client_of(home)
    client.delete_experiment(client.create_experiment("gone"))
    runs = tracking.open_runs(home)
    with pytest.raises(PlatformUnavailable, match="was deleted"):
        runs.experiment("gone")
    runs.close()


def test_the_job_is_a_run_and_its_steps_are_its_children(seen: Seen) -> None:
    """With the spec's name and tags, finished, in the spec's experiment."""
    assert seen.parent.info.run_name == "a job"
    assert seen.parent.data.tags["commit"] == "abc"
    assert seen.client.get_experiment(seen.parent.info.experiment_id).name == "tests"
    assert seen.children.keys() == {"log0", "log1", "with", "autolog", "other"}
    assert {run.info.status for run in [seen.parent, *seen.children.values()]} == {"FINISHED"}
    assert all(run.info.end_time >= run.info.start_time for run in seen.children.values())


def test_plain_calls_land_in_the_steps_run(seen: Seen) -> None:
    """Metrics with their history, parameters, tags and artifacts, without `start_run` in user code."""
    run = seen.children["log1"]
    assert run.data.params == {"seed": "1"}
    assert run.data.tags["mine"] == "yes"
    assert len(seen.client.get_metric_history(run.info.run_id, "loss")) == 5
    assert (Path(run.info.artifact_uri) / "note.txt").read_text() == "hello"


def test_start_run_resumes_the_steps_run(seen: Seen) -> None:
    """As on Azure ML: no second run appears."""
    assert seen.children["with"].data.metrics["auc"] == 0.75


def test_autologging_lands_in_the_steps_run(seen: Seen) -> None:
    """scikit-learn's, as anyone would use it."""
    assert seen.children["autolog"].data.params["fit_intercept"] == "True"


def test_metrics_are_those_of_the_steps(seen: Seen) -> None:
    """`step.metric`, the last value of each."""
    assert seen.metrics["log0.loss"] == 0.2
    assert seen.metrics["with.auc"] == 0.75
    assert seen.metrics["with.nan"] != seen.metrics["with.nan"]
    assert any(name.startswith("autolog.training_") for name in seen.metrics)


def test_experiments_of_user_code_keep_their_artifacts_here(home: Home, seen: Seen) -> None:
    """Not in a step's working folder, which nobody would look for."""
    found = seen.client.get_experiment_by_name("mine")
    assert found is not None
    assert found.artifact_location.removeprefix("file://").startswith(str(home.artifacts))


def test_a_reused_step_shows_what_it_logged(home: Home, seen: Seen) -> None:
    """The new job's child run has the metrics, parameters and artifacts of the execution that it stands for."""
    code = home.jobs / ".code" / next((home.jobs / ".code").iterdir()).name
    pipeline = a_pipeline(a_step("log0", "python -W ignore log0.py", code=code))
    run = trained(LocalTrainer(home, read=lambda _: pipeline), a_spec("job-2"))
    assert run.steps[0].reused_from == "job-1"
    assert run.metrics == {"log0.loss": 0.2}
    (child,) = seen.client.search_runs(
        [seen.parent.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{run.run_id}'"
    )
    assert child.info.run_id != seen.children["log0"].info.run_id
    assert child.data.params == {"seed": "0"}
    assert child.data.tags["ctrain.reused_from"] == "job-1"
    assert child.info.artifact_uri == seen.children["log0"].info.artifact_uri


def test_failed_and_cancelled_steps_end_their_runs(home: Home) -> None:
    """No run is left `RUNNING` for ever."""
    pipeline = a_pipeline(a_step("s", "exit 1", outputs={"o": ValueType.URI_FOLDER}))
    run = trained(LocalTrainer(home, read=lambda _: pipeline), a_spec("job-3"))
    client = client_of(home)
    assert client.get_run(run.run_id).info.status == "FAILED"


def test_a_store_of_unknown_tables_is_left_to_mlflow(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a later MLflow everything still works, and takes longer."""
    monkeypatch.setitem(tracking._KNOWN, "runs", "something else")
    runs = tracking.open_runs(home)
    assert isinstance(runs, tracking.RunsByMlflow)
    experiment = runs.experiment("unknown")
    run = runs.start(experiment, "n", {"t": "v"}, 1)
    runs.end(run, "FINISHED", 2)
    assert runs.metrics(run) == {}
    runs.close()
    found = client_of(home).get_run(run)
    assert (found.info.status, found.data.tags["t"]) == ("FINISHED", "v")


def test_a_store_of_another_version_is_brought_up_to_date(home: Home) -> None:
    """By MLflow's own migrations, with a copy kept beside."""
    mark = home.root / "mlflow.version"
    mark.write_text("3.0.0")
    tracking.ensure_store(home)
    assert mark.read_text() != "3.0.0"
    assert (home.root / "mlflow.before-upgrade.db").exists()


def test_many_may_ask_for_the_store_at_once(tmp_path: Path) -> None:
    """One makes it, all can use it."""
    script = (
        "from pathlib import Path; from ctrain.backends.local.home import Home;"
        "from ctrain.backends.local.tracking import open_runs;"
        f"runs = open_runs(Home(Path({str(tmp_path / 'home')!r}))); e = runs.experiment('e');"
        "[runs.end(runs.start(e, 'n', {}, 1), 'FINISHED', 2) for _ in range(20)]"
    )
    racers = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [racer.wait(timeout=120) for racer in racers] == [0] * 4
    with sqlite3.connect(tmp_path / "home" / "mlflow.db") as store:
        assert store.execute("SELECT COUNT(*) FROM runs WHERE status='FINISHED'").fetchone() == (80,)
        assert store.execute("SELECT COUNT(*) FROM experiments WHERE name='e'").fetchone() == (1,)
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_a_store_that_cannot_be_made_is_the_platforms_fault(tmp_path: Path) -> None:
    """What, why, hint; no traceback of MLflow's."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlflow.db").mkdir()
    with pytest.raises(PlatformUnavailable):
        tracking.open_runs(Home(tmp_path / "home"))
