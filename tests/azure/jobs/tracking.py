"""MLflow's REST API of a workspace, answered by MLflow's own server over the engine's store.

A run's id is the job's name, or the step's GUID, as on Azure; in the store they are MLflow's own, so ids are put in
the other's place on the way in and out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from typing import Any, Final

import aiohttp

from ctrain.backends.local.tracking import ensure_store
from tests.azure.cloud import Cloud
from tests.azure.hosts import REGION
from tests.azure.jobs.tracking_server import HEADER
from tests.azure.jobs.workshop import Jobs
from tests.azure.routing import WORKSPACE, Call, Refused, Reply, Routes

routes = Routes(REGION)

_PATIENCE: Final = 60.0
_KEPT: Final = ("accept", "content-type")


class Server:
    """One process for all workspaces, started when first asked for: importing MLflow costs seconds."""

    def __init__(self, cloud: Cloud) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        cloud.on_close(self.close)

    def port(self) -> int:
        """Blocks until it listens."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.azure.jobs.tracking_server"],
                    env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
                assert self._process.stdout is not None
                self._port = int(self._process.stdout.readline())
            return self._port

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()


def _ids(jobs: Jobs) -> dict[str, str]:
    """Our run ids to the store's. A job's run is in the store once the engine has started it."""
    found: dict[str, str] = {}
    for job in jobs.jobs.values():
        state = jobs.state(job.id)
        if state is None:
            continue
        steps = {step.name: step.run_id for step in state.steps if step.run_id}
        if job.pipeline:
            found[job.id] = state.run_id
            found.update({jobs.step_id(job, name): run for name, run in steps.items()})
        else:
            found[job.id] = next(iter(steps.values()), state.run_id)
    return {ours: theirs for ours, theirs in found.items() if theirs}


@routes.any("/mlflow/{edition}" + WORKSPACE + "/api/{rest*}")
async def answer(cloud: Cloud, call: Call) -> Reply:
    """Whatever MLflow's server says."""
    jobs = cloud.workspace(call).part(Jobs)
    await asyncio.to_thread(ensure_store, jobs.home)
    ids = await asyncio.to_thread(_ids, jobs)
    port = await asyncio.to_thread(cloud.part(Server).port)
    query = {name: _theirs(value, ids) for name, value in call.query.items() if name != "api-version"}
    body = json.dumps(_theirs(call.json(), ids)).encode() if call.body.strip() else None
    headers = {name: value for name, value in call.headers.items() if name in _KEPT}
    try:
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.request(
                call.method,
                f"http://127.0.0.1:{port}/api/{call.params['rest']}",
                params=query,
                data=body,
                headers={**headers, HEADER: str(jobs.home.root)},
            ) as found,
        ):
            content = (await found.read()).decode()
    except aiohttp.ClientError as problem:
        raise Refused(503, "ServiceUnavailable", f"MLflow's server did not answer: {problem}") from None
    return Reply(found.status, _ours(content, ids), {"Content-Type": "application/json"})


def _theirs(value: Any, ids: dict[str, str]) -> Any:
    """The store's ids for ours, wherever a whole value, or a quoted one in a filter, is one."""
    match value:
        case dict():
            return {key: _theirs(inner, ids) for key, inner in value.items()}
        case list():
            return [_theirs(inner, ids) for inner in value]
        case str() if value in ids:
            return ids[value]
        case str() if "'" in value or '"' in value:
            for ours, theirs in ids.items():
                value = value.replace(f"'{ours}'", f"'{theirs}'").replace(f'"{ours}"', f'"{theirs}"')
            return value
        case _:
            return value


def _ours(content: str, ids: dict[str, str]) -> str:
    """The store's ids are 32 hex digits, so they are replaced wherever they stand."""
    for ours, theirs in ids.items():
        content = content.replace(theirs, ours)
    return content
