"""A person lets a release go to a stage: on what was shown, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.errors import UsageError
from ctrain.events import Event, Judged
from ctrain.flow.approve import approve
from ctrain.flow.journal import Journal
from ctrain.release import Ending, Release
from tests.builders import DEV, a_plan, a_stage
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

PLAN = a_plan(stages=(DEV, a_stage("prod", approval="required")))


def approved(world: MemoryBackend, release: Release) -> Release:
    return approve(release, "prod", Journal(world.ports, "a test", lambda _: None), who="anna", reason="looks good")


def test_an_approved_release_goes_on(world: MemoryBackend, run: Run) -> None:
    """Run again, it does what it waited for; who, when and why stay in the record."""
    approved(world, run(PLAN))

    release = run(PLAN)

    assert release.ending is Ending.DELIVERED
    approval = release.approvals["prod"]
    assert (approval.who, approval.reason) == ("anna", "looks good")


def test_approving_twice_is_approving_once(world: MemoryBackend, run: Run) -> None:
    """One event."""
    release = approved(world, approved(world, run(PLAN)))

    kinds = [event.what.kind for event in world.ledger.events(release.id)]
    assert kinds.count("approved") == 1


def test_evidence_that_has_changed_since_is_not_approved(world: MemoryBackend, run: Run) -> None:
    """What was approved is this model on this evidence."""
    release = approved(world, run(PLAN))
    assert release.approved("prod")
    assert release.verdict is not None

    again = Event(release.id, world.clock.now(), "somebody", Judged(release.verdict, 400, "other evidence"))
    world.ledger.append(again)

    after = run(PLAN)
    assert after.waits_for == "prod"
    assert not after.ended


@pytest.mark.parametrize("stage", ["dev", "nowhere"])
def test_a_stage_that_waits_for_nobody_needs_no_approval(world: MemoryBackend, run: Run, stage: str) -> None:
    """It says which do."""
    release = run(PLAN)

    with pytest.raises(UsageError, match="waits for no approval") as told:
        approve(release, stage, Journal(world.ports, "a test", lambda _: None), who="anna", reason="why not")
    assert "prod" in told.value.why


def test_nothing_is_approved_before_there_is_a_model(world: MemoryBackend, run: Run) -> None:
    """Nor after the release has ended."""
    release = run(PLAN)

    for early in (replace(release, version=None), replace(release, ending=Ending.REJECTED)):
        with pytest.raises(UsageError, match="cannot be approved"):
            approved(world, early)
