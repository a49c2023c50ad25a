"""Writes docs/report-example.md (`make example`): the reference project has a champion, then is trained too briefly."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.repository import Repository

PAGE = Path(__file__).parents[2] / "docs" / "report-example.md"
ABOUT = """\
# An example of a report

As `ctrain report` gave it, and `ctrain report --publish` shows it on a pull request; `make example` writes it anew.
[What is what](report.md).

---

"""


def example() -> str:
    """What the second release's report says: on all the data, against the first one's model."""
    with TemporaryDirectory() as folder:
        repository = Repository.create(Path(folder) / "visits")
        try:
            first = repository.ctrain("run", "--trigger", "main")
            assert first.code == 0, first.err
            repository.edit("ctrain.yaml", "max_iter: 100", "max_iter: 1")
            second = repository.ctrain("run", "--trigger", "main")
            assert second.code == 3, second.err
            return repository.ctrain("report").out
        finally:
            repository.ctrain("local", "down")


if __name__ == "__main__":
    PAGE.write_text(ABOUT + example(), encoding="utf-8")
