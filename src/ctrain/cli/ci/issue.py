"""What is published of a release, whoever shows it: the report, and the words that hosts decide by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from ctrain.cli.ci.commands import one_line
from ctrain.cli.ci.marker import Marker, with_marker
from ctrain.flow.status import StageStatus
from ctrain.release import Release
from ctrain.report import Remark, Report, State, markdown

Conclusion = Literal["success", "failure", "neutral", "action_required"]


@dataclass(frozen=True)
class Issue:
    """One report as it is published. `stages` are the project's as they are now; `last` is the name of the last one.

    `key` says what there is one comment of. `commit` is what a host shows the outcome at; `pull_request` is its number,
    empty where there is none; `run` numbers the run of the CI that publishes, and `run_url` is its page.
    """

    report: Report
    release: Release
    stages: Sequence[StageStatus]
    last: str
    key: str
    commit: str
    pull_request: str
    run: int
    run_url: str

    @property
    def name(self) -> str:
        """What checks and statuses are called."""
        return one_line(f"ctrain / {self.report.project}", 100)

    @property
    def title(self) -> str:
        return one_line(str(self.report.headline), 200)

    @property
    def marker(self) -> Marker:
        return Marker(self.key, self.commit, self.run)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        return self.report.remarks

    @property
    def conclusion(self) -> Conclusion | None:
        """What a check says; None while it goes on."""
        match self.report.state:
            case State.PASSED | State.DELIVERED:
                return "success"
            case State.FAILED | State.REJECTED | State.ROLLED_BACK | State.NOT_RESTORED:
                return "failure"
            case State.INCONCLUSIVE | State.NOTHING:
                return "neutral"
            case State.UNDECIDED | State.WAITING:
                return "action_required"
            case State.RUNNING:
                return None
            case state:
                assert_never(state)

    def body(self, limit: int) -> str:
        """The comment, marker included, within so many characters."""
        room = limit - len(with_marker(self.marker, ""))
        return with_marker(self.marker, markdown(self.report, limit=room))


@dataclass(frozen=True)
class Posted:
    """A comment that is there already: where it is, and what its marker says."""

    place: int
    marker: Marker


def to_update(posted: Sequence[Posted], key: str) -> Posted | None:
    """The comment to write into: the oldest of ours under that key, so that two runs choose the same."""
    ours = [one for one in posted if one.marker.key == key]
    return min(ours, key=lambda one: one.place, default=None)
