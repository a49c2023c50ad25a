"""What the project file will say: what was asked for, else what is there, else a question, else a marked guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Final, Literal

from ctrain.errors import UsageError
from ctrain.pipeline import Pipeline, ValueType, read_pipeline
from ctrain.serving import WorkspaceAddress
from ctrain.starter.survey import (
    Surroundings,
    columns,
    data_inputs,
    default_of,
    evaluation_outputs,
    model_outputs,
)

Task = Literal["binary", "multiclass", "regression"]
Ask = Callable[[str, Sequence[str], str], str | None]
"""Ask a person: the question, the choices (none: any text), what is proposed. None where there is nobody to ask."""

_KEY: Final = re.compile(r"(?i)(row_?)?(id|key|uuid)|.*_(id|key)")
_QUESTIONS: Final = {"row_id": "Which column tells rows apart?", "label": "Which column is the label?"}
_LABEL: Final = ("label", "target", "y", "class", "outcome")


@dataclass(frozen=True)
class Asked:
    """The flags. Empty: not said."""

    name: str = ""
    pipeline: Path | None = None
    task: str = ""
    row_id: str = ""
    label: str = ""
    stages: tuple[str, ...] = ("dev", "test", "prod")


@dataclass(frozen=True)
class Chosen:
    """Everything that the project file says. `guessed` names what nothing told: a comment in the file says so."""

    name: str
    branch: str
    pipeline: str
    data_input: str
    data_local: str
    data_azureml: str
    row_id: str
    label: str
    task: Task
    model_output: str
    evaluation_output: str
    champion: bool
    scoring: str | None
    stages: tuple[str, ...]
    workspace: WorkspaceAddress | None
    sample: bool
    guessed: frozenset[str]


def choose(there: Surroundings, asked: Asked, ask: Ask) -> Chosen:
    """Raises UsageError where there is no pipeline, or several and nobody to ask, or a flag that cannot be."""
    _refuse_names(asked)
    pipeline = _pipeline(there, asked, ask)
    name = asked.name or _slug(there.folder.name) or "project"
    guessed: set[str] = set()
    data_input = _one("Which input takes the data?", [it.name for it in data_inputs(pipeline)], ask, ("data", "train"))
    table, azureml = _data(there, pipeline, data_input, guessed)
    known = columns(there.folder / table) if "data.local" not in guessed else []
    row_id = asked.row_id or _column("row_id", known, _key(known), ask, guessed)
    label = asked.label or _column("label", known, _named(known, _LABEL), ask, guessed)
    model = _one("Which output is the model?", [it.name for it in model_outputs(pipeline)], ask, ("model",))
    rows = [it.name for it in evaluation_outputs(pipeline) if it.name != model]
    evaluation = _one("Which output holds the evaluation rows?", rows, ask, ("evaluation",))
    for key, value in (("data.input", data_input), ("model.output", model), ("evaluation.output", evaluation)):
        if not value:
            guessed.add(key)
    mlflow = model in pipeline.outputs and pipeline.outputs[model].type is ValueType.MLFLOW_MODEL
    return Chosen(
        name=name,
        branch=there.branch,
        pipeline=_relative(pipeline.file, there.folder),
        data_input=data_input or "training_data",
        data_local=table,
        data_azureml=azureml,
        row_id=row_id,
        label=label,
        task=_task(asked, ask),
        model_output=model or "model",
        evaluation_output=evaluation or "evaluation",
        champion="champion" in pipeline.inputs,
        scoring=None if mlflow else _scoring(there),
        stages=asked.stages,
        workspace=there.workspace,
        sample=row_id in known,
        guessed=frozenset(guessed),
    )


def _refuse_names(asked: Asked) -> None:
    from ctrain.project.checks import NAME

    bad = [name for name in (asked.name, *asked.stages) if name and not NAME.fullmatch(name)]
    twice = [name for name in asked.stages if asked.stages.count(name) > 1]
    if bad or twice:
        raise UsageError(
            f"{(bad or twice)[0]!r} cannot be used as a name here",
            why="names take letters, digits and single dashes" if bad else "two stages would have it",
            hint="choose another name",
        )


def _pipeline(there: Surroundings, asked: Asked, ask: Ask) -> Pipeline:
    if asked.pipeline is not None:
        return read_pipeline(asked.pipeline, local=False)
    if not there.pipelines and there.broken:
        raise there.broken[0]
    if not there.pipelines:
        raise UsageError(
            f"there is no pipeline in {there.folder}",
            why="no YAML file there has `type: pipeline` and `jobs:`",
            hint="name one with --pipeline, or begin with the reference project: ctrain init --example",
        )
    if len(there.pipelines) == 1:
        return there.pipelines[0]
    names = [_relative(it.file, there.folder) for it in there.pipelines]
    answer = ask("Which pipeline is to be trained?", names, names[0])
    if answer is None:
        raise UsageError(
            "there is more than one pipeline", why=", ".join(names), hint="name the one that is meant with --pipeline"
        )
    return there.pipelines[names.index(answer)]


def _data(there: Surroundings, pipeline: Pipeline, data_input: str, guessed: set[str]) -> tuple[str, str]:
    """Where the data is on this machine, and on Azure ML (empty where nothing tells)."""
    declared = pipeline.inputs.get(data_input)
    reference = default_of(declared) if declared else ""
    azureml = reference if reference.startswith("azureml:") and "/" not in reference else ""
    local = Path(reference.removeprefix("file://")) if reference and "://" not in reference and not azureml else None
    if local is not None and local.exists():
        return _relative(local, there.folder), azureml
    if len(there.tables) == 1:
        return _relative(there.tables[0], there.folder), azureml
    guessed.add("data.local")
    return "data/rows.parquet", azureml


def _task(asked: Asked, ask: Ask) -> Task:
    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    answer = asked.task or ask("What does the model predict?", tasks, "binary") or "binary"
    for task in tasks:
        if task == answer:
            return task
    raise UsageError(
        f"there is no task {answer!r} here", why=f"ctrain init writes rules for {', '.join(tasks)}", hint="choose one"
    )


def _one(question: str, names: Sequence[str], ask: Ask, usual: Sequence[str]) -> str:
    """The only one, else the usual one, else what a person says; empty where there is none."""
    if len(names) < 2:
        return names[0] if names else ""
    likely = [name for word in usual for name in names if word in name.lower()]
    if len(set(likely)) == 1:
        return likely[0]
    return ask(question, names, likely[0] if likely else names[0]) or (likely or names)[0]


def _column(key: str, known: Sequence[str], likely: str, ask: Ask, guessed: set[str]) -> str:
    """The likely one where the data has it, else what a person says; what nobody says is a guess."""
    if likely in known:
        return likely
    answer = ask(_QUESTIONS[key], (), likely) or likely
    if answer == likely:
        guessed.add(key)
    return answer


def _key(known: Sequence[str]) -> str:
    return next((name for name in known if _KEY.fullmatch(name)), "row_id")


def _named(known: Sequence[str], usual: Sequence[str]) -> str:
    return next((name for word in usual for name in known if name.lower() == word), "label")


def _scoring(there: Surroundings) -> str | None:
    return _relative(there.scripts[0].parent, there.folder) if len(there.scripts) == 1 else "scoring"


def _relative(file: Path, folder: Path) -> str:
    return Path(relpath(file, folder)).as_posix()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
