"""What is told of a release: decided once, for all forms of a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from ctrain.document import parse_document
from ctrain.errors import DataError, Location, Problem, ProjectError
from ctrain.project import Trigger, load_project
from ctrain.release import Ending
from ctrain.report import Beside, Places, Report, State, make_report, markdown, remarks_of_error
from ctrain.report.make import _safe
from ctrain.report.report import Link
from ctrain.training import JobStatus, StepRun
from tests.report.shapes import ALL, BEGAN, GATE, SHAPES, report_of, verdict_of

PROJECT = Path(__file__).parents[2] / "pipelines" / "ctrain.yaml"


def test_every_state_has_a_shape() -> None:
    """No state is without a report that people have looked at."""
    assert {report_of(name).state for name in ALL} == set(State)


def test_every_ending_has_a_state() -> None:
    """And its own: a report does not take one for another."""
    release = SHAPES["delivered"]().release
    states = {make_report(replace(release, ending=one), (), now=BEGAN).state for one in Ending}

    assert len(states) == len(Ending)


def test_a_reused_step_says_what_it_saved() -> None:
    """As long as it took in the job that it comes from; where that is not known, nothing is said."""
    known, unknown = report_of("delivered").training, _without_history("delivered").training
    assert known
    assert unknown
    assert (known.saved, unknown.saved) == (31.0, 0.0)


def test_a_pull_request_says_what_merging_leads_to() -> None:
    """By the project as it is: which data, which stages."""
    story = SHAPES["passed-proposal"]()
    beside = Beside(project=load_project(PROJECT))
    told = make_report(story.release, tuple(story.events), now=BEGAN, beside=beside).ahead

    assert told == "Once merged, it trains on all the data, is judged anew, and goes to dev, test and prod."


@pytest.mark.parametrize(("name", "rows"), [("undecided", "5,500"), ("inconclusive-proposal", "460")])
def test_what_was_undecided_says_how_many_rows_would_decide(name: str, rows: str) -> None:
    """In the first line."""
    assert f"about {rows} rows would decide" in str(report_of(name).headline)


def test_the_worst_slice_is_the_one_that_blocks_and_lost_most() -> None:
    """Of two refused slices the one that lost more; what only advises comes after both."""
    worst = report_of("rejected").worst_slice
    assert worst
    blocking = [line for line in report_of("rejected").slices if line.finding.blocking]
    assert worst.seen("difference") == min(line.seen("difference") or 0 for line in blocking)


def test_so_few_rows_that_nothing_could_be_told_is_said() -> None:
    """A rule that an equally good model would rarely pass is called underpowered."""
    from ctrain.report.words import power

    lines = report_of("undecided").rules
    assert any(power(line).startswith("underpowered: an equally good model passes in ") for line in lines)
    assert not any(power(line) for line in report_of("delivered").rules)


def test_time_that_a_person_took_is_not_the_rollouts() -> None:
    """Waiting for an approval is a phase of its own, and phases never overlap."""
    phases = report_of("delivered").phases
    names = [phase.name for phase in phases]

    assert names == ["train", "gate", "register", "dev", "waiting for a person, prod", "prod"]
    assert all(a.began + a.seconds <= b.began + 1e-6 for a, b in pairwise(phases))
    assert next(phase.seconds for phase in phases if phase.kind == "waiting") > 890


def test_what_is_under_way_goes_on_until_now() -> None:
    """The last phase of an open release is not over."""
    *_, last = report_of("running").phases

    assert (last.name, last.over, last.seconds) == ("train", False, 30.0)


def test_traffic_is_told_step_by_step() -> None:
    """From nothing to all of it, and back to nothing where the rollout was given up."""
    prod = next(stage for stage in report_of("delivered").stages if stage.name == "prod")
    given_up = next(stage for stage in report_of("given-up").stages if stage.name == "prod")

    assert [share.percent for share in prod.traffic] == [0, 10, 50, 100]
    assert [share.percent for share in given_up.traffic] == [0, 10, 50, 0]


def test_a_new_try_begins_anew() -> None:
    """The second rollout of a stage is told, not the sum of both."""
    story = SHAPES["given-up"]()
    story.rolled_out("prod", 10, 50, 100)
    report = make_report(story.release, tuple(story.events), now=story.at + timedelta(seconds=1))
    prod = next(stage for stage in report.stages if stage.name == "prod")

    assert [share.percent for share in prod.traffic] == [0, 10, 50, 100]


def test_it_is_reproduced_from_the_projects_folder() -> None:
    """A repository may hold the project in a folder, whose name a shell must not read."""
    places = Places(Path("/repo"), parse_document(b"project: x", Path("/repo/my models/ctrain.yaml"), ProjectError))
    story = SHAPES["rejected"]()
    told = make_report(story.release, (), now=BEGAN, beside=Beside(places=places)).reproduce

    assert told[1:] == ("cd 'my models'", "ctrain train --trigger main --backend local", "ctrain gate --explain")


def test_findings_stand_at_their_rule_in_the_file_as_it_is() -> None:
    """A rule at its metric, a limit at its key, a slice at the slices; what is gone, at what held it."""
    text = b"gate:\n  metrics:\n    auc:\n      direction: up\n      floor: 0.7\n  slices:\n    by: [region]\n"
    places = Places(Path("/repo"), parse_document(text, Path("/repo/ctrain.yaml"), ProjectError))
    story = SHAPES["rejected"]()
    remarks = make_report(story.release, (), now=BEGAN, beside=Beside(places=places)).remarks
    lines = {remark.title.rpartition(":")[0]: (remark.file, remark.line) for remark in remarks}

    assert lines["auc floor"] == ("ctrain.yaml", 5)
    assert lines["auc against the champion"] == ("ctrain.yaml", 3)
    assert lines["auc against the champion, region = east"] == ("ctrain.yaml", 6)
    assert lines["log_loss ceiling"] == ("ctrain.yaml", 2)


def test_without_the_file_findings_stand_nowhere() -> None:
    """Rather than at a line that is none of theirs."""
    assert {(remark.file, remark.line) for remark in report_of("rejected").remarks} == {(None, None)}


def test_what_passed_is_not_remarked_on() -> None:
    """Annotations are for what a person has to look at."""
    assert report_of("delivered").remarks == ()


def test_a_failed_step_stands_at_its_job_in_the_pipeline() -> None:
    """Where it is written."""
    places = Places(
        Path("/r"), None, parse_document(b"jobs:\n  prep: {}\n  train: {}\n", Path("/r/t.yml"), ProjectError)
    )
    story = SHAPES["training-failed"]()
    (remark,) = make_report(story.release, (), now=BEGAN, beside=Beside(places=places)).remarks

    assert (remark.file, remark.line, remark.title) == ("t.yml", 3, "step train: failed")


def test_a_step_that_broke_in_our_code_stands_there() -> None:
    """The line that raised says more than the job that ran it."""
    script = Path("/r/src/train.py")
    places = Places(
        Path("/r"), None, parse_document(b"jobs:\n  train: {}\n", Path("/r/t.yml"), ProjectError), {"train": (script,)}
    )
    story = SHAPES["training-failed"]()
    run = story.release.training
    assert run
    error = 'exit code 1\nTraceback (most recent call last):\n  File "/tmp/wd/train.py", line 5, in <module>\nKeyError'
    steps = tuple(replace(step, error=error) if step.status is JobStatus.FAILED else step for step in run.steps)
    broken = replace(story.release, training=replace(run, steps=steps))
    (remark,) = make_report(broken, (), now=BEGAN, beside=Beside(places=places)).remarks

    assert (remark.file, remark.line, remark.title) == ("src/train.py", 5, "step train: failed")


def test_a_stage_that_was_not_restored_says_how_it_can_be() -> None:
    """By an abort, which gives it what served before: a rollback refuses a stage whose traffic is split."""
    assert report_of("not-restored").next == ("ctrain status", "ctrain rollout abort prod")


def test_a_step_that_did_not_come_to_its_turn_is_told_in_words() -> None:
    """As people say it, and not as Azure's API spells it."""
    story = SHAPES["training-failed"]()
    run = story.release.training
    assert run
    late = replace(run, steps=(*run.steps, StepRun("evaluate", JobStatus.NOT_STARTED)))
    report = make_report(replace(story.release, training=late), (), now=BEGAN)

    assert "evaluate **not started**" in markdown(report)


