"""Writes the Markdown of every shape to `golden/`, for people to read: `python -m tests.report.golden`."""

from __future__ import annotations

from pathlib import Path

from ctrain.report import markdown
from tests.report.shapes import ALL, report_of

GOLDEN = Path(__file__).parent / "golden"

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in ALL:
        (GOLDEN / f"{name}.md").write_text(markdown(report_of(name)), encoding="utf-8")
