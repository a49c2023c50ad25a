"""The three scripts, run as anyone would run them, on a sample of persons."""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.reference.scripts import VISITS, defined_in, script

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ran:
    """One run of prep, train and evaluate, its own model taken for the champion."""

    folder: Path
    said: dict[str, subprocess.CompletedProcess[str]]

    @property
    def predictions(self) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self.folder / "evaluation" / "predictions.parquet")

    @property
    def training(self) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(self.folder / "training")


pytestmark = pytest.mark.long  # the main job's story runs all of these steps, too


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A fifth of the persons, by the last digit of their id."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("steps")
    visits = pd.read_parquet(VISITS)
    visits[visits["person"] % 5 == 0].to_parquet(folder / "sample.parquet")
    parts = {
        "prep": "--data sample.parquet --evaluation-share 0.3 --training training --evaluation rows",
        "train": "--training training --max-iter 50 --model model",
        "evaluate": "--rows rows --model model --champion model --evaluation evaluation",
    }
    return Ran(folder, {name: run(name, arguments.split(), folder) for name, arguments in parts.items()})


def run(name: str, arguments: list[str], folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return subprocess.run(
        [sys.executable, script(name), *arguments],
        cwd=folder,
        env=environment,
        check=check,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_fifth_of_the_persons_is_enough_to_learn_from(ran: Ran) -> None:
    """A pull request's sample gets past the gate's floor of 0.70, with room."""
    from sklearn.metrics import roc_auc_score

    rows = ran.predictions

    assert roc_auc_score(rows["visited"], rows["prediction"]) > 0.72


def test_the_scored_rows_hold_all_that_the_gate_and_the_smoke_tests_need(ran: Ran) -> None:
    """Id, group, label, both predictions, slices, and the model's inputs as doubles; nothing is missing."""
    rows = ran.predictions
    inputs = [column["name"] for column in signature(ran)]

    assert {"row_id", "person", "visited", "prediction", "champion_prediction", "health", "plan"} < set(rows)
    assert (rows[inputs].dtypes == "float64").all()
    assert rows["row_id"].is_unique
    assert not rows.isna().any(axis=None)


def test_both_models_are_scored_on_the_same_rows(ran: Ran) -> None:
    """A model that is its own champion predicts the same, row by row."""
    rows = ran.predictions

    assert (rows["prediction"] == rows["champion_prediction"]).all()


def test_no_person_is_both_learned_from_and_evaluated_on(ran: Ran) -> None:
    """What prep wrote, not only what its function says."""
    assert not set(ran.training["person"]) & set(ran.predictions["person"])


def test_the_model_is_one_that_azure_serves_without_code(ran: Ran) -> None:
    """Probabilities, a signature of doubles, an input example, and a format that runs no code on loading."""
    flavors = yaml.safe_load((ran.folder / "model" / "MLmodel").read_text())["flavors"]

    assert flavors["python_function"]["predict_fn"] == "predict_proba"
    assert flavors["sklearn"]["serialization_format"] == "skops"
    assert {column["type"] for column in signature(ran)} == {"double"}
    assert (ran.folder / "model" / "input_example.json").is_file()


def test_the_steps_log_to_mlflow(ran: Ran) -> None:
    """Parameters and metrics are in the store that the environment names."""
    with sqlite3.connect(ran.folder / "mlflow.db") as store:
        params = dict(store.execute("select key, value from params"))
        metrics = {key for (key,) in store.execute("select key from metrics")}
    store.close()

    assert params["max_iter"] == "50"
    assert {"rows", "auc", "champion_auc", "log_loss"} <= metrics


def test_the_steps_say_nothing_on_stderr_but_news_of_mlflow(ran: Ran) -> None:
    """No warning: whoever sees one in a log should have a reason to look."""
    said = [line for step in ran.said.values() for line in step.stderr.splitlines()]

    assert [line for line in said if " INFO " not in line] == []


def test_the_same_seed_gives_the_same_predictions(ran: Ran) -> None:
    """And another seed others, or the parameter would be for show."""
    train = defined_in(script("train"))
    features, visited = ran.training.drop(columns=train.NOT_FEATURES), ran.training["visited"]

    def predictions(seed: int) -> list[float]:
        args = argparse.Namespace(learning_rate=0.1, max_iter=20, max_leaf_nodes=8, seed=seed)
        found: list[float] = train.fit(features, visited, args).predict_proba(features)[:, 1].tolist()
        return found

    assert predictions(1) == predictions(1)
    assert predictions(1) != predictions(2)


def test_a_champion_that_needs_a_lost_column_fails_with_its_name(ran: Ran) -> None:
    """Not with a champion's column quietly left empty, and not with a traceback."""
    lost = ran.folder / "lost"
    lost.mkdir()
    ran.predictions.drop(columns="mental_health").to_parquet(lost / "rows.parquet")
    arguments = ["--rows", "lost", "--model", "model", "--evaluation", "none"]

    failed = run("evaluate", arguments, ran.folder, check=False)

    assert failed.returncode == 1
    assert "needs 'mental_health'" in failed.stderr
    assert "Traceback" not in failed.stderr


def signature(ran: Ran) -> list[dict[str, str]]:
    import json

    described = yaml.safe_load((ran.folder / "model" / "MLmodel").read_text())
    columns: list[dict[str, str]] = json.loads(described["signature"]["inputs"])
    return columns
