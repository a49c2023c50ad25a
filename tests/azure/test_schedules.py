"""Schedules of jobs by the unmodified SDK, and when they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.azure.jobs.samples import Samples, samples
from tests.azure.jobs.triggers import check, due
from tests.azure.loopback import Loopback, Place
from tests.azure.routing import Refused

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

START = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)  # a Monday


@pytest.fixture
def jobs(tmp_path: Path, client: MLClient, azure: Loopback, place: Place) -> Samples:
    """A folder with a pipeline, and a client of a fresh workspace whose tokens outlive a move of the clock."""
    azure.control("POST", "/lifetimes", {"access": 1e8})
    return samples(tmp_path, client, azure, place)


@pytest.mark.usefixtures("stored")
def test_a_schedule_is_made_fires_and_is_taken_away(jobs: Samples) -> None:
    """Control moves the clock past its time, and its job is submitted and runs."""
    from azure.ai.ml import load_job
    from azure.ai.ml.entities import CronTrigger, JobSchedule

    job = load_job(jobs.folder / "pipeline.yml")
    schedule = JobSchedule(name="nightly", trigger=CronTrigger(expression="0 3 * * *"), create_job=job)
    schedules = jobs.client.schedules

    made = schedules.begin_create_or_update(schedule).result()
    assert (made.is_enabled, made.trigger.expression) == (True, "0 3 * * *")
    jobs.azure.advance(24 * 3600)

    (name,) = [found.name for found in jobs.client.jobs.list()]
    assert name.startswith("nightly-") and name.endswith("T030000Z")
    assert jobs.ended(name) == "Completed"
    schedules.begin_disable("nightly").result()
    jobs.azure.advance(24 * 3600)
    assert len(list(jobs.client.jobs.list())) == 1
    assert list(schedules.list()) == []
    schedules.begin_delete("nightly").result()
    with pytest.raises(Exception, match="was not found"):
        schedules.get("nightly")


def _times(trigger: dict[str, Any], days: float) -> list[str]:
    found = due({"triggerType": "Cron", **trigger}, START, START, START + timedelta(days=days))
    return [moment.strftime("%d %H:%M") for moment in found]


@pytest.mark.parametrize(
    ("trigger", "days", "times"),
    [
        ({"expression": "0 3 * * *"}, 2, ["24 03:00", "25 03:00"]),
        ({"expression": "*/20 9 * * mon"}, 1, ["23 09:00", "23 09:20", "23 09:40"]),
        ({"expression": "0 0 1,25 * 0-6"}, 9, ["25 00:00", "01 00:00"]),
        ({"expression": "0 3 * * *", "endTime": "2026-11-24 04:00:00"}, 3, ["24 03:00"]),
        ({"expression": "0 3 * * *", "startTime": "2026-11-24T12:00:00"}, 2, ["25 03:00"]),
        ({"triggerType": "Recurrence", "frequency": "minute", "interval": 30}, 0.05, ["23 09:00", "23 09:30"]),
        ({"triggerType": "Recurrence", "frequency": "hour", "interval": 6}, 0.6, ["23 14:30", "23 20:30"]),
        (
            {
                "triggerType": "Recurrence",
                "frequency": "week",
                "interval": 2,
                "schedule": {"weekDays": ["Tuesday"], "hours": [6], "minutes": [0]},
            },
            16,
            ["24 06:00", "08 06:00"],
        ),
        (
            {
                "triggerType": "Recurrence",
                "frequency": "month",
                "interval": 1,
                "schedule": {"monthDays": [5], "hours": [1], "minutes": [15]},
            },
            20,
            ["05 01:15"],
        ),
    ],
)
def test_a_schedule_is_due_at(trigger: dict[str, Any], days: float, times: list[str]) -> None:
    """Cron fields with lists, steps, ranges and names; recurrences by their interval and pattern; starts and ends."""
    assert _times(trigger, days) == times


@pytest.mark.parametrize(
    "trigger",
    [
        {"triggerType": "Cron", "expression": "every night"},
        {"triggerType": "Cron", "expression": "61 * * * *"},
        {"triggerType": "Recurrence", "frequency": "day", "interval": 0},
        {"triggerType": "Recurrence", "frequency": "fortnight", "interval": 1},
        {"triggerType": "Sundial"},
    ],
)
def test_no_schedule_is_made_of_nonsense(trigger: dict[str, Any]) -> None:
    """It is refused when it is made, not when it is due."""
    with pytest.raises(Refused):
        check(trigger)
