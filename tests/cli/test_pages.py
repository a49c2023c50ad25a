"""What an operator reads of a release, wherever it has come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ctrain.cli.pages import end
from ctrain.cli.pages import release as page
from ctrain.events import Closed, Event, Trained
from ctrain.plan import Plan
from ctrain.release import Ending, Release, StageRecord
from ctrain.training import JobStatus, StepRun
from ctrain.verdict import Finding, Outcome, Verdict
from tests.builders import DEV, a_plan, a_run, a_stage, a_version

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASS = Verdict((Finding("auc", Outcome.PASS, "good"),))
SERVED = StageRecord("v1", {}, promoted=AT)


def a_release(plan: Plan | None = None) -> Release:
    return Release("main-b41c9e2-1", plan or a_plan(stages=(DEV, a_stage("prod"))), AT)


JUDGED = replace(a_release(), training=a_run(), verdict=PASS)
DELIVERED = replace(JUDGED, stages={"dev": SERVED, "prod": SERVED}, ending=Ending.DELIVERED)


@pytest.mark.parametrize(
    ("release", "told"),
    [
        (a_release(), "open: training"),
        (replace(a_release(), training=a_run()), "open: to be judged"),
        (JUDGED, "open: going to dev"),
        (replace(JUDGED, version=a_version(), stages={"dev": SERVED}), "open: going to prod"),
        (replace(JUDGED, stages={"dev": SERVED, "prod": SERVED}), "open: to be closed"),
        (DELIVERED, "delivered"),
        (replace(a_release(a_plan(stages=())), ending=Ending.DELIVERED), "passed"),
        (replace(JUDGED, ending=Ending.REJECTED), "rejected"),
        (
            replace(DELIVERED, stages={"dev": SERVED, "prod": replace(SERVED, rolled_back="slow")}),
            "delivered, then rolled back at prod",
        ),
    ],
)
def test_the_end_of_a_release_or_what_comes_next(release: Release, told: str) -> None:
    """In a word or two, for a table."""
    assert end(release) == told


def test_a_release_that_waits_says_for_what() -> None:
    """A person has to let it go on."""
    plan = a_plan(stages=(DEV, a_stage("prod", approval="required")))
    release = replace(a_release(plan), training=a_run(), verdict=PASS, version=a_version(), stages={"dev": SERVED})

    assert end(release) == "waits for prod"


def test_a_failed_step_shows_its_reason_its_log_and_the_end_of_it() -> None:
    """In this order: a person goes on with the log."""
    step = StepRun("train", JobStatus.FAILED, 1.5, log="/home/log.txt", error="it ended with exit code 1\nboom")
    release = replace(a_release(), training=replace(a_run(JobStatus.FAILED), steps=(step,)))

    lines = page(release, []).splitlines()

    place = next(number for number, line in enumerate(lines) if line.startswith("  ✗ train"))
    assert lines[place].endswith("/home/log.txt: it ended with exit code 1")
    assert lines[place + 1] == "      │ boom"


def test_what_happened_stands_under_who_did_it() -> None:
    """A name a run, not a name a line."""
    told = [
        Event("r", AT, "anna", Trained(a_run())),
        Event("r", AT, "anna", Closed(Ending.REJECTED, "auc: too low")),
        Event("r", AT, "CI", Closed(Ending.REJECTED, "auc: too low")),
    ]

    text = page(a_release(), told)

    assert (text.count("by anna"), text.count("by CI")) == (1, 1)
    assert "rejected (auc: too low)" in text
