"""A project so small that its whole way to production takes two seconds: one step, a file for a model, a script.

It uses the standard library only. What should go wrong is said by its files: every text in `FILES` can be given anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.repository import Repository

CONFIGURATION = """\
project: tiny
pipeline: train.yml
data:
  input: data
  local: rows.csv
  sample: {fraction: 0.5, key: id}
parameters: {factor: 0.9}
model: {name: tiny, output: model}
evaluation: {output: evaluation, row_id: id, label: label, prediction: prediction}
gate:
  min_rows: 40
  metrics:
    auc: {direction: up, rule: absolute, floor: 0.6}
deployment: {scoring: {code: scoring, script: score.py}}
stages:
  dev: {endpoint: tiny-dev, smoke: {golden: 3}}
  prod: {endpoint: tiny-prod, smoke: {golden: 3}}
triggers:
  pull_request: {data: sample, deploy: []}
  main: {data: full, deploy: [dev, prod]}
"""

PIPELINE = """\
type: pipeline
inputs:
  data:
    type: uri_file
    path: rows.csv
  factor: 0.5
outputs:
  model:
    type: uri_folder
  evaluation:
    type: uri_folder
jobs:
  train:
    type: command
    code: code
    command: >-
      python train.py ${{inputs.data}} ${{inputs.factor}} ${{outputs.model}} ${{outputs.evaluation}}
    environment: azureml:python-plain@latest
    inputs:
      data: ${{parent.inputs.data}}
      factor: ${{parent.inputs.factor}}
    outputs:
      model: ${{parent.outputs.model}}
      evaluation: ${{parent.outputs.evaluation}}
"""

TRAINING = """\
import csv
import json
import sys
from pathlib import Path

data, factor, model, evaluation = sys.argv[1:]
print("training with factor", factor)
rows = [(row["id"], float(row["x"]), int(row["label"])) for row in csv.DictReader(open(data))]
signature = {"inputs": json.dumps([{"name": "x", "type": "double"}])}
Path(model, "MLmodel").write_text(json.dumps({"signature": signature}))
Path(model, "factor.json").write_text(factor)
with Path(evaluation, "rows.csv").open("w") as file:
    file.write("id,x,label,prediction\\n")
    for name, x, label in rows:
        file.write(f"{name},{x},{label},{x * float(factor)}\\n")
"""

SCORING = """\
import json
import os
from pathlib import Path

from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    global factor
    factor = json.loads(next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("factor.json")).read_text())


def run(raw):
    try:
        rows = json.loads(raw)["input_data"]["data"]
    except (ValueError, KeyError, TypeError):
        return AMLResponse("not a table", 400)
    return [row[0] * factor for row in rows]
"""


def rows(count: int = 100) -> str:
    """Rows whose `x` tells the label nine times in ten."""
    lines = [f"r{place},{place / count:.4f},{int((place >= count / 2) != (place % 10 == 3))}" for place in range(count)]
    return "id,x,label\n" + "\n".join(lines) + "\n"


FILES: Mapping[str, str] = {
    "ctrain.yaml": CONFIGURATION,
    "train.yml": PIPELINE,
    "code/train.py": TRAINING,
    "scoring/score.py": SCORING,
    "rows.csv": rows(),
}


def write(root: Path, files: Mapping[str, str] = FILES) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def tiny(root: Path, changed: Mapping[str, str] | None = None, *, factor: str = "0.9") -> Repository:
    """A repository with the tiny project, committed. `changed` gives files anew; another factor makes another model."""
    files = {**FILES, "ctrain.yaml": CONFIGURATION.replace("factor: 0.9", f"factor: {factor}")}
    write(root, {**files, **(changed or {})})
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("A tiny project")
    return repository
