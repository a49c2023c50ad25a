"""What serves where, since when and why: read from what is, explained by the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ctrain.flow.roll_back import newest_first
from ctrain.flow.side_by_side import endpoints
from ctrain.ports import Backend
from ctrain.release import Release
from ctrain.rollout import Stage, live
from ctrain.serving import Deployment, Endpoint


@dataclass(frozen=True)
class ServingNow:
    """One deployment of a stage, with its share of the traffic, and the release that last acted upon it.

    `since` is when that release brought it there, or when it got its traffic back as that release was rolled back.
    """

    deployment: Deployment
    percent: int
    commit: str
    release: str | None
    since: datetime | None


@dataclass(frozen=True)
class StageStatus:
    """A stage as it is. `endpoint` is None where nothing was deployed yet."""

    stage: str
    endpoint: Endpoint | None
    deployments: tuple[ServingNow, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything that carries traffic is healthy."""
        return any(now.percent for now in self.deployments) and all(
            now.deployment.healthy for now in self.deployments if now.percent
        )


def status(stages: Sequence[Stage], at: Backend) -> tuple[StageStatus, ...]:
    """Every stage, in order."""
    releases = Remembered(newest_first(at.ledger))
    seen = endpoints(stages, at)
    return tuple(_stage(stage, seen[stage.name], releases) for stage in stages)


class Remembered:
    """Releases that are read as they are asked for, and only once: most questions are answered by the newest."""

    def __init__(self, releases: Iterator[Release]) -> None:
        self._unread = releases
        self._read: list[Release] = []

    def __iter__(self) -> Iterator[Release]:
        yield from self._read
        for release in self._unread:
            self._read.append(release)
            yield release


def _stage(stage: Stage, endpoint: Endpoint | None, releases: Iterable[Release]) -> StageStatus:
    if endpoint is None:
        return StageStatus(stage.name, None, ())
    shares = live(endpoint.traffic)
    now = [
        _now(stage, deployment, shares.get(deployment.name, 0), releases)
        for deployment in endpoint.deployments.values()
    ]
    return StageStatus(stage.name, endpoint, tuple(sorted(now, key=lambda n: (-n.percent, n.deployment.name))))


def _now(stage: Stage, deployment: Deployment, percent: int, releases: Iterable[Release]) -> ServingNow:
    for release in releases:
        record = release.stage(stage.name)
        if record and record.rolled_back_to == deployment.name:
            return ServingNow(deployment, percent, deployment.tags.get("commit", ""), release.id, record.rolled_back_at)
        if record and record.deployment == deployment.name and record.promoted:
            commit = deployment.tags.get("commit") or release.plan.source.commit
            return ServingNow(deployment, percent, commit, release.id, record.promoted)
    return ServingNow(deployment, percent, deployment.tags.get("commit", ""), None, None)
