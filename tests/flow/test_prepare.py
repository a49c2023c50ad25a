"""Making the plan, on the reference project's own files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.data import DataVersion
from ctrain.errors import Location, PipelineError, ProjectError
from ctrain.events import Event, Judged, Opened
from ctrain.flow.prepare import prepare, scoring_digest
from ctrain.plan import Deploy, Gate, Plan, Register, Train
from ctrain.project import Project, Trigger, load_project
from ctrain.rollout import DeploymentSettings, Stage
from ctrain.serving import ScoringCode
from ctrain.training import JobStatus
from ctrain.verdict import Finding, Outcome, Verdict
from ctrain.version import Source
from tests.builders import a_plan, a_run, a_version
from tests.memory import MemoryBackend

REFERENCE = Path(__file__).parents[2] / "pipelines" / "ctrain.yaml"
SOURCE = Source(commit="b41c9e2f", branch="main")


@pytest.fixture
def project() -> Project:
    return load_project(REFERENCE)


@pytest.fixture
def planned(world: MemoryBackend, project: Project) -> MemoryBackend:
    """A world that has the project's data."""
    reference = project.data_reference("memory")
    world.data.sets[reference] = DataVersion("visits", "1", "d", reference, 1000, 20190)
    return world


def a_prepared(world: MemoryBackend, project: Project, trigger: Trigger = Trigger.MAIN, *, fresh: bool = False) -> Plan:
    return prepare(project, world.ports, SOURCE, trigger, fresh=fresh)


def test_main_trains_judges_registers_and_deploys_in_order(planned: MemoryBackend, project: Project) -> None:
    """The list that `ctrain run` walks."""
    plan = a_prepared(planned, project)

    assert [type(step) for step in plan.steps] == [Train, Gate, Register, Deploy, Deploy, Deploy]
    assert [step.stage.name for step in plan.deploys] == ["dev", "test", "prod"]
    assert [step.last for step in plan.deploys] == [False, False, True]


def test_a_pull_request_trains_on_the_sample_and_stops_at_the_gate(planned: MemoryBackend, project: Project) -> None:
    """It deploys nothing, so it registers nothing."""
    plan = a_prepared(planned, project, Trigger.PULL_REQUEST)

    assert [type(step) for step in plan.steps] == [Train, Gate]
    assert plan.sample == project.data.sample
    assert not plan.comparable


def test_planning_writes_nothing(planned: MemoryBackend, project: Project) -> None:
    """Not to the ledger, not to the registry, and it makes no sample."""
    for trigger in Trigger:
        a_prepared(planned, project, trigger)

    assert planned.writes == 0


def test_sample_and_whole_are_different_trainings(planned: MemoryBackend, project: Project) -> None:
    """A pull request's job is never taken for main's."""
    whole, part = a_prepared(planned, project), a_prepared(planned, project, Trigger.PULL_REQUEST)

    assert whole.fingerprint != part.fingerprint


def test_a_job_that_trained_the_same_is_adopted(planned: MemoryBackend, project: Project) -> None:
    """The same code, data, parameters and environment train once."""
    first = a_prepared(planned, project).training
    planned.trainer.runs[first.job] = a_run(job=first.job)

    second = a_prepared(planned, project).training

    assert (first.adopts, second.adopts, second.job) == (False, True, first.job)


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELED, JobStatus.UNKNOWN])
def test_a_job_that_did_not_complete_is_no_hit(planned: MemoryBackend, project: Project, status: JobStatus) -> None:
    """Failed, cancelled, or with its outputs gone: the next attempt has the next name."""
    first = a_prepared(planned, project).training
    planned.trainer.runs[first.job] = a_run(status, job=first.job)

    second = a_prepared(planned, project).training

    assert (second.adopts, second.job) == (False, first.job[:-1] + "2")


def test_fresh_adopts_nothing(planned: MemoryBackend, project: Project) -> None:
    """Even what has completed."""
    first = a_prepared(planned, project).training
    planned.trainer.runs[first.job] = a_run(job=first.job)

    assert not a_prepared(planned, project, fresh=True).training.adopts


def test_a_new_champion_makes_another_training(planned: MemoryBackend, project: Project) -> None:
    """Its evaluation has other rows: both models are scored on today's data."""
    before = a_prepared(planned, project)
    planned.registry.champions["medical-visits"] = replace(a_version(), name="medical-visits")

    after = a_prepared(planned, project)

    assert before.champion is None
    assert before.fingerprint != after.fingerprint
    assert before.same_work(after)


def test_an_output_that_the_pipeline_lacks_is_refused(planned: MemoryBackend, project: Project) -> None:
    """With the nearest name."""
    wrong = replace(project, model=replace(project.model, output="modle"))

    with pytest.raises(ProjectError, match="did you mean 'model'"):
        a_prepared(planned, wrong)


