"""The text of ctrain.yaml for a project that begins, with a comment on whatever nothing told."""

from __future__ import annotations

import json
import re
from typing import Final

from ctrain.starter.choices import Chosen, Task

_RULES: Final[dict[Task, str]] = {
    "binary": "auc: {direction: up, rule: non_inferior, margin: 0.01, floor: 0.5}",
    "multiclass": "accuracy: {direction: up, rule: non_inferior, margin: 0.01, beats: [majority]}",
    "regression": 'rmse: {direction: down, rule: non_inferior, margin: "2%", beats: [mean]}',
}
_GUESS: Final = "ctrain init could not know: correct it"
_PLAIN: Final = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS: Final = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def project_text(chosen: Chosen) -> str:
    """The file, which `ctrain validate` accepts where everything was known."""
    parts = [
        "# What ctrain does with this pipeline: train, judge, register, and roll out. Paths are relative to this file.",
        "# Every key: `docs/configuration.md` of ctrain. Then: ctrain validate, ctrain doctor, ctrain run.",
        "",
        f"project: {chosen.name}",
        f"pipeline: {_scalar(chosen.pipeline)} # an Azure ML pipeline job, as it is",
        *_branch(chosen),
        "",
        *_data(chosen),
        "",
        *_model(chosen),
        "",
        "evaluation: # a row for each prediction: see `docs/pipeline-contract.md` of ctrain",
        *_keyed(chosen, "  output", chosen.evaluation_output, "evaluation.output"),
        *_keyed(chosen, "  row_id", chosen.row_id, "row_id"),
        *_keyed(chosen, "  label", chosen.label, "label"),
        "  prediction: prediction",
        f"  task: {chosen.task}",
        "",
        *_gate(chosen),
        "",
        *_stages(chosen),
        "",
        *_backends(chosen),
    ]
    return "\n".join(parts) + "\n"


def _branch(chosen: Chosen) -> list[str]:
    said = f"branch: {_scalar(chosen.branch)} # whose pushes are the trigger `main`"
    return [] if chosen.branch == "main" else [said]


def _data(chosen: Chosen) -> list[str]:
    asset = chosen.data_azureml or f"azureml:{chosen.name}@latest"
    sample = f"  sample: {{fraction: 0.2, key: {_scalar(chosen.row_id)}, seed: 7}} # what pull requests train on"
    left_out = "  # a pull request trains on a sample of the rows, chosen by a column that tells them apart:"
    return [
        "data:",
        *_keyed(chosen, "  input", chosen.data_input, "data.input", "the pipeline input that ctrain fills"),
        *_keyed(chosen, "  local", chosen.data_local, "data.local"),
        f"  {'' if chosen.data_azureml else '# '}azureml: {_scalar(asset)} # pinned to a version for a whole release",
        *([sample] if chosen.sample else [left_out, f"  # {sample.strip()}"]),
    ]


def _model(chosen: Chosen) -> list[str]:
    champion = (
        []
        if chosen.champion
        else ["  # an optional pipeline input `champion` would score both models on the same rows"]
    )
    lines = [
        "model:",
        f"  name: {chosen.name}",
        *_keyed(chosen, "  output", chosen.model_output, "model.output"),
        *champion,
    ]
    if chosen.scoring is not None:
        code = f"deployment: {{scoring: {{code: {_scalar(chosen.scoring)}, script: score.py}}}}"
        lines += ["", f"{code} # a model that is not MLflow's is served by a script"]
    return lines


def _gate(chosen: Chosen) -> list[str]:
    return [
        "gate: # the margin is what you would not mind to lose; `ctrain gate --self-test` tries the rules",
        "  metrics:",
        f"    {_RULES[chosen.task]}",
    ]


def _stages(chosen: Chosen) -> list[str]:
    smoke = ", smoke: {golden: 0}" if chosen.task == "multiclass" else ""
    lines = [f"  {_scalar(name)}: {{endpoint: {endpoint(chosen.name, name)}{smoke}}}" for name in chosen.stages]
    proposal = "{data: sample, deploy: []}" if chosen.sample else "{data: full, deploy: []}"
    deploy = ", ".join(_scalar(name) for name in chosen.stages)
    return [
        "stages: # a CI's environment of the same name is where approvals are",
        *lines,
        "",
        "triggers:",
        f"  pull_request: {proposal}",
        f"  main: {{data: full, deploy: [{deploy}]}}",
    ]


def _backends(chosen: Chosen) -> list[str]:
    known = chosen.workspace
    mark = "" if known else "# "
    address = (
        ("subscription_id", known.subscription_id if known else "00000000-0000-0000-0000-000000000000"),
        ("resource_group", known.resource_group if known else "..."),
        ("workspace", known.workspace if known else "..."),
    )
    return [f"{mark}backends:", f"{mark}  azureml:", *(f"{mark}    {key}: {_scalar(value)}" for key, value in address)]


def _keyed(chosen: Chosen, key: str, value: str, name: str, comment: str = "") -> list[str]:
    said = _GUESS if name in chosen.guessed else comment
    return [f"{key}: {_scalar(value)}" + (f" # {said}" if said else "")]


def endpoint(project: str, stage: str) -> str:
    """An endpoint's name by Azure ML's rule: 3 to 32 lower-case letters, digits and single dashes, a letter first."""
    clean = re.sub(r"[^a-z0-9]+", "-", stage.lower()).strip("-")
    room = 32 - len(clean) - 1
    base = re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "-", project.lower())).strip("-")[:room].strip("-")
    return f"{base or 'ctrain'}-{clean}"


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)
