"""The world that a schedule happens to: that of `tests/memory.py`, in virtual time, with a past for stale reads."""

from __future__ import annotations

import atexit
import importlib
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ctrain.digest import tree_digest
from ctrain.events import Event, from_json, to_json
from ctrain.ports import Lease
from ctrain.rollout import live
from ctrain.serving import Answer, Deployment, DeploymentSpec, DeploymentState, Endpoint, Request
from ctrain.training import JobStatus, StepRun, TrainingRun, TrainingSpec
from tests.builders import outputs
from tests.memory import ManualClock, MemoryLedger, MemoryRegistry, MemoryServing, MemoryTrainer, echo
from tests.simulation.baton import Baton
from tests.simulation.schedule import Commit, Nature, Schedule

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TRAINS = 20.0
"""Seconds that a training takes."""

SECRET = "hunter2-must-not-be-told"  # noqa: S105  planted, to be looked for
LEAKS = f"connecting with password={SECRET} to the store"
"""What containers print and services answer, of which only the secret must not be told."""


@dataclass
class TrueClock(ManualClock):
    """The world's own clock, that of the services: nobody's is set to it."""

    baton: Baton = field(default_factory=Baton)

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.baton.now)


@dataclass
class SimTrainer(MemoryTrainer):
    """Trainings take a while, and leave the model of their commit."""

    schedule: Schedule | None = None
    baton: Baton = field(default_factory=Baton)
    ends: dict[str, float] = field(default_factory=dict)

    def submit(self, spec: TrainingSpec) -> TrainingRun:
        self.ends.setdefault(spec.job, self.baton.now + TRAINS)
        return super().submit(spec)

    def look(self, job: str) -> TrainingRun | None:
        run = self.runs.get(job)
        if run is None or run.status.ended or self.baton.now < self.ends[job]:
            return run
        commit = _of(self.specs[job].tags["ctrain.commit"], self.schedule)
        folder = trained(commit.number, commit.nature is Nature.POOR, "champion" in self.specs[job].inputs)
        made = {path.name: str(path) for path in sorted(folder.iterdir())}
        step = StepRun("train", JobStatus.COMPLETED, TRAINS)
        self.runs[job] = replace(run, status=JobStatus.COMPLETED, steps=(step,), outputs=made)
        return self.runs[job]


def _of(sha: str, schedule: Schedule | None) -> Commit:
    assert schedule is not None
    return schedule.commit(int(sha[0], 16))


@dataclass
class SimServing(MemoryServing):
    """Deployments come up in the time and manner of their commit's model. What was is kept, for stale reads."""

    schedule: Schedule | None = None
    baton: Baton = field(default_factory=Baton)
    ready: dict[tuple[str, str], float] = field(default_factory=dict)
    past: dict[str, list[tuple[float, Endpoint | None]]] = field(default_factory=lambda: defaultdict(list))

    def look(self, endpoint: str) -> Endpoint | None:
        self.settle(endpoint)
        return self.endpoints.get(endpoint)

    def settle(self, endpoint: str) -> None:
        """What came up, or failed to, by now."""
        seen = self.endpoints.get(endpoint)
        if seen is None or all(d.state is not DeploymentState.CREATING for d in seen.deployments.values()):
            return
        settled = {name: self._settled(endpoint, one) for name, one in seen.deployments.items()}
        self.endpoints[endpoint] = replace(seen, deployments=settled)

    def _settled(self, endpoint: str, deployment: Deployment) -> Deployment:
        key = (endpoint, deployment.name)
        if deployment.state is not DeploymentState.CREATING or self.baton.now < self.ready[key]:
            return deployment
        match self.nature(deployment.tags["commit"]):
            case Nature.CRASHES:
                return replace(deployment, state=DeploymentState.FAILED, error=f"init() raised: {LEAKS}")
            case Nature.SLUGGISH:
                return deployment
            case _:
                return replace(deployment, state=DeploymentState.SUCCEEDED, ready=True)

    def nature(self, sha: str) -> Nature:
        return _of(sha, self.schedule).nature

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        before = self.writes
        super().place(endpoint, spec)
        if self.writes > before:
            self.ready[endpoint, spec.name] = self.baton.now + _of(spec.tags["commit"], self.schedule).readies

    def remove(self, endpoint: str, deployment: str) -> None:
        super().remove(endpoint, deployment)
        self.ready.pop((endpoint, deployment), None)

    def score(self, endpoint: str, request: Request) -> Answer:
        seen = self.endpoints[endpoint]
        name = request.deployment or next(iter(live(seen.traffic)), None)
        if name is None or name not in seen.deployments:
            return Answer(404, b'"no such deployment"', 0.001)
        spec = self.specs[endpoint, name]
        answer = echo(spec, request)
        match self.nature(spec.tags["commit"]):
            case Nature.WRONG if answer.status == 200:
                return replace(answer, body=b"[0.123, 0.456]")
            case Nature.TIRES if seen.traffic.get(name, 0) or name in live(seen.mirror):
                # The smoke tests through the endpoint come first, and too early to see it.
                age = self.baton.now - self._loaded_since(endpoint, name)
                return Answer(500, LEAKS.encode(), 0.2, name) if age > 5.0 else answer
            case _:
                return answer

    def _loaded_since(self, endpoint: str, name: str) -> float:
        since = self.baton.now
        for at, seen in reversed(self.past[endpoint]):
            if seen is None or not (seen.traffic.get(name, 0) or name in live(seen.mirror)):
                break
            since = at
        return since

    def remember(self, endpoint: str) -> None:
        """Called after each change."""
        self.past[endpoint].append((self.baton.now, self.endpoints.get(endpoint)))

    def earlier(self, endpoint: str, age: float) -> Endpoint | None:
        """What was there so many seconds ago."""
        then = self.baton.now - age
        return next((seen for at, seen in reversed(self.past[endpoint]) if at <= then), None)

    def logs(self, endpoint: str, deployment: str) -> str:
        return f"log of {deployment}: {LEAKS}" if (endpoint, deployment) in self.specs else ""


