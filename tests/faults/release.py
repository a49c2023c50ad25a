"""A release in this process, on time that passes by waiting, and what has to be true after it, whatever it met."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ctrain.backends.azureml.connect import connect_azureml
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.errors import CtrainError, ExitCode
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.prepare import prepare
from ctrain.ports import Backend
from ctrain.project import Project, Trigger, load_project
from ctrain.rollout import live
from ctrain.serving import Endpoint
from ctrain.version import Source
from tests.azure.loopback import Loopback
from tests.backends.azureml.clocks import LoopbackTime
from tests.e2e.azure import AzureTiny

if TYPE_CHECKING:
    import httpx

HANGS = 120.0
"""Real seconds after which a release counts as hanging: an undisturbed one takes three on an idle machine."""

BLINK = 0.05
"""Real seconds that a wait takes at least, so that what works behind the loopback gets on."""

ASKED = b'{"input_data": {"columns": ["x"], "index": [0], "data": [[0.5]]}}'


@dataclass
class Hurried(LoopbackTime):
    """Virtual time, with an instant of real time in each wait."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        time.sleep(min(seconds, BLINK))


class Calm(Journal):
    """A journal that ends the faults once a release has failed of one: its clearing up meets no second one."""

    azure: Loopback | None = None

    def unlock(self, name: str) -> None:
        if self.azure is not None and sys.exc_info()[0] is not None:
            self.azure.clear_faults()
        super().unlock(name)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit code, and in whose words."""

    code: int
    told: str
    seconds: float


@dataclass(frozen=True)
class State:
    """What production is: the version that has all of its traffic, the champion, how many versions and trainings."""

    served: int
    champion: int | None
    versions: int
    jobs: int


@dataclass
class Trial:
    """A project that is delivered to one stage, in another workspace than its own; to a new endpoint each time where it
    is `fresh`."""

    tiny: AzureTiny
    factor: float = 0.9
    before: float = 0.9
    refused: list[str] = field(default_factory=list)
    release: str = ""
    fresh: bool = False

    def __post_init__(self) -> None:
        self.tiny.repository.edit("ctrain.yaml", "deploy: [dev, test, prod]", "deploy: [prod]")

    @property
    def azure(self) -> Loopback:
        return self.tiny.azure

    @property
    def endpoint(self) -> str:
        return self.project().stage("prod").endpoint

    def another_model(self) -> None:
        """From now on a model is trained that has not been trained before."""
        self.factor = round(self.factor - 0.0001, 4)
        self.refused.clear()
        if self.fresh:
            self._another_endpoint()

    def _another_endpoint(self) -> None:
        self.azure.control("DELETE", f"{self.tiny.places['prod'].arm_id}/onlineEndpoints")
        file = self.tiny.repository.root / "ctrain.yaml"
        file.write_text(file.read_text().replace(self.endpoint, f"tiny-prod-{uuid.uuid4().hex[:8]}"))

    def project(self) -> Project:
        project = load_project(self.tiny.repository.root / "ctrain.yaml")
        return replace(project, parameters={"factor": self.factor})

    def backend(self, project: Project) -> Backend:
        return connect_azureml(project, Hurried(azure=self.azure), lambda _: None)

    def run(self) -> Outcome:
        """One `ctrain run`, no fault outlives it. What is no error of ours ends as a bug, with its trace."""
        began = time.monotonic()
        project = self.project()
        journal = Calm(self.backend(project), "a trial", lambda _: None)
        journal.azure = self.azure
        try:
            code, told = self._delivered(project, journal)
        except CtrainError as refused:
            code, told = refused.exit_code, str(refused)
        except Exception:  # noqa: BLE001  a user would see a traceback: that is what we look for
            code, told = ExitCode.BUG, traceback.format_exc()
        self.azure.clear_faults()
        seconds = time.monotonic() - began
        if code == ExitCode.DONE:
            self.before = self.factor
        return Outcome(code, told, seconds)

    def _delivered(self, project: Project, journal: Journal) -> tuple[ExitCode, str]:
        commit = f"{round(self.factor * 10000):07x}" * 5 + "00000"
        try:
            plan = prepare(project, journal.at, Source(commit=commit, branch="main"), Trigger.MAIN)
            release = deliver(plan, journal)
            self.release = release.id
        finally:
            journal.unlock_all()
        code = release.ending.exit_code if release.ending else ExitCode.UNDECIDED
        return code, f"{release.ending}: {release.why}"

    def state(self) -> State:
        """Production as Azure has it. Raises AssertionError where not one healthy deployment has all of its traffic."""
        project = self.project()
        at = self.backend(project)
        endpoint = at.serving(project.stage("prod")).look(self.endpoint)
        champion = at.registry.champion("tiny")
        made = self.azure.calls(method="PUT", path=r".*/jobs/ctrain-[0-9a-f]{20}-\d+")
        jobs = {call["path"] for call in made if call["status"] in (0, 200, 201) or call["fault"] == "answer after"}
        versions = len(at.registry.versions("tiny"))
        served = 0 if self.fresh and not (endpoint and live(endpoint.traffic)) else _served(endpoint)
        return State(served, champion.version if champion else None, versions, len(jobs))

    def twice(self) -> list[str]:
        """What the ledger tells more than once of the release that came to its end last, and happens once in each."""
        told = Counter(event.what.kind for event in self.backend(self.project()).ledger.events(self.release))
        return [kind for kind in ("opened", "trained", "judged", "registered", "crowned", "closed") if told[kind] > 1]

    @contextmanager
    def client(self) -> Iterator[None]:
        """Somebody who asks production all the time, and whom no fault meets; what was not as it should be is in
        `refused`: no answer, another status than 200, or a score of neither the last model nor the next."""
        stop = threading.Event()
        with _door(self.tiny, self.endpoint) as door:
            asking = threading.Thread(target=self._ask, args=(door, stop), daemon=True)
            asking.start()
            try:
                yield
            finally:
                stop.set()
                asking.join(10)

    def _ask(self, door: httpx.Client, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            known = {self.before, self.factor}
            try:
                answer = door.post("/score?client", content=ASKED)
                said = json.loads(answer.content) if answer.status_code == 200 else None
            except Exception as failure:  # noqa: BLE001  whatever it is, a client got no answer
                self.refused.append(repr(failure))
                continue
            known |= {self.before, self.factor}
            if not isinstance(said, list) or min(abs(said[0] - 0.5 * factor) for factor in known) > 1e-9:
                self.refused.append(f"{answer.status_code} {answer.text[:200]!r}, models {known}")


def _served(endpoint: Endpoint | None) -> int:
    assert endpoint is not None, "the endpoint is gone"
    assert endpoint.running, "the endpoint is down"
    ((name, percent),) = live(endpoint.traffic).items()
    assert percent == 100
    assert endpoint.deployments[name].healthy
    return endpoint.deployments[name].model_version


def _door(tiny: AzureTiny, endpoint: str) -> httpx.Client:
    """A user's own way in: with the key, through the proxy, by no code of ctrain's serving."""
    import httpx

    arm = AzureWorkspace(tiny.places["prod"].address, AzureSession(SystemClock())).arm
    found = arm.get(f"onlineEndpoints/{endpoint}", "2022-02-01-preview") or {}
    keys = arm.post(f"onlineEndpoints/{endpoint}/listKeys", "2022-02-01-preview", idempotent=True)
    properties = found["properties"]
    assert isinstance(properties, dict)
    headers = {"Authorization": f"Bearer {keys['primaryKey']}", "Content-Type": "application/json"}
    base = str(properties["scoringUri"]).removesuffix("/score")
    return httpx.Client(base_url=base, headers=headers, proxy=os.environ["HTTPS_PROXY"], timeout=30)
