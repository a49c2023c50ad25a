"""Make the plan: ask the world for the facts, by reading only."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import count
from pathlib import Path

from ctrain.data import DataVersion, SampleSpec
from ctrain.digest import tree_digest
from ctrain.document import nearest
from ctrain.errors import Location, ProjectError
from ctrain.flow.look_back import look_back
from ctrain.flow.side_by_side import begin
from ctrain.pipeline import Pipeline, read_pipeline, refuse_password
from ctrain.plan import Facts, Plan, make_plan
from ctrain.ports import Backend
from ctrain.project import DataUse, Project, Trigger
from ctrain.rollout import Stage
from ctrain.training import Identity, Preview, Scalar, TrainingRun, TrainingSpec, job_name
from ctrain.version import ModelVersion, Source


def prepare(project: Project, at: Backend, source: Source, trigger: Trigger, *, fresh: bool = False) -> Plan:
    """What this trigger would lead to, here and now."""
    rule = project.trigger(trigger)
    pipeline = check_pipeline(project, any_job=at.any_job)
    data = at.data.pin(project.data_reference(at.name))
    stages = [project.stage(name) for name in rule.deploy]
    looks = begin(stages, at)  # seconds on a platform that is far away, in which all the rest is asked
    sample = project.data.sample if rule.data is DataUse.SAMPLE else None
    champion = at.registry.champion(project.model.name)
    parameters = {**project.parameters, **rule.parameters}
    inputs = _inputs(project, pipeline, at, data=data, sample=sample, parameters=parameters, champion=champion)
    preview = _preview(project, at, inputs, made=sample is None or at.data.sampled(data, sample) is not None)
    identity = Identity(
        code=preview.code,
        environment=preview.environment,
        data=data_digest(data, sample, preview.inputs),
        parameters=parameters,
        champion=champion.digest if champion and project.model.champion_input in inputs else "",
    )
    facts = Facts(
        source=source,
        data=data,
        preview=preview,
        identity=identity,
        attempts=_attempts(at, identity.fingerprint),
        champion=champion,
        endpoints={name: look.result() for name, look in looks.items()},
        scoring={stage.name: scoring_digest(stage) for stage in stages},
        route_seconds=at.route_seconds,
        earlier=look_back(at.ledger, project.model.name, champion, data, sample),
    )
    return make_plan(project, trigger, facts, fresh=fresh)


def check_pipeline(project: Project, *, any_job: bool) -> Pipeline:
    """The pipeline, once it is certain that it has what the project names, and (`any_job` or not) only jobs that run.

    Raises ProjectError for a name that it does not have, and PipelineError for what is wrong with it.
    """
    pipeline = read_pipeline(project.pipeline, local=not any_job)
    named = [
        ("input", project.data.input, pipeline.inputs),
        *(("input", name, pipeline.inputs) for name in project.parameters),
        *([("input", project.gate.extend.input, pipeline.inputs)] if project.gate.extend else []),
        ("output", project.model.output, pipeline.outputs),
        ("output", project.evaluation.output, pipeline.outputs),
    ]
    for kind, name, known in named:
        if name not in known:
            close = nearest(name, known)
            raise ProjectError(
                f"the pipeline has no {kind} {name!r}",
                why=f"{project.file.name} names it, and {pipeline.file.name} has: {', '.join(known) or 'none'}",
                hint=f"did you mean {close!r}?" if close else f"name an {kind} of the pipeline, or add it there",
            )
    return pipeline


def data_digest(data: DataVersion, sample: SampleSpec | None, others: str) -> str:
    """What the training reads, as a digest that is known before the sample is made.

    `others` digests what the pipeline reads beside the data set.
    """
    if sample is None and not others:
        return data.digest
    return hashlib.sha256(f"{data.digest} {sample!r} {others}".encode()).hexdigest()


def scoring_digest(stage: Stage) -> str:
    """The content of the stage's scoring code and its environment file. Raises ProjectError where they are missing."""
    scoring = stage.deployment.scoring
    if scoring is None:
        return ""
    parts = [tree_digest(Path(scoring.code), ProjectError)]
    if not Path(scoring.code, scoring.script).is_file():
        raise ProjectError(
            f"the stage {stage.name} has no scoring script",
            why=f"there is no file {Path(scoring.code, scoring.script)}",
            hint="correct `scoring.code` or `scoring.script`",
        )
    if scoring.environment is not None:
        named = scoring.environment  # one that is registered is a name, which stands for itself
        parts.append(named if named.startswith("azureml:") else _conda_digest(Path(named)))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _conda_digest(file: Path) -> str:
    digest = tree_digest(file, ProjectError)
    text = file.read_text(encoding="utf-8", errors="replace")
    refuse_password(text, lambda line: Location(file, line), ProjectError)
    return digest


def _inputs(
    project: Project,
    pipeline: Pipeline,
    at: Backend,
    *,
    data: DataVersion,
    sample: SampleSpec | None,
    parameters: dict[str, Scalar],
    champion: ModelVersion | None,
) -> dict[str, Scalar]:
    made = at.data.sampled(data, sample) if sample else None
    inputs: dict[str, Scalar] = {**parameters, project.data.input: (made or data).uri}
    wanted = project.model.champion_input
    if champion is not None and wanted in pipeline.inputs:
        inputs[wanted] = champion.uri
    return inputs


def _preview(project: Project, at: Backend, inputs: dict[str, Scalar], *, made: bool) -> Preview:
    spec = TrainingSpec("plan", project.pipeline, inputs, experiment=project.name, display_name="plan")
    preview = at.trainer.preview(spec)
    if made:
        return preview
    return replace(preview, steps=tuple(replace(step, reused_from=None) for step in preview.steps))


def _attempts(at: Backend, fingerprint: str) -> list[TrainingRun]:
    runs: list[TrainingRun] = []
    for attempt in count(1):
        run = at.trainer.look(job_name(fingerprint, attempt))
        if run is None:
            return runs
        runs.append(run)
    raise AssertionError("count() never ends")
