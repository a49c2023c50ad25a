"""What only MLflow itself does with its store, in a process of its own: importing MLflow costs seconds.

    python -m ctrain.backends.local.tracking_store create DB ARTIFACTS
    python -m ctrain.backends.local.tracking_store upgrade DB
    python -m ctrain.backends.local.tracking_store serve URI

`serve` answers the calls of `tracking.RunsByMlflow`, a JSON document a line; it is used with a version of MLflow whose
tables we do not know.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def create(db: str, artifacts: str) -> None:
    """Make an empty store."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{db}", artifacts)  # type: ignore[no-untyped-call]


def upgrade(db: str) -> None:
    """Bring a store to the tables of the MLflow that is installed, as `mlflow db upgrade` does."""
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

    _upgrade_db(create_sqlalchemy_engine(f"sqlite:///{db}"))  # type: ignore[no-untyped-call]


def serve(uri: str) -> None:
    """Answer until standard input ends."""
    from mlflow.entities import RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)

    def experiment(name: str, artifacts: str) -> list[str]:
        found = client.get_experiment_by_name(name)
        made = found.experiment_id if found else client.create_experiment(name, artifact_location=f"{artifacts}/{name}")
        return [made, client.get_experiment(made).artifact_location]

    def start(experiment: str, name: str, tags: dict[str, str], started: int) -> str:
        run = client.create_run(experiment, start_time=started, tags=tags, run_name=name)
        return str(run.info.run_id)

    def end(run: str, status: str, ended: int) -> None:
        client.set_terminated(run, status, ended)

    def metrics(run: str) -> dict[str, float]:
        return dict(client.get_run(run).data.metrics)

    def copy(source: str, target: str) -> None:
        found = client.get_run(source).data
        kept = [RunTag(key, value) for key, value in found.tags.items() if not key.startswith("mlflow.")]
        history = [metric for key in found.metrics for metric in client.get_metric_history(source, key)]
        client.log_batch(target, metrics=history[:1000], tags=kept[:100])
        for key, value in found.params.items():
            client.log_param(target, key, value)

    calls: dict[str, Callable[..., Any]] = {call.__name__: call for call in (experiment, start, end, metrics, copy)}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"answer": calls[asked["call"]](*asked["with"])}
        except Exception as failure:  # noqa: BLE001 - whatever MLflow raises is the asker's to tell
            answer = {"failure": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {"create": create, "upgrade": upgrade, "serve": serve}
    verbs[sys.argv[1]](*sys.argv[2:])
