"""Two merges race: with patience the newer one serves in the end, judged against whatever the older one brought."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.repository import LIMIT, Repository
from tests.e2e.tiny import tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def test_two_merges_race_and_the_newer_one_serves(tmp_path: Path) -> None:
    """Whoever comes second waits for the lock, or plans anew for the champion that the first one made."""
    one = tiny(tmp_path / "one", factor="0.9")
    try:
        assert one.ctrain("run", "--trigger", "main").code == 0
        other = Repository(tmp_path / "other", {"CTRAIN_HOME": str(one.root / ".ctrain")})
        subprocess.run(["git", "clone", "-q", str(one.root), str(other.root)], check=True)
        one.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
        older = one.start("run", "--trigger", "main", "--wait", "5m")
        other.git("pull", "-q", str(one.root), "main")
        other.edit("ctrain.yaml", "factor: 0.91", "factor: 0.92")
        limit = time.monotonic() + LIMIT
        while one.kinds().count("opened") < 2:
            assert time.monotonic() < limit
            time.sleep(0.05)
        newer = other.start("run", "--trigger", "main", "--wait", "5m")
        said = [run.communicate()[1] for run in (older, newer)]

        assert newer.returncode == 0, said
        assert older.returncode in (0, 10), said  # 10 where the newer one overtook it
        assert one.serving() == {"dev": one.champion(), "prod": one.champion()}
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=other.root, capture_output=True, text=True, check=True
        )
        stages = one.ctrain("status", "--json").document["status"]["stages"]
        assert {stage["deployments"][0]["commit"] for stage in stages} == {commit.stdout.strip()}
    finally:
        one.down()
