"""A job's steps: what its definition names, and the runs that there are of them. Inner pipelines are made flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from ctrain.backends.azureml.history import Run
from ctrain.backends.azureml.jobs import Job, Node
from ctrain.secrecy import without_secrets
from ctrain.training import JobStatus, StepRun

Children = Mapping[str, tuple[Run, ...]]
"""The runs right below a run, by its id."""


def named_runs(job: Job, children: Children) -> dict[str, Run]:
    """The runs by their steps' names, in the order of their start; a step of the inner pipeline `a` is `a.step`.

    An inner pipeline of which no step is known yet stands for itself. Of two runs of one step the later counts.
    """
    return dict(_named(job.name, "", job.nodes, children))


def _named(run: str, prefix: str, nodes: Iterable[Node], children: Children) -> Iterable[tuple[str, Run]]:
    known = tuple(nodes)
    for child in children.get(run, ()):
        name = prefix + next((node.name for node in known if child.name in node.shown), child.name)
        if children.get(child.id):
            yield from _named(child.id, f"{name}.", (), children)
        else:
            yield name, child


def inner_pipelines(job: Job, runs: Iterable[Run]) -> tuple[Run, ...]:
    """Those of the runs that have steps of their own, which are to be asked for separately."""
    pipelines = {shown for node in job.nodes if node.pipeline for shown in node.shown}
    return tuple(run for run in runs if run.pipeline or run.name in pipelines)


def step_runs(job: Job, children: Children, now: datetime, studio: Callable[[str], str | None]) -> tuple[StepRun, ...]:
    """The steps as a person is told of them: those that have run, then those that are still to."""
    runs = named_runs(job, children)
    begun = {name.partition(".")[0] for name in runs}
    waiting = tuple(StepRun(node.name, JobStatus.NOT_STARTED) for node in job.nodes if node.name not in begun)
    return tuple(_step(name, run, now, studio(run.id)) for name, run in runs.items()) + waiting


def _step(name: str, run: Run, now: datetime, log: str | None) -> StepRun:
    until = run.ended or now
    seconds = max(0.0, (until - run.started).total_seconds()) if run.started else 0.0
    return StepRun(
        name=name,
        status=run.status,
        seconds=seconds,
        reused_from=run.reused_job,
        log=log,
        error=without_secrets(run.error) if run.error else None,
    )
