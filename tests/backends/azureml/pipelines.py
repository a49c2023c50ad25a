"""Pipelines in files, as a user would write them."""

from __future__ import annotations

from pathlib import Path

from ctrain.training import Scalar, TrainingSpec

TRAIN = """\
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
experiment_name: theirs
tags: {owner: ml-team}
properties: {cost: centre-7}
settings: {default_compute: azureml:cpu-cluster}
inputs:
  rows: {type: uri_file, path: rows.csv, mode: download}
  rate: 0.1
  behave: ok
outputs:
  model: {type: uri_folder}
jobs:
  prep:
    command: python step.py prep ${{inputs.behave}} ${{inputs.rows}} ${{outputs.clean}}
    code: code
    environment: {image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04}
    inputs: {rows: "${{parent.inputs.rows}}", behave: "${{parent.inputs.behave}}"}
    outputs: {clean: {type: uri_folder}}
  train:
    command: python step.py train ${{inputs.behave}} ${{inputs.clean}} ${{outputs.model}}
    code: code
    environment: {image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04}
    inputs: {clean: "${{parent.jobs.prep.outputs.clean}}", behave: "${{parent.inputs.behave}}"}
    outputs: {model: "${{parent.outputs.model}}"}
"""

STEP = """\
import sys, time
from pathlib import Path
name, behave, source, target = sys.argv[1:]
print(f"{name} starts", flush=True)
if behave == f"fail-{name}":
    raise SystemExit("boom")
if behave == "slow":
    time.sleep(60)
Path(target, "weights").write_text("1 2 3")
Path(target, "deep").mkdir()
Path(target, "deep", "more.txt").write_text("x" * 1000)
"""


def write_pipeline(folder: Path, text: str = TRAIN) -> Path:
    """The pipeline's file, with its code and data beside it."""
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "code" / "step.py").write_text(STEP)
    (folder / "rows.csv").write_text("row_id\n1\n2\n")
    file = folder / "train.yml"
    file.write_text(text)
    return file


def a_training(file: Path, job: str = "ctrain-a-1", *, fresh: bool = False, **inputs: Scalar) -> TrainingSpec:
    """What a flow would ask for."""
    tags = {"ctrain.release": "r-1", "ctrain.commit": "c0ffee", "ctrain.branch": "main"}
    return TrainingSpec(job, file, inputs, "medical visits", f"r-1 ({job})", tags, fresh=fresh)
