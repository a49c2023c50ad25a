"""The handle by which tests start, steer and question the loopback Azure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from ctrain.serving import WorkspaceAddress
from tests.azure.tenancy import GITHUB_ISSUER, PIPELINES_ISSUER, TENANT

ROOT: Final = Path(__file__).parents[2]
PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Application:
    """Who signs in."""

    client_id: str
    secret: str


@dataclass(frozen=True)
class Place:
    """A workspace as control describes it."""

    address: WorkspaceAddress
    location: str
    workspace_id: str
    storage_account: str
    container: str
    arm_id: str
    home: Path


class Loopback:
    """One running loopback Azure. Its environment is all that a client needs to reach it."""

    def __init__(self, process: subprocess.Popen[str], ready: Mapping[str, Any]) -> None:
        self.process = process
        self.proxy = f"http://127.0.0.1:{ready['proxy']}"
        self.ca = Path(ready["ca"])
        self._control = httpx.Client(base_url=f"http://127.0.0.1:{ready['control']}", trust_env=False, timeout=60)

    def control(self, verb: str, where: str, body: Any = None, **query: Any) -> Any:
        """One control call; the answer's JSON. Raises on a refusal."""
        answer = self._control.request(verb, where, json=body, params=query)
        if answer.is_error:
            raise RuntimeError(f"{verb} {where}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def stop(self) -> None:
        """End the process and what it started."""
        self._control.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stdin):
            if pipe:
                pipe.close()

    def environment(self) -> dict[str, str]:
        """How a client reaches Azure here: proxy and CA, nothing else."""
        proxy = {"HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy, "NO_PROXY": "127.0.0.1,localhost"}
        ca = str(self.ca)
        return {
            **proxy,
            **{name.lower(): value for name, value in proxy.items()},
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
            "NODE_EXTRA_CA_CERTS": ca,
        }

    def add_workspace(
        self,
        name: str | None = None,
        *,
        group: str = "loopback",
        subscription: str | None = None,
        location: str = "westeurope",
        storage_account: str | None = None,
    ) -> Place:
        """A fresh workspace, with a default cluster and a default store: an account of its own where none is named."""
        address = WorkspaceAddress(subscription or SUBSCRIPTION, group, name or f"ws-{uuid.uuid4().hex[:8]}")
        wanted = {
            "subscription_id": address.subscription_id,
            "resource_group": address.resource_group,
            "workspace": address.workspace,
            "location": location,
            "storage_account": storage_account,
        }
        made = self.control("POST", "/workspaces", wanted)
        return Place(address, **{**made, "home": Path(made["home"])})

    def add_application(self, subjects: list[tuple[str, str]] | None = None) -> Application:
        """A service principal. `subjects` are the (issuer, subject) whose assertions it takes."""
        return Application(**self.control("POST", "/applications", {"subjects": subjects or []}))

    def service_principal(self) -> dict[str, str]:
        """The environment of a new service principal with a secret."""
        made = self.add_application()
        return {**_principal(made), "AZURE_CLIENT_SECRET": made.secret}

    def github(self) -> dict[str, str]:
        """The environment of a GitHub Actions job whose identity a new application trusts."""
        known = self.control("GET", "/identity")
        made = self.add_application([(GITHUB_ISSUER, known["github_subject"])])
        return {
            **_principal(made),
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://pipelines.actions.githubusercontent.com/job1/idtoken/run1/1?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": known["github_request_token"],
        }

    def pipelines(self) -> dict[str, str]:
        """The environment of an Azure Pipelines job with a workload identity service connection."""
        known = self.control("GET", "/identity")
        made = self.add_application([(PIPELINES_ISSUER, known["pipelines_subject"])])
        plan = "https://dev.azure.com/loopback/visits/_apis/distributedtask/hubs/build/plans/plan1/jobs/job1/oidctoken"
        return {
            **_principal(made),
            "TF_BUILD": "True",
            "SYSTEM_OIDCREQUESTURI": plan,
            "SYSTEM_ACCESSTOKEN": known["pipelines_access_token"],
            "AZURESUBSCRIPTION_CLIENT_ID": made.client_id,
            "AZURESUBSCRIPTION_TENANT_ID": TENANT,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": known["service_connection"],
        }

    def app_service(self) -> dict[str, str]:
        """The environment of App Service, or of an Azure ML compute, with a managed identity."""
        known = self.control("GET", "/identity")
        return {"IDENTITY_ENDPOINT": "http://169.254.130.4/msi/token", "IDENTITY_HEADER": known["identity_header"]}

    def advance(self, seconds: float) -> None:
        """Let so much virtual time pass at once."""
        self.control("POST", "/clock", {"advance": seconds})

    def now(self) -> float:
        """Virtual time, in seconds since the epoch."""
        return float(self.control("GET", "/clock")["now"])

    def durations(self, **seconds: float) -> None:
        """How long things take, in virtual seconds; `endpoint_create=30` is "endpoint.create"."""
        self.control("POST", "/durations", {what.replace("_", "."): value for what, value in seconds.items()})

    def fault(self, act: str, **rule: Any) -> int:
        """A rule by the names of faults.Rule's fields; its number."""
        return int(self.control("POST", "/faults", {"act": act, **rule})["number"])

    def lifetimes(self, **seconds: float) -> None:
        """How long tokens live from now on: `access`, `assertion`."""
        self.control("POST", "/lifetimes", seconds)

    def grant(self, client_id: str, *actions: str, denied: Sequence[str] = (), blobs: bool = True) -> None:
        """All that this client may do from now on: actions with `*`, without those denied."""
        granted = {"actions": list(actions or ("*",)), "notActions": list(denied), "blobs": blobs}
        self.control("PUT", f"/grants/{client_id}", granted)

    def reset(self) -> None:
        """Take back what the test set: faults, durations, lifetimes, grants. Time stays where it is."""
        self.control("POST", "/reset")

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def mark(self) -> int:
        """The journal's length now, for `calls(since=...)`."""
        return int(self.control("GET", "/journal", host="none")["length"])

    def calls(self, **patterns: Any) -> list[dict[str, Any]]:
        """Journal entries whose `method`, `host`, `path` match in full, from entry `since` on.

        `bodies=1`: with what was sent to ARM and the regional planes.
        """
        entries: list[dict[str, Any]] = self.control("GET", "/journal", **patterns)["entries"]
        return entries

    def secrets(self) -> dict[str, str]:
        """Every secret handed out so far, with its kind: none may be in what we write."""
        listed: dict[str, str] = self.control("GET", "/secrets")
        return listed


SUBSCRIPTION: Final = "10000000-0000-4000-8000-000000000001"


def _principal(application: Application) -> dict[str, str]:
    return {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": application.client_id}


def start(home: Path, seconds: float = 3600.0) -> Loopback:
    """Start one; it stops with this process, with `stop`, or after so many seconds."""
    environment = {name: value for name, value in os.environ.items() if name.upper() not in PROXIES}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    command = [sys.executable, "-m", "tests.azure", "--home", str(home), "--seconds", str(seconds)]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "loopback.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--parent", str(os.getpid())],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        raise RuntimeError(f"the loopback Azure did not start: {(home / 'loopback.log').read_text()}")
    return Loopback(process, json.loads(line))


@contextmanager
def running(home: Path, seconds: float = 3600.0) -> Iterator[Loopback]:
    """One that is stopped at the end."""
    loopback = start(home, seconds)
    try:
        yield loopback
    finally:
        loopback.stop()
