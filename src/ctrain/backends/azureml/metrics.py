"""What steps logged to MLflow: asked from the workspace's MLflow API, without importing MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ctrain.backends.azureml.arm import Dataplane
from ctrain.backends.azureml.bodies import JsonValue, find, items, text
from ctrain.backends.azureml.history import Run

MLFLOW: Final = "mlflow/v2.0{ws}/api/2.0/mlflow"
MOST: Final = 1000
"""The most runs that one search gives (MLflow's `SEARCH_MAX_RESULTS_THRESHOLD` is above what Azure ML takes)."""

Metrics = Mapping[str, float]


def logged(region: Dataplane, job: str, steps: Mapping[str, Run], parents: Iterable[str]) -> dict[str, float]:
    """The last value of each metric as `step.metric`, not-a-number included.

    `steps` are runs by the step's name, `parents` the runs above them. One request for the experiment, one search for
    each parent, and one request for each step that a search did not find, or that was taken from an earlier job.
    """
    experiment = _experiment(region, job) if steps else None
    found = {run: metrics for parent in parents for run, metrics in _below(region, parent, experiment)}
    for run in steps.values():
        if run.id not in found or (run.reused_job and not found[run.id]):
            found[run.id] = _of(region, run.source)
    return {f"{step}.{name}": value for step, run in steps.items() for name, value in found[run.id].items()}


def _experiment(region: Dataplane, job: str) -> str | None:
    return text(region.get(f"{MLFLOW}/runs/get", run_id=job), "run", "info", "experiment_id")


def _below(region: Dataplane, parent: str, experiment: str | None) -> Iterator[tuple[str, Metrics]]:
    """Each run right below, with its metrics. Source of the filter: Microsoft's "Query & compare experiments and runs
    with MLflow", section "Child (nested) runs"."""
    if experiment is None:
        return
    wanted: dict[str, JsonValue] = {
        "experiment_ids": [experiment],
        "filter": f"tags.mlflow.parentRunId = '{parent}'",
        "max_results": MOST,
    }
    while True:
        answer = region.post(f"{MLFLOW}/runs/search", wanted, idempotent=True)
        for run in items(answer, "runs"):
            yield text(run, "info", "run_id") or text(run, "info", "run_uuid") or "", metrics_of(run)
        following = text(answer, "next_page_token")
        if not following:
            return
        wanted["page_token"] = following


def _of(region: Dataplane, run: str) -> Metrics:
    answer = region.get(f"{MLFLOW}/runs/get", run_id=run)
    return metrics_of(find(answer, "run")) if answer else {}


def metrics_of(run: JsonValue) -> Metrics:
    """The metrics in one of MLflow's `Run`s: where one is there twice, the later step's value."""
    last: dict[str, tuple[float, float, float]] = {}
    for one in items(run, "data", "metrics"):
        name, value = text(one, "key"), _number(find(one, "value"))
        if name is None or value is None:
            continue
        mark = (_number(find(one, "step")) or 0.0, _number(find(one, "timestamp")) or 0.0)
        if name not in last or mark >= last[name][:2]:
            last[name] = (*mark, value)
    return {name: value for name, (_, _, value) in last.items()}


def _number(said: JsonValue) -> float | None:
    """JSON of protobuf writes what is not finite, and long integers, as text."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    if isinstance(said, str) and said.lower() in {"nan", "infinity", "-infinity"}:
        return {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}[said.lower()]
    try:
        return float(said)
    except ValueError:
        return None