def test_every_problem_of_a_file_is_a_remark() -> None:
    """At its line, if the file is within the repository."""
    at, outside = Location(Path("/repo/ctrain.yaml"), 7), Location(Path("/etc/x"), 1)
    error = ProjectError.of([Problem("a", "b", "c", at), Problem("d", "e", "f", outside)])
    remarks = remarks_of_error(error, Places(Path("/repo")))

    assert [(one.title, one.file, one.line) for one in remarks] == [("a", "ctrain.yaml", 7), ("d", None, None)]
    assert remarks_of_error(DataError("x", why="y", hint="z"), Places())[0].text == "y. z"


def test_every_finding_of_the_gate_is_placed() -> None:
    """Nothing that the real gate says of rules, slices and segments is taken for something else."""
    lines = report_of("delivered").lines

    assert {line.about for line in lines} == {"rule", "slice", "segment"}
    assert all(line.metric in GATE.metrics for line in lines)
    assert len(lines) == len(verdict_of(4000, 0.4).findings)


def test_a_trigger_that_deploys_nowhere_passed() -> None:
    """It was not delivered: nothing serves it."""
    report = report_of("passed-proposal")

    assert (report.state, report.trigger) == (State.PASSED, Trigger.PULL_REQUEST)


def test_an_address_is_linked_once() -> None:
    """Whoever knows it."""
    links = (Link("a", "https://a.example/1"), Link("b", "https://a.example/1"))

    assert _safe(links) == links[:1]


def _without_history(name: str) -> Report:
    story = SHAPES[name]()
    return make_report(story.release, tuple(story.events), now=BEGAN)
