"""A small project that is delivered again and again, each time another model; and what it has to come to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ctrain.events import replay
from ctrain.flow.open_release import lock_name
from ctrain.ports import Backend
from ctrain.project import Project, load_project
from ctrain.release import Release
from ctrain.rollout import Stage, live
from ctrain.serving import DeploymentState, Endpoint
from ctrain.training import job_name
from tests.e2e.azure import AzureTiny
from tests.e2e.repository import LIMIT, Repository, Said, environment

ROOT: Final = Path(__file__).parents[2]

ROLLOUT: Final = (
    "rollout: {strategy: canary, steps: [50, 100], bake: 1s, mirror: 20,"
    " judge: {errors: 0.2, per_second: 10, min_requests: 1}}"
)
"""Every kind of change of an endpoint is on this way: mirrored, half of the traffic, all of it."""

ONCE: Final = ("opened", "trained", "judged", "registered", "crowned", "closed")
"""Events that a release has once, however often it was cut off."""


@dataclass(frozen=True)
class State:
    """What a delivery leaves behind, told from the number of models there have been, so that all of them are alike.

    `behind` is by how many models a thing is older than the newest. By stage: what carries the traffic, in percent, and
    what is kept beside it.
    """

    ending: str
    traffic: dict[str, dict[int, int]]
    kept: dict[str, list[int]]
    mirrored: dict[str, bool]
    champion_behind: int
    versions_behind: int
    trainings: int
    not_once: list[str]
    locked: list[str]


@dataclass
class Arena:
    """`open` gives the backend as a person sees it, from this process. `wait` lets a dead runner's locks run out."""

    repository: Repository
    open: Callable[[Project], Backend]
    wait: Callable[[], None] = lambda: None
    models: int = 1
    factor: int = 9000

    def another_model(self) -> None:
        """A commit that trains a model that there has not been."""
        self.repository.edit("ctrain.yaml", f"factor: 0.{self.factor}", f"factor: 0.{self.factor - 1}")
        self.factor -= 1
        self.models += 1

    def strike(self, told: Path, at: int = 0, when: str = "none") -> int:
        """`ctrain run`, killed there; the exit code."""
        variables = {**environment(), **self.repository.variables, "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-m", "tests.kills.strike", str(told), str(at), when, "run", "--trigger", "main"]
        done = subprocess.run(
            words, cwd=self.repository.root, env=variables, capture_output=True, timeout=LIMIT, check=False, text=True
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode

    def run(self) -> Said:
        return self.repository.ctrain("run", "--trigger", "main")

    def state(self) -> State:
        """As it is now."""
        project = load_project(self.repository.root / "ctrain.yaml")
        at = self.open(project)
        release = _newest(at)
        seen = {stage.name: at.serving(stage).look(stage.endpoint) for stage in release_stages(release)}
        champion = at.registry.champion(project.model.name)
        told = Counter(event.what.kind for event in at.ledger.events(release.id))
        return State(
            ending=release.ending or "open",
            traffic={name: self._traffic(endpoint) for name, endpoint in seen.items()},
            kept={name: self._kept(endpoint) for name, endpoint in seen.items()},
            mirrored={name: bool(endpoint and live(endpoint.mirror)) for name, endpoint in seen.items()},
            champion_behind=self.models - champion.version if champion else -1,
            versions_behind=self.models - max(one.version for one in at.registry.versions(project.model.name)),
            trainings=_trainings(release, at),
            not_once=[kind for kind in ONCE if told[kind] != 1],
            locked=_locked(release, at),
        )

    def _traffic(self, endpoint: Endpoint | None) -> dict[int, int]:
        if endpoint is None:
            return {}
        shares = live(endpoint.traffic)
        assert all(endpoint.deployments[name].healthy for name in shares), endpoint
        return {self.models - endpoint.deployments[name].model_version: share for name, share in shares.items()}

    def _kept(self, endpoint: Endpoint | None) -> list[int]:
        there = endpoint.deployments.values() if endpoint else ()
        staying = [one for one in there if one.state is not DeploymentState.DELETING]
        return sorted(self.models - one.model_version for one in staying)


def _newest(at: Backend) -> Release:
    release = replay(at.ledger.events(at.ledger.releases()[-1]))
    assert release is not None
    return release


def release_stages(release: Release) -> list[Stage]:
    """The stages that it goes to."""
    return [step.stage for step in release.plan.deploys]


def _trainings(release: Release, at: Backend) -> int:
    count = 0
    while at.trainer.look(job_name(release.plan.fingerprint, count + 1)) is not None:
        count += 1
    return count


def _locked(release: Release, at: Backend) -> list[str]:
    """The locks that nobody gave back."""
    from ctrain.errors import Conflict

    held = []
    for name in (lock_name(release.plan), *(stage.lock for stage in release_stages(release))):
        try:
            at.ledger.release(at.ledger.acquire(name, "who looks", 15))
        except Conflict:
            held.append(name)
    return held


def calls_in(told: Path) -> list[str]:
    """The calls that a strike counted."""
    return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def local_arena(root: Path) -> Arena:
    """On the local backend: dev, and prod by a watched canary."""
    from ctrain.backends.local.connect import connect_local
    from tests.e2e.tiny import CONFIGURATION, tiny

    text = CONFIGURATION.replace("factor: 0.9", "factor: 0.9000")
    text = text.replace(
        "endpoint: tiny-prod, smoke: {golden: 3}", f"endpoint: tiny-prod, smoke: {{golden: 3}}, {ROLLOUT}"
    )
    return Arena(tiny(root, {"ctrain.yaml": text}), connect_local)


def azure_arena(tiny: AzureTiny) -> Arena:
    """On a loopback Azure: prod, in a workspace that is not the project's own, by a watched canary."""
    from ctrain.backends.azureml.connect import connect_azureml
    from ctrain.backends.clock import SystemClock

    repository = tiny.repository
    repository.edit("ctrain.yaml", "deploy: [dev, test, prod]", "deploy: [prod]")
    repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.9000")
    file = repository.root / "ctrain.yaml"
    lines = [
        line.replace("smoke: {golden: 3}", f"smoke: {{golden: 3}}, {ROLLOUT}") if "  prod:" in line else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines) + "\n")
    repository.commit("A canary")
    assert os.environ.get("CTRAIN_BACKEND") == "azureml"
    return Arena(
        repository,
        lambda project: connect_azureml(project, SystemClock(), lambda _: None),
        wait=lambda: tiny.azure.advance(90),
    )
