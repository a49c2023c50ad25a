"""Real endpoints with tiny scoring scripts, shared by the tests of a module where they do not disturb each other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving import fleet
from ctrain.backends.local.serving.port import LocalServing
from ctrain.serving import Deployment, DeploymentSpec, DeploymentState, Endpoint, Probe, ScoringCode

SCRIPT = """
import json, os, signal, time
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    match os.environ.get("INIT"):
        case "raise": raise RuntimeError("no such weights")
        case "exit": os._exit(9)
        case "hang": time.sleep(600)

def run(raw, request_headers):
    asked = json.loads(raw)
    match asked.get("do"):
        case "raise": raise RuntimeError("the model broke")
        case "refuse": return AMLResponse({"message": "not like this"}, 400, json_str=True)
        case "sleep": time.sleep(asked["seconds"])
        case "crash": os.kill(os.getpid(), signal.SIGKILL)
        case "count":
            with open(asked["file"], "a") as stream:
                stream.write(os.environ["NAME"] + "\\n")
        case "file": return open("beside.txt").read()
        case "headers": return dict(request_headers)
        case "environment": return sorted(os.environ)
    return {"name": os.environ["NAME"], "model": os.environ["AZUREML_MODEL_DIR"], "pid": os.getpid()}
"""


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


CLOCK = RealClock()


def alive(pid: int) -> bool:
    """Whether that process runs; one that waits to be reaped does not."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
    return False


@dataclass
class Platform:
    """A home with its serving, and where the scoring script is."""

    home: Home
    serving: LocalServing
    root: Path
    specs: dict[str, DeploymentSpec] = field(default_factory=dict)

    def spec(self, name: str, environment: Mapping[str, str] | None = None, **settings: object) -> DeploymentSpec:
        """A deployment of the scoring script, called `name` in its answers."""
        made: dict[str, object] = {
            "name": name,
            "model": "tiny",
            "model_version": 1,
            "model_digest": "d1",
            "model_uri": str(self.root / "model"),
            "scoring": ScoringCode(str(self.root / "code"), "score.py"),
            "environment_variables": {"NAME": name, **(environment or {})},
            "readiness": Probe(period=0.5),
            **settings,
        }
        return DeploymentSpec(**made)  # type: ignore[arg-type]

    def place(self, endpoint: str, *specs: DeploymentSpec) -> None:
        """Place them side by side, and wait until each has come up or failed."""
        for spec in specs:
            self.serving.place(endpoint, spec)
        for spec in specs:
            self.settled(endpoint, spec.name)

    def settled(self, endpoint: str, name: str) -> Deployment:
        return self.until(
            endpoint, name, lambda seen: seen.healthy or seen.state is DeploymentState.FAILED, "come up or fail"
        )

    def until(self, endpoint: str, name: str, done: Callable[[Deployment], bool], what: str) -> Deployment:
        """Wait, for half a minute at most, until the deployment is as said."""
        end = time.monotonic() + 30
        while not done(seen := self.look(endpoint).deployments[name]):
            assert time.monotonic() < end, f"{name} did not {what}: {seen}"
            time.sleep(0.02)
        return seen

    def look(self, endpoint: str) -> Endpoint:
        seen = self.serving.look(endpoint)
        assert seen is not None
        return seen


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `code/score.py` and `model/`."""
    root = tmp_path_factory.mktemp("serving-files")
    (root / "code").mkdir()
    (root / "code" / "score.py").write_text(SCRIPT)
    (root / "code" / "beside.txt").write_text("as it was")
    (root / "model").mkdir()
    return root


def _platform(root: Path, files: Path) -> Iterator[Platform]:
    home = Home(root / ".ctrain")
    try:
        yield Platform(home, LocalServing(home, CLOCK), files)
    finally:
        fleet.down(home, CLOCK)


@pytest.fixture
def platform(tmp_path: Path, files: Path) -> Iterator[Platform]:
    """A home of the test's own."""
    yield from _platform(tmp_path, files)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Platform]:
    """A home for all tests of a module."""
    yield from _platform(tmp_path_factory.mktemp("serving"), files)


@pytest.fixture(scope="session")
def mlflow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression on the columns a to d, with a signature."""
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    script = Path(__file__).parents[4] / "benchmarks" / "router.py"
    code = "import runpy, sys, pathlib; runpy.run_path(sys.argv[1])['save_model'](pathlib.Path(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, str(script), str(folder)], check=True, capture_output=True, timeout=120)
    return folder
