"""The checks at each commit and in CI are those of `make test`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def _hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return [hook for repo in config["repos"] for hook in repo["hooks"]]


def test_hooks_run_what_make_runs() -> None:
    """Programs of .venv that the Makefile runs as well, so that no version can differ."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    programs = {hook["entry"].split()[0] for hook in _hooks()}

    assert {program.replace(".venv/bin", "$(BIN)") for program in programs} <= set(makefile.split())


def test_hooks_fetch_nothing() -> None:
    """They work offline, and from the lock."""
    assert {hook["language"] for hook in _hooks()} == {"system"}


def test_ci_runs_make_test_and_nothing_else() -> None:
    """What passes here passes there."""
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]

    assert os.access(script, os.X_OK)
    assert commands == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]