def test_a_scoring_script_that_is_not_there_is_refused_when_planning(
    planned: MemoryBackend, project: Project, tmp_path: Path
) -> None:
    """Not after hours of training, when the first stage would need it."""
    (tmp_path / "other.py").touch()
    scoring = ScoringCode(str(tmp_path), "score.py")
    stages = tuple(replace(s, deployment=replace(s.deployment, scoring=scoring)) for s in project.stages)

    with pytest.raises(ProjectError, match="no scoring script"):
        a_prepared(planned, replace(project, stages=stages))


def test_a_registered_environment_of_a_scoring_script_counts_by_its_name(tmp_path: Path) -> None:
    """It is no file of ours; another version of it is another deployment."""
    (tmp_path / "score.py").touch()

    def digest(environment: str) -> str:
        scoring = ScoringCode(str(tmp_path), "score.py", environment)
        return scoring_digest(Stage("dev", "visits-dev", deployment=DeploymentSettings(scoring=scoring)))

    assert digest("azureml:scoring:1") == digest("azureml:scoring:1")
    assert digest("azureml:scoring:1") != digest("azureml:scoring:2")


def test_a_password_in_the_scoring_environment_is_refused_at_its_line(tmp_path: Path) -> None:
    """It would be baked into the image that serves; the password itself is not said again."""
    (tmp_path / "score.py").touch()
    conda = tmp_path / "conda.yml"
    conda.write_text("dependencies:\n- pip:\n  - visits @ https://me:pa55@feed.example.org/visits.whl\n")
    scoring = ScoringCode(str(tmp_path), "score.py", str(conda))

    with pytest.raises(ProjectError, match="has a password in it") as refused:
        scoring_digest(Stage("dev", "visits-dev", deployment=DeploymentSettings(scoring=scoring)))

    assert refused.value.at == Location(conda, 3)
    assert "pa55" not in str(refused.value) + refused.value.hint


def test_a_plan_says_what_the_gate_will_be_able_to_tell(planned: MemoryBackend, project: Project) -> None:
    """From the champion's evaluation: its error, on as many rows as there will be."""
    before = a_prepared(planned, project).steps[1]
    judged = replace(a_plan(), model="medical-visits")
    seen = {"challenger": 0.78, "champion": 0.78, "difference": 0.0, "low": -0.0098, "high": 0.0098}
    finding = Finding("auc against the champion", Outcome.PASS, "", measured={**seen, "margin": 0.01, "rows": 100.0})
    for what in (Opened(judged), Judged(Verdict((finding,)), 100, "e")):
        planned.ledger.append(Event("main-b41c9e2-1", planned.clock.now(), "a test", what))
    planned.registry.champions["medical-visits"] = replace(a_version(), name="medical-visits")

    step = a_prepared(planned, project).steps[1]
    sampled = a_prepared(planned, project, Trigger.PULL_REQUEST).steps[1]

    assert isinstance(before, Gate)
    assert isinstance(step, Gate)
    assert isinstance(sampled, Gate)
    assert before.foresees == sampled.foresees == ()
    (foreseen,) = step.foresees
    assert (foreseen.metric, foreseen.rows, foreseen.after) == ("auc", 20190, "main-b41c9e2-1")
    assert foreseen.passes is not None
    assert foreseen.passes > 0.99  # 100 rows of 100 then, 20,190 of 20,190 now: an error of 0.005 / sqrt(201.9)
    assert foreseen.shows == pytest.approx(0.01 + (1.96 + 0.842) * 0.005 / 201.9**0.5, rel=0.01)


SWEEP = """\
type: pipeline
inputs: {training_data: {type: uri_file, path: data.parquet}, max_iter: 1}
outputs: {model: {type: mlflow_model}, evaluation: {type: uri_folder}}
jobs:
  search:
    type: sweep
    trial: azureml:trial@latest
    inputs: {data: "${{parent.inputs.training_data}}"}
    outputs: {model: "${{parent.outputs.model}}", evaluation: "${{parent.outputs.evaluation}}"}
"""


@pytest.mark.parametrize("any_job", [True, False])
def test_the_backend_decides_which_jobs_a_pipeline_may_have(
    planned: MemoryBackend, project: Project, tmp_path: Path, any_job: bool
) -> None:
    """A sweep runs on Azure ML; on a machine it is refused before anything starts."""
    file = tmp_path / "train.yml"
    file.write_text(SWEEP)
    ports = replace(planned.ports, any_job=any_job)

    def prepared() -> Plan:
        return prepare(replace(project, pipeline=file), ports, SOURCE, Trigger.MAIN)

    if any_job:
        assert prepared().pipeline == str(file)
    else:
        with pytest.raises(PipelineError, match="sweep"):
            prepared()
