"""Pipelines made by hand, and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import Location
from ctrain.pipeline.graph import Binding, CommandStep, Environment, Input, Output, Pipeline, Step, ValueType
from ctrain.training import Scalar, TrainingRun, TrainingSpec

AT = Location(Path("/pipeline.yml"), 1)


def an_input(name: str, kind: ValueType = ValueType.STRING, *, optional: bool = False) -> Input:
    return Input(name, kind, AT, optional=optional)


def an_output(name: str, kind: ValueType = ValueType.URI_FOLDER, path: str | None = None) -> Output:
    return Output(name, kind, AT, path=path)


def a_step(
    name: str,
    command: str = "true",
    *,
    inputs: Mapping[str, Input | ValueType] | None = None,
    outputs: Mapping[str, ValueType] | None = None,
    bindings: Mapping[str, Binding] | None = None,
    exposes: Mapping[str, str] | None = None,
    code: Path | None = None,
    conda: str | None = None,
    variables: Mapping[str, str] | None = None,
    deterministic: bool = True,
) -> CommandStep:
    declared = {
        key: value if isinstance(value, Input) else an_input(key, value) for key, value in (inputs or {}).items()
    }
    return CommandStep(
        name=name,
        at=AT,
        command=command,
        inputs=declared,
        outputs={key: an_output(key, kind) for key, kind in (outputs or {}).items()},
        bindings=bindings or {},
        exposes=exposes or {},
        environment=Environment(AT, reference=None if conda else "azureml:any:1", conda=conda),
        code=code,
        environment_variables=variables or {},
        deterministic=deterministic,
    )


def a_pipeline(
    *steps: Step,
    inputs: Mapping[str, Input | ValueType] | None = None,
    outputs: Mapping[str, Output | ValueType] | None = None,
    continue_on_step_failure: bool = True,
) -> Pipeline:
    return Pipeline(
        file=AT.file,
        inputs={
            key: value if isinstance(value, Input) else an_input(key, value) for key, value in (inputs or {}).items()
        },
        outputs={
            key: value if isinstance(value, Output) else an_output(key, value) for key, value in (outputs or {}).items()
        },
        steps=steps,
        code="c0de",
        continue_on_step_failure=continue_on_step_failure,
    )


def a_spec(
    job: str = "job-1", *, inputs: Mapping[str, Scalar] | None = None, fresh: bool = False, file: Path = AT.file
) -> TrainingSpec:
    return TrainingSpec(
        job=job,
        pipeline=file,
        inputs=inputs or {},
        experiment="tests",
        display_name="a job",
        tags={"commit": "abc"},
        fresh=fresh,
    )


def ended(trainer: LocalTrainer, job: str = "job-1", seconds: float = 60.0) -> TrainingRun:
    """The job once it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = trainer.look(job)
        if run is not None and run.status.ended:
            return run
        time.sleep(0.01)
    raise AssertionError(f"the job did not end: {trainer.look(job)}, {trainer.logs(job)}")


def running(trainer: LocalTrainer, step: str, job: str = "job-1", seconds: float = 30.0) -> TrainingRun:
    """The job once that step's process runs and has written to its log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = trainer.look(job)
        if run is not None and trainer.logs(job, step):
            return run
        time.sleep(0.01)
    raise AssertionError(f"the step did not start: {trainer.look(job)}, {trainer.logs(job)}")


def trained(home_trainer: LocalTrainer, spec: TrainingSpec) -> TrainingRun:
    home_trainer.submit(spec)
    return ended(home_trainer, spec.job)
