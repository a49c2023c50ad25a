"""Find `ctrain.yaml`, read it, and make a project of it, or say everything that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ctrain import errors
from ctrain.document import Document, read_document
from ctrain.errors import ProjectError
from ctrain.gate import Problem
from ctrain.project.checks import check, unfit_values
from ctrain.project.project import Project, rule_of, workspace_of
from ctrain.project.refusals import refusals, shown
from ctrain.project.settings import ProjectFile, Trigger, TriggerSettings
from ctrain.rollout import DeploymentSettings, Stage
from ctrain.serving import ScoringCode

FILE_NAME = "ctrain.yaml"


def find_project(start: Path) -> Path:
    """The nearest `ctrain.yaml`, in `start` or the closest folder above it. Raises ProjectError where there is none."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    alike = next((item for item in (start / "ctrain.yml", start / ".ctrain.yaml") if item.is_file()), None)
    raise ProjectError(
        f"there is no {FILE_NAME}",
        why=f"neither {start} nor a folder above it has one",
        hint=f"rename {alike.name} to {FILE_NAME}" if alike else "go to your project, or name its file",
    )


def load_project(file: Path) -> Project:
    """Read and check the file. Raises ProjectError, with all problems that were found."""
    document = read_document(file, ProjectError)
    if not isinstance(document.value, dict):
        empty = document.value is None
        raise ProjectError(
            "the file is empty" if empty else "the file is not a mapping",
            why="a project needs at least project, pipeline, data, model, evaluation and gate"
            if empty
            else f"it is {shown(document.value)}",
            hint="start with `project: name`",
            at=document.at(),
        )
    raise_problems(unfit_values(document.value), document)
    written = _validated(document)
    raise_problems(check(written, document.value), document)
    return _completed(written, document)


def _validated(document: Document) -> ProjectFile:
    from pydantic_core import ValidationError

    from ctrain.project.shape import validator

    # Strictly, and as JSON: then no text is taken for a number, and lists, names and enums are read as YAML has them.
    try:
        written = validator().validate_json(json.dumps(document.value), strict=True)
    except ValidationError as failure:
        raise_problems(refusals(failure.errors(include_url=False, include_context=False), document), document)
        raise
    assert isinstance(written, ProjectFile)  # noqa: S101  what the validator is made to return
    return written


def raise_problems(problems: Iterable[Problem], document: Document) -> None:
    """One ProjectError for all of them, in the order of the file; nothing where there are none."""
    located = [errors.Problem(it.what, it.why, it.hint, document.at(*it.keys)) for it in problems]
    located.sort(key=lambda problem: (problem.at.line, problem.at.column) if problem.at else (0, 0))
    if located:
        raise ProjectError.of(located)


def _completed(written: ProjectFile, document: Document) -> Project:
    file = document.file.absolute()
    names = tuple(written.stages)
    return Project(
        file=file,
        name=written.project,
        pipeline=file.parent / written.pipeline,
        branch=written.branch,
        data=written.data,
        parameters=written.parameters,
        model=written.model,
        evaluation=written.evaluation,
        gate=written.gate,
        triggers={
            trigger: rule_of(trigger, written.triggers.get(trigger, TriggerSettings()), names) for trigger in Trigger
        },
        stages=tuple(
            Stage(
                name,
                stage.endpoint,
                stage.approval,
                stage.smoke,
                _deployment(written, name, document),
                rollout=stage.rollout,
                workspace=workspace_of(written, stage),
                auth_mode=stage.auth_mode,
                identity=stage.identity,
            )
            for name, stage in written.stages.items()
        ),
        backend=written.backend,
        backends=written.backends,
    )


def _deployment(written: ProjectFile, stage: str, document: Document) -> DeploymentSettings:
    """The stage's own settings where it has them, else the top level's; variables are merged one by one."""
    given = document.value
    for key in ("stages", stage, "deployment"):
        given = given.get(key) if isinstance(given, dict) else None
    settings = written.deployment
    if isinstance(given, dict):
        own = written.stages[stage].deployment
        variables = {**settings.environment_variables, **own.environment_variables}
        settings = replace(settings, **{key: getattr(own, key) for key in given} | {"environment_variables": variables})
    return replace(settings, scoring=_located(settings.scoring, document.file.absolute().parent))


def _located(scoring: ScoringCode | None, root: Path) -> ScoringCode | None:
    if scoring is None:
        return None
    environment = scoring.environment
    if environment is not None and not environment.startswith("azureml:"):
        environment = str(root / environment)
    return replace(scoring, code=str(root / scoring.code), environment=environment)
