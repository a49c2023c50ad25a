"""What a later step is told of what a verb did: all of it, each time, in single words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctrain.cli.ci.folds import Folds
from ctrain.cli.ci.host import Nowhere
from ctrain.cli.ci.outputs import Noted, State, ahead, state_of, tell_outputs
from ctrain.errors import Conflict, StillRunning
from ctrain.events import Closed, Crowned, Event, Judged, Opened, Placing, Registered, Shifted, Submitting, What
from ctrain.project import load_project
from ctrain.release import Ending, Release, StageRecord
from ctrain.verdict import Finding, Outcome, Verdict
from tests.builders import a_plan, a_run, a_stage, a_version, outputs
from tests.memory import MemoryBackend

REFERENCE = Path(__file__).parents[3] / "pipelines" / "ctrain.yaml"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
PASSED = Verdict((Finding("auc", Outcome.PASS, "good"),))


def a_release(**changes: object) -> Release:
    return replace(Release("main-b41c9e2-1", a_plan(), NOW), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (Ending.DELIVERED, "delivered"),
        (Ending.REJECTED, "rejected"),
        (Ending.UNDECIDED, "undecided"),
        (Ending.NEUTRAL, "inconclusive"),
        (Ending.TRAINING_FAILED, "failed"),
        (Ending.ROLLED_BACK, "rolled_back"),
        (Ending.NOT_RESTORED, "not_restored"),
    ],
)
def test_an_ended_release_says_how_it_ended(ending: Ending, state: str) -> None:
    """Whatever the verb came to after that."""
    assert state_of(a_release(ending=ending)) == state
    assert state_of(a_release(ending=ending, plan=a_plan(stages=()))) == state.replace("delivered", "passed")
    assert state_of(a_release(ending=ending), KeyboardInterrupt()) == state


def test_an_open_release_says_how_far_it_came() -> None:
    """By what it has: a job, a trained model, a verdict, a stage that it serves, a person that it waits for."""
    served = {"dev": StageRecord("v1", promoted=NOW)}
    waiting = a_plan(stages=[a_stage("prod", approval="required")])

    assert state_of(a_release()) is State.RUNNING
    assert state_of(a_release(training=a_run())) is State.TRAINED
    assert state_of(a_release(training=a_run(), verdict=PASSED)) is State.PASSED
    assert state_of(a_release(verdict=PASSED, version=a_version(), stages=served)) is State.DEPLOYED
    assert state_of(a_release(verdict=PASSED, version=a_version(), plan=waiting)) is State.WAITING


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        (StillRunning("it runs", why="detached", hint="ctrain resume"), State.RUNNING),
        (Conflict("taken", why="by anna", hint="wait"), State.FAILED),
        (ValueError("a bug"), State.FAILED),
        (KeyboardInterrupt(), State.INTERRUPTED),
    ],
)
def test_what_ended_the_verb_is_told(problem: BaseException, state: State) -> None:
    """A release that is open goes on; the output says why it is not further."""
    assert state_of(a_release(), problem) is state


def test_every_output_is_there_whatever_happened() -> None:
    """A verb may fail before it knows a release; a workflow's expression then compares with an empty text."""
    host = Recorder()

    tell_outputs(Noted(), host, Conflict("taken", why="by anna", hint="wait"))

    names = ("release", "state", "verdict", "model", "stage", "stages", "endpoint")
    assert host.outputs == {**dict.fromkeys(names, ""), "state": "failed", "stages": "[]"}


def test_a_delivered_release_names_all_of_it() -> None:
    """The stage is the one that was acted upon last."""
    noted = Noted()
    release = a_release(verdict=PASSED, version=a_version(3), ending=Ending.DELIVERED)
    noted.hear(Event(release.id, NOW, "anna", Shifted("dev", {"v3": 100})))
    noted.hear(Event(release.id, NOW, "anna", Placing("prod", "v3")))
    noted.about(release)

    assert noted.outputs() == {
        "release": "main-b41c9e2-1",
        "state": "delivered",
        "verdict": "pass",
        "model": "visits:3",
        "stage": "prod",
        "stages": "[]",
        "endpoint": "",
    }


def test_a_waiting_release_names_the_stage_that_it_waits_for() -> None:
    """That is what a person has to let it go to."""
    plan = a_plan(stages=[a_stage("dev"), a_stage("prod", approval="required")])
    served = {"dev": StageRecord("v1", promoted=NOW)}
    noted = Noted(a_release(plan=plan, version=a_version(), stages=served), stage="dev")

    assert noted.outputs()["stage"] == "prod"


def test_the_stages_ahead_make_the_next_jobs() -> None:
    """Those of the plan that it does not serve, once the gate passed it, and none when it has ended."""
    passed = a_release(verdict=PASSED)
    served = replace(passed, stages={"dev": StageRecord("v1", promoted=NOW)})

    assert ahead(a_release(training=a_run())) == []
    assert ahead(passed) == ["dev", "test", "prod"]
    assert ahead(served) == ["test", "prod"]
    assert ahead(replace(served, ending=Ending.ROLLED_BACK)) == []


def test_the_endpoint_is_where_the_stage_is_asked(tmp_path: Path) -> None:
    """As a URL, which a job's environment can show; nothing where it does not exist."""
    at = MemoryBackend(tmp_path, outputs())
    noted, unknown = Noted(stage="prod"), Noted(stage="dev")
    project = load_project(REFERENCE)
    at.ports.serving(project.stage("prod")).create(project.stage("prod").endpoint)

    noted.look(project, at.ports)
    unknown.look(project, at.ports)

    assert noted.endpoint.endswith("/score")
    assert unknown.endpoint == ""


def test_a_verb_with_a_verdict_of_its_own_tells_that() -> None:
    """`ctrain smoke` judges what serves, and not the release."""
    noted = Noted(a_release(verdict=PASSED), verdict=Outcome.FAIL)

    assert noted.outputs()["verdict"] == "fail"


def test_the_log_is_folded_by_step() -> None:
    """A fold for each step of the plan; the end is for all to see."""
    host = Recorder()
    folds = Folds(host)
    happened: list[What] = [
        Opened(a_plan()),
        Submitting("job"),
        Judged(PASSED, 100, "e"),
        Registered(a_version()),
        Placing("dev", "v1"),
        Shifted("dev", {"v1": 100}),
        Placing("prod", "v1"),
        Crowned(a_version()),
        Closed(Ending.DELIVERED, "done"),
    ]

    for what in happened:
        folds.hear(Event("r", NOW, "anna", what))

    assert host.folds == ["", "train", "gate", "register", "dev", "prod", "champion", ""]


class Recorder(Nowhere):
    """Remembers what a host was told."""

    def __init__(self) -> None:
        self.outputs: dict[str, str] = {}
        self.folds: list[str] = []

    def put(self, name: str, value: str) -> None:
        self.outputs[name] = value

    def fold(self, title: str) -> None:
        self.folds.append(title)

    def unfold(self) -> None:
        self.folds.append("")
