"""`kill -9` at any moment: running again ends where an undisturbed run ends."""

from __future__ import annotations

import pytest

from tests.e2e.killing import Killing, once

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("killed")]


def test_a_run_that_is_killed_again_and_again_arrives(killing: Killing) -> None:
    """One release, one job, one version; the new model serves and is champion; nothing else runs; nothing is left."""
    killing.another_model()
    for kind in ("submitting", "trained", "registering", "placing", "shifting", "promoted", "crowning"):
        killing.kill(once(kind))

    killing.as_if_undisturbed()

    assert "nothing to do" in killing.repository.ctrain("run", "--trigger", "main").err
