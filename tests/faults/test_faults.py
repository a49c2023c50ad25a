"""A seeded part of the table of faults and calls; `make test-faults` tries all of it."""

from __future__ import annotations

import pytest

from tests.azure.loopback import Loopback
from tests.e2e.azure import azure_tiny
from tests.faults.release import Trial
from tests.faults.sites import places_of
from tests.faults.table import FAULTS
from tests.faults.trial import learn, some, try_all

SEED = 1
CASES = 3


def test_single_faults_end_in_the_right_state_or_in_a_named_error(
    azure: Loopback, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No traceback, no hang, no second job, no request lost; and running again gets there."""
    with pytest.MonkeyPatch.context() as patch:
        trial = Trial(azure_tiny(tmp_path_factory.mktemp("faults") / "tiny", azure, patch))
        places = learn(trial, deliveries=2)
        with trial.client():
            results = list(try_all(trial, some(places, SEED, CASES)))

    assert [(str(result.case), result.told, result.wrong) for result in results if result.wrong] == []
    assert len(results) > CASES / 2
    assert len(places) > 100


def test_a_place_stands_for_the_same_call_of_any_release() -> None:
    """Names that change from release to release are expressions; the calls of one kind are counted."""
    calls = [
        {"method": "GET", "host": "management.azure.com", "target": f"/x/workspaces/ws-{name}/jobs/ctrain-{job}-1"}
        for name, job in (("01234567", "0" * 20), ("89abcdef", "f" * 20))
    ]

    first, second = places_of(calls)

    assert first.site == second.site
    assert (first.nth, second.nth) == (1, 2)
    assert str(first) == "GET management /jobs/ctrain-*-* #1"


def test_cases_by_chance_come_in_the_order_of_a_release() -> None:
    """So that one release meets many of them, and the same seed gives the same ones."""
    calls = [{"method": "PUT", "host": "h", "target": f"/{name}"} for name in "abcdef"]
    chosen = some(places_of(calls), 3, 20)

    assert chosen == some(places_of(calls), 3, 20)
    assert [case.place.position for case in chosen] == sorted(case.place.position for case in chosen)
    assert {case.fault for case in chosen} <= set(FAULTS)