_read = lru_cache(4096)(from_json)


@dataclass
class SimLedger(MemoryLedger):
    """The same, with each line read once; and with a list of all holders of a lock that there ever were."""

    by_release: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    appended: list[Event] = field(default_factory=list)

    def releases(self) -> Sequence[str]:
        return list(self.by_release)

    def events(self, release: str) -> Sequence[Event]:
        return [_read(line) for line in self.by_release.get(release, ())]

    def append(self, event: Event, lease: Lease | None = None) -> None:
        if lease is not None:
            self._still_held(lease)
        line = to_json(event)
        self.lines.append((event.release, line))
        self.by_release[event.release].append(line)
        self.appended.append(event)

    def held(self, name: str) -> Lease | None:
        """Who holds the lock now, by the clock of the ledger."""
        lease = self.leases.get(name)
        return lease if lease is not None and lease.expires > self.clock.now() else None


@dataclass
class World:
    """All of it. `writes` counts what changed in it."""

    schedule: Schedule
    baton: Baton

    def __post_init__(self) -> None:
        clock = TrueClock(baton=self.baton)
        self.trainer = SimTrainer(trained_folder(), outputs(), schedule=self.schedule, baton=self.baton)
        self.registry = MemoryRegistry()
        self.serving = SimServing(schedule=self.schedule, baton=self.baton)
        self.ledger = SimLedger(clock)

    @property
    def writes(self) -> int:
        return self.trainer.writes + self.registry.writes + self.serving.writes + self.ledger.writes


@cache
def trained_folder() -> Path:
    """Where the outputs of all trainings are, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="ctrain-simulation-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def trained(number: int, poor: bool, compared: bool) -> Path:
    """The outputs of the training of that commit: the same whenever it is trained."""
    folder = trained_folder() / f"{number}-{poor}-{compared}"
    folder.mkdir()
    inputs = {"champion": "models:/champion"} if compared else {}
    spec = TrainingSpec("j", Path("train.yml"), inputs, "visits", "visits")
    outputs(quality=0.0 if poor else 1.0, champion=0.99 if compared else None)(spec, folder)
    (folder / "model" / "weights").write_text(json.dumps({"commit": number, "poor": poor}))
    return folder


@contextmanager
def remembered_gate() -> Iterator[None]:
    """The real gate, asked once for the same rows and the same champion, as its answers are the same every time."""
    judging: Any = importlib.import_module("ctrain.flow.judge")
    registering: Any = importlib.import_module("ctrain.flow.register")
    real, read, digest = judging.gate, judging.read_for, registering.tree_digest
    judging.read_for = lambda settings, evaluation, rows: _evidence(read, settings, evaluation, rows)
    judging.gate, registering.tree_digest = _Gate(real), _digest
    try:
        yield
    finally:
        judging.gate, judging.read_for, registering.tree_digest = real, read, digest


_EVIDENCE: dict[Path, Any] = {}
_ROWS: dict[Path, Any] = {}
_VERDICTS: dict[tuple[object, ...], Any] = {}
_digest = cache(tree_digest)


def _evidence(read: Any, settings: object, evaluation: object, rows: Path) -> Any:
    if rows not in _EVIDENCE:
        _EVIDENCE[rows] = read(settings, evaluation, rows)
    return _EVIDENCE[rows]


class _Gate:
    """The gate, which remembers what it said."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def read_rows(self, rows: Path, *asked: Any, **named: Any) -> Any:
        if rows not in _ROWS:
            _ROWS[rows] = self._real.read_rows(rows, *asked, **named)
        return _ROWS[rows]

    def judge(self, settings: object, evaluation: object, evidence: Any, **named: Any) -> Any:
        key = (evidence.digest, named.get("champion"), named.get("comparable"))
        if key not in _VERDICTS:
            _VERDICTS[key] = self._real.judge(settings, evaluation, evidence, **named)
        return _VERDICTS[key]
