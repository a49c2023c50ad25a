"""Values for tests, each in one line: what a test does not mention has a sensible default."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ctrain.data import DataVersion, SampleSpec
from ctrain.gate import EvaluationSettings, GateSettings, Rule
from ctrain.plan import Deploy, Gate, Plan, PlanStep, Register, Train
from ctrain.project import Trigger
from ctrain.rollout import DeploymentSettings, Stage
from ctrain.serving import DeploymentSpec
from ctrain.smoke import SmokeSettings
from ctrain.training import Identity, JobStatus, Scalar, TrainingRun, TrainingSpec, job_name
from ctrain.version import Lineage, ModelVersion, Source

COMMIT = "b41c9e2f00000000000000000000000000000000"


def a_stage(name: str, *, golden: int = 3, approval: str = "none", crash: bool = False) -> Stage:
    variables = {"BEHAVE": "crash"} if crash else {}
    return Stage(
        name,
        endpoint=f"visits-{name}",
        approval="required" if approval == "required" else "none",
        smoke=SmokeSettings(golden=golden),
        deployment=DeploymentSettings(environment_variables=variables),
    )


DEV, TEST, PROD = a_stage("dev"), a_stage("test"), a_stage("prod")


def a_lineage(*, commit: str = COMMIT, release: str = "main-b41c9e2-1") -> Lineage:
    return Lineage(
        commit,
        "main",
        dirty=False,
        data="visits:1",
        data_digest="d",
        parameters={},
        job="j",
        run_id="r",
        release=release,
        verdict="pass",
    )


def a_version(number: int = 1, *, digest: str = "d1", name: str = "visits") -> ModelVersion:
    return ModelVersion(name, number, digest, f"/models/{digest}", a_lineage())


def a_run(status: JobStatus = JobStatus.COMPLETED, *, job: str = "j") -> TrainingRun:
    return TrainingRun(job, status, run_id="r")


def a_plan(
    *,
    trigger: Trigger = Trigger.MAIN,
    commit: str = COMMIT,
    stages: Sequence[Stage] = (DEV, TEST, PROD),
    champion: ModelVersion | None = None,
    parameters: Mapping[str, Scalar] | None = None,
    fresh: bool = False,
    sample: SampleSpec | None = None,
    gate: GateSettings | None = None,
    attempt: int = 1,
) -> Plan:
    """A plan of the project `visits`, whose rule asks for an AUC of 0.7 and no loss against the champion."""
    identity = Identity("c0de", "e", "d", parameters or {}, champion.digest if champion else "")
    steps: list[PlanStep] = [
        Train(job_name(identity.fingerprint, attempt), adopts=False, steps=(), why="new"),
        Gate(""),
    ]
    if stages:
        steps.append(Register(""))
        steps += [Deploy(s, last=s is stages[-1], waits=s.approval == "required", why="") for s in stages]
    rule = Rule(direction="up", rule="non_inferior", margin=0.02, floor=0.7)
    return Plan(
        project="visits",
        root="/project",
        trigger=trigger,
        fresh=fresh,
        source=Source(commit=commit, branch="main"),
        pipeline="/project/train.yml",
        data_input="training_data",
        data=DataVersion("visits", "1", "d", "/data/visits.parquet", size=1000, rows=100),
        sample=sample,
        parameters=parameters or {},
        champion=champion,
        champion_input="champion" if champion else None,
        identity=identity,
        fingerprint=identity.fingerprint,
        model="visits",
        model_output="model",
        evaluation=EvaluationSettings(output="evaluation", row_id="row_id", label="visited"),
        gate=gate or GateSettings(metrics={"auc": rule}, min_rows=50),
        policy="p",
        steps=tuple(steps),
    )


def outputs(
    *, quality: float = 1.0, champion: float | None = None, seed: int = 0
) -> Callable[[TrainingSpec, Path], None]:
    """What a training leaves behind: a model with a signature, and 400 evaluation rows that it scored.

    `quality` 1 scores every row right, 0 at random; the score is also the model's input `x`, so that a server
    that echoes `x` gives the gate's scores back. `champion` adds a champion of that quality.
    """

    def write(spec: TrainingSpec, folder: Path) -> None:
        model, rows = folder / "model", folder / "evaluation"
        model.mkdir()
        rows.mkdir()
        columns = json.dumps([{"type": "double", "name": "x", "required": True}])
        (model / "MLmodel").write_text(json.dumps({"signature": {"inputs": columns}}))
        (model / "weights").write_text(f"{quality} {seed}")
        with (rows / "rows.csv").open("w", newline="") as file:
            table = csv.writer(file)
            asked = ["champion_prediction"] if champion is not None and "champion" in spec.inputs else []
            table.writerow(["row_id", "visited", "prediction", "x", *asked])
            for row in range(400):
                label = row % 2
                own = _score(row, label, quality)
                theirs = [_score(row, label, champion)] if asked and champion is not None else []
                table.writerow([row, label, own, own, *theirs])

    return write


def _score(row: int, label: int, quality: float) -> float:
    noise = ((row * 2654435761) % 1000) / 1000
    return round(quality * (0.25 + 0.5 * label) + (1 - quality) * noise, 6)


def a_deployment_spec(name: str, *, crash: bool = False, model_uri: str = "/models/d1") -> DeploymentSpec:
    """A deployment of `visits:1`; `crash` makes it fail as it starts."""
    variables = {"BEHAVE": "crash"} if crash else {}
    return DeploymentSpec(name, "visits", 1, "d1", model_uri, environment_variables=variables)
