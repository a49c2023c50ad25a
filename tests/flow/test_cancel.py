"""What becomes of a training: cancelled by a person, as its run was interrupted, or in a clean-up after that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.errors import StillRunning
from ctrain.events import Trained
from ctrain.flow.cancel import Leftover, cancel_training, clean_up, on_signal
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal, Patience
from ctrain.flow.open_release import lock_name
from ctrain.plan import Plan
from ctrain.project import OnCancel
from ctrain.release import Ending, Release
from ctrain.training import JobStatus
from tests.builders import COMMIT, a_plan, a_stage
from tests.flow.conftest import Run
from tests.memory import MemoryBackend

OTHER = "c0ffee0" + COMMIT[7:]


def slow_plan(on_cancel: OnCancel = "cancel", commit: str = COMMIT) -> Plan:
    """Its job never ends by itself."""
    return replace(a_plan(commit=commit, parameters={"behave": "slow"}), on_cancel=on_cancel)


def training(world: MemoryBackend, plan: Plan) -> Release:
    """A release whose run is gone and whose job goes on."""
    journal = Journal(world.ports, "the run", lambda _: None, patience=Patience(detach=True))
    try:
        deliver(plan, journal)
    except StillRunning as left:
        return journal.read_again(left.release)
    finally:
        journal.unlock_all()
    raise AssertionError("it did not train")


def cleaned(world: MemoryBackend, release: Release) -> Leftover:
    journal = Journal(world.ports, "the clean-up", lambda _: None)
    try:
        return clean_up(release, journal)
    finally:
        journal.unlock_all()


def test_a_clean_up_cancels_and_ends_the_release(world: MemoryBackend) -> None:
    """Where the plan says so; done again, it finds nothing to do."""
    release = training(world, slow_plan())

    left = cleaned(world, release)

    assert (left.found, left.release.ending) == ("cancelled", Ending.TRAINING_FAILED)
    assert world.trainer.runs[release.plan.training.job].status is JobStatus.CANCELED
    before = world.writes
    assert cleaned(world, release).found == "nothing"
    assert world.writes == before


def test_a_clean_up_leaves_a_training_that_goes_on(world: MemoryBackend) -> None:
    """Where the plan says `detach`."""
    release = training(world, slow_plan("detach"))
    before = world.writes

    assert cleaned(world, release).found == "training"
    assert world.writes == before


def test_a_signal_asks_the_job_to_stop_and_the_clean_up_ends_the_release(world: MemoryBackend) -> None:
    """A signal leaves no time to wait for it."""
    release = training(world, slow_plan())

    assert on_signal(release, world.ports, "the run")
    left = cleaned(world, Journal(world.ports, "", lambda _: None).read_again(release.id))

    assert (left.found, left.release.ending) == ("cancelled", Ending.TRAINING_FAILED)
    assert "interrupted" in left.release.why


def test_running_again_after_that_begins_a_new_release(world: MemoryBackend, run: Run) -> None:
    """Be it without a clean-up: the old one is ended, and its job is not taken for an attempt that failed."""
    release = training(world, slow_plan())
    on_signal(release, world.ports, "the run")
    again = replace(a_plan(parameters={"behave": "slow"}, attempt=2), on_cancel="cancel")
    world.trainer.specs.clear()
    journal = Journal(world.ports, "the next run", lambda _: None, patience=Patience(detach=True))

    with pytest.raises(StillRunning) as left:
        deliver(again, journal)

    assert left.value.release == "main-b41c9e2-2"
    assert journal.read_again(release.id).ending is Ending.TRAINING_FAILED


def test_a_job_that_another_release_waits_for_is_left_alone(world: MemoryBackend) -> None:
    """A newer push that trains the same adopted it: cancelling it would fail the newer one."""
    first = training(world, slow_plan())
    training(world, slow_plan(commit=OTHER))

    assert not on_signal(first, world.ports, "the run")
    assert cleaned(world, first).found == "training"


def test_a_job_that_was_adopted_is_left_alone(world: MemoryBackend) -> None:
    """It is another release's, though nobody waits for it now; one that is gone on with stays its own."""
    training(world, slow_plan("detach"))
    second = training(world, slow_plan(commit=OTHER))
    assert not on_signal(second, world.ports, "the run")

    own = training(world, slow_plan("detach"))
    assert not own.adopted


def test_a_release_that_somebody_works_on_is_not_cleaned_up(world: MemoryBackend) -> None:
    """A run that was started again is not a run that was cut off."""
    release = training(world, slow_plan())
    world.ledger.acquire(lock_name(release.plan), "anna", 60)

    left = cleaned(world, release)

    assert (left.found, left.holder) == ("busy", "anna")
    assert not world.trainer.runs[release.plan.training.job].status.ended


def test_a_lock_that_our_own_ci_run_left_is_waited_for(world: MemoryBackend) -> None:
    """Its job was killed before it could give it back; the clean-up of that run knows it by the address."""
    release = training(world, slow_plan())
    world.ledger.run_url = "https://ci.example/7"
    world.ledger.acquire(lock_name(release.plan), "the run", 60)
    journal = Journal(world.ports, "the clean-up", lambda _: None)

    assert clean_up(release, journal, "https://ci.example/7").found == "cancelled"


class Cut(BaseException):
    """What a signal is to a run."""


def test_a_rollout_is_not_touched(world: MemoryBackend) -> None:
    """Undoing it takes longer than a clean-up may last; a person is told how."""

    def tell(news: object) -> None:
        if getattr(getattr(news, "what", None), "kind", "") == "placing":
            raise Cut

    journal = Journal(world.ports, "the run", tell)
    with pytest.raises(Cut):
        deliver(replace(a_plan(), on_cancel="cancel"), journal)
    journal.unlock_all()
    release = journal.read_again(world.ledger.releases()[0])
    before = world.writes

    left = cleaned(world, release)

    assert (left.found, left.release.amid) == ("rollout", "dev")
    assert world.writes == before


def test_who_waits_for_a_person_was_not_cut_off(world: MemoryBackend, run: Run) -> None:
    """It is open, and right so."""
    release = run(a_plan(stages=[a_stage("prod", approval="required")]))

    assert cleaned(world, release).found == "waits"


def test_a_training_that_was_done_before_it_could_be_stopped_is_kept(world: MemoryBackend) -> None:
    """It was paid for, and running again adopts it."""
    release = training(world, replace(a_plan(), on_cancel="cancel"))
    world.trainer.look(release.plan.training.job)

    assert cleaned(world, release).found == "open"
    assert world.trainer.runs[release.plan.training.job].status.succeeded


def test_a_person_who_cancels_what_nobody_waits_for_ends_the_release(world: MemoryBackend) -> None:
    """Else the next run would find a job that was cancelled, and end with its failure."""
    release = training(world, slow_plan("detach"))
    journal = Journal(world.ports, "anna", lambda _: None)

    cancel_training(release, journal)

    release = journal.read_again(release.id)
    assert release.ending is Ending.TRAINING_FAILED
    assert release.why.endswith("was cancelled: somebody asked for it")


def test_a_person_who_cancels_leaves_the_record_to_the_run_that_waits(world: MemoryBackend) -> None:
    """One writer."""
    release = training(world, slow_plan("detach"))
    world.ledger.acquire(lock_name(release.plan), "the run", 60)

    assert cancel_training(release, Journal(world.ports, "anna", lambda _: None)).status is JobStatus.CANCELED
    assert not any(isinstance(event.what, Trained) for event in world.ledger.events(release.id))
