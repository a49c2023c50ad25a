"""A seeded part of the table of faults and calls; `make test-faults` tries all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.azure.loopback import Loopback
from tests.e2e.azure import azure_tiny
from tests.faults.release import Trial
from tests.faults.sites import Site, sites_of
from tests.faults.table import FAULTS
from tests.faults.trial import Case, attempt, cases, learn

SEED = 1


@pytest.fixture(scope="module")
def trial(azure: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with pytest.MonkeyPatch.context() as patch:
        yield Trial(azure_tiny(tmp_path_factory.mktemp("faults") / "tiny", azure, patch))


def test_single_faults_end_in_the_right_state_or_in_a_named_error(trial: Trial) -> None:
    """No traceback, no hang, no second job, no request lost; and running again gets there."""
    results = [attempt(trial, case) for case in cases(learn(trial), SEED, 6)]

    assert [(str(result.case), result.wrong) for result in results if result.wrong] == []
    assert any(result.met for result in results)


def test_a_site_stands_for_the_same_call_of_any_release() -> None:
    """Names that change from release to release are expressions."""
    calls = [
        {"method": "GET", "host": "management.azure.com", "path": f"/x/workspaces/ws-{name}/jobs/ctrain-{job}-1"}
        for name, job in (("01234567", "0" * 20), ("89abcdef", "f" * 20))
    ]

    assert len(sites_of(calls)) == 1


def test_every_fault_is_met_by_some_case() -> None:
    """All is all: each site with each fault."""
    sites = [Site("a", "b", "GET"), Site("a", "b", "PUT")]

    assert len(cases(sites, None, None)) == 2 * len(FAULTS)
    assert Case(sites[1], "lost response") in cases(sites, None, None)
