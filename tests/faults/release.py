"""A release in this process, on time that passes by waiting, and what has to be true after it, whatever it met."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ctrain.backends.azureml.connect import connect_azureml
from ctrain.errors import CtrainError, ExitCode
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.prepare import prepare
from ctrain.ports import Backend
from ctrain.project import Project, Trigger, load_project
from ctrain.rollout import live
from ctrain.serving import Request
from ctrain.version import Source
from tests.azure.loopback import Loopback
from tests.backends.azureml.clocks import LoopbackTime
from tests.e2e.azure import AzureTiny

HANGS = 120.0
"""Real seconds after which a release counts as hanging: an undisturbed one takes four."""

BLINK = 0.02
"""Real seconds that a wait takes at least, so that what works behind the loopback gets on."""


@dataclass
class Hurried(LoopbackTime):
    """Virtual time, with an instant of real time in each wait."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(min(seconds, BLINK))


@dataclass(frozen=True)
class Outcome:
    """How a release ended: an exit code, and in whose words."""

    code: int
    told: str
    seconds: float


@dataclass
class Trial:
    """A project that is delivered; each release after the first is made under a fault, and again without it."""

    tiny: AzureTiny
    factor: float = 0.9
    refused: list[str] = field(default_factory=list)

    @property
    def azure(self) -> Loopback:
        return self.tiny.azure

    def another_model(self) -> None:
        self.factor = round(self.factor - 0.0001, 4)

    @property
    def prod(self) -> str:
        """The endpoint of the last stage."""
        return self.project().stages[-1].endpoint

    def project(self) -> Project:
        project = load_project(self.tiny.repository.root / "ctrain.yaml")
        return replace(project, parameters={"factor": self.factor})

    def backend(self, project: Project) -> Backend:
        return connect_azureml(project, Hurried(azure=self.azure), lambda _: None)

    def release(self) -> Outcome:
        """One `ctrain run`. Anything but an ending or one of our errors is raised: it would be a traceback."""
        began = time.monotonic()
        project = self.project()
        at = self.backend(project)
        journal = Journal(at, "a trial", lambda _: None)
        commit = f"{round(self.factor * 10000):07x}" * 5 + "00000"
        try:
            made = prepare(project, at, Source(commit=commit, branch="main"), Trigger.MAIN)
            release = deliver(made, journal)
        except CtrainError as refused:
            return Outcome(refused.exit_code, str(refused), time.monotonic() - began)
        finally:
            self._give_back(journal)
        code = release.ending.exit_code if release.ending else ExitCode.UNDECIDED
        return Outcome(code, f"{release.ending}: {release.why}", time.monotonic() - began)

    def _give_back(self, journal: Journal) -> None:
        """As `ctrain` does at its end: a lock that cannot be given back runs out."""
        try:
            journal.unlock_all()
        except CtrainError:
            self.azure.advance(90)

    def served(self) -> dict[str, int]:
        """The model version that has all of each stage's traffic, as Azure has it. Every one of them healthy."""
        project = self.project()
        at = self.backend(project)
        found = {}
        for stage in project.stages:
            endpoint = at.serving(stage).look(stage.endpoint)
            assert endpoint is not None
            ((name, percent),) = live(endpoint.traffic).items()
            assert percent == 100
            assert endpoint.deployments[name].healthy
            found[stage.name] = endpoint.deployments[name].model_version
        return found

    def champion(self) -> int | None:
        champion = self.backend(self.project()).registry.champion("tiny")
        return champion.version if champion else None

    def jobs(self) -> int:
        """How many trainings there have been."""
        calls = self.azure.calls(method="PUT", path=r".*/jobs/ctrain-[0-9a-f]{20}-\d+")
        return len({call["path"] for call in calls if call["status"] in (0, 201)})

    @contextmanager
    def client(self) -> Iterator[None]:
        """Somebody who asks prod all the time; what was not answered well is in `refused`."""
        stop = threading.Event()
        project = self.project()
        stage = project.stages[-1]
        serving = self.backend(project).serving(stage)
        body = b'{"input_data": {"columns": ["x"], "index": [0], "data": [[0.5]]}}'

        def ask() -> None:
            while not stop.wait(0.1):
                answer = serving.score(stage.endpoint, Request(body))
                if answer.status != 200:
                    self.refused.append(f"{answer.status} {answer.body[:200]!r}")

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        try:
            yield
        finally:
            stop.set()
            asking.join(10)
