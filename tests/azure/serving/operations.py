"""Long operations: what `Azure-AsyncOperation` and `Location` lead to.

The states, the times, the missing Retry-After and the signed query (t, c, s, h) are those of the recordings in
Azure/azure-sdk-assets (python/sdk/ml/azure-ai-ml). The names and the values of the signature are ours.
"""

from __future__ import annotations

import asyncio
import traceback
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.azure.hosts import ARM
from tests.azure.routing import LOCATION, Body, Call, Refused, Reply, Routes

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud, Workspace

NEVER: Final = "0001-01-01T00:00:00+00:00"
SOON: Final = 0.5
"""Virtual seconds. Who asks for an operation that ends within them gets the answer when it has ended: Microsoft's
clients ask again only after 5 or 30 real seconds."""

PATIENCE: Final = 10.0
"""Real seconds that such an answer is held back at most."""

routes = Routes(ARM)


@dataclass
class Operation:
    """One long operation. `result` is what its resource looks like once it has ended; None where that is gone."""

    id: str
    url: str
    started: str
    due: float
    result: Callable[[], Body | None]
    status: str = "Updating"
    ended: str = NEVER
    error: Body | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def body(self, call: Call) -> Body:
        """What the status URL answers."""
        told: Body = {
            "id": call.path,
            "name": self.id,
            "status": self.status,
            "startTime": self.started,
            "endTime": self.ended,
            "percentComplete": 0.0,
        }
        return told | ({"error": self.error} if self.error is not None else {})


class Operations:
    """All operations of the cloud, by id."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        workspace: Workspace,
        kind: str,
        call: Call,
        seconds: float | None,
        *,
        work: Callable[[], Awaitable[tuple[str, Body | None]]],
        result: Callable[[], Body | None] = lambda: None,
    ) -> Operation:
        """Begin one that takes `seconds` of virtual time, then does `work`; without `seconds` it never ends.

        `work` gives the final status, and the error if there is one. `kind` begins the id: `oeidp` for endpoints,
        `odidp` for deployments. `call` is what began it.
        """
        operation_id = f"{kind}:{workspace.workspace_id}:{uuid.uuid4()}"
        path = LOCATION.format(subscription=workspace.address.subscription_id, location=workspace.location)
        url = f"https://{call.host}{path}/mfeOperationsStatus/{operation_id}?api-version={call.api_version}"
        due = float("inf") if seconds is None else self._cloud.clock.time() + seconds
        operation = Operation(operation_id, url, self._cloud.clock.stamp(), due, result)
        self._operations[operation_id.lower()] = operation
        if seconds is not None:
            task = asyncio.create_task(self._carry_out(operation, seconds, work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return operation

    async def _carry_out(
        self, operation: Operation, seconds: float, work: Callable[[], Awaitable[tuple[str, Body | None]]]
    ) -> None:
        try:
            await self._cloud.clock.sleep(seconds)
            status, operation.error = await work()
        except Exception as bug:  # noqa: BLE001  nobody awaits this task: whoever waits for the operation must be told
            traceback.print_exc()
            status, operation.error = "Failed", {"code": "InternalServerError", "message": f"loopback: {bug!r}"}
        operation.status = status
        operation.ended = self._cloud.clock.stamp()
        operation.done.set()

    def find(self, operation_id: str) -> Operation:
        """Refuses an id that was never given out."""
        found = self._operations.get(operation_id.lower())
        if found is None:
            raise Refused(404, "ResourceNotFound", "The operation was not found.")
        return found

    async def nearly(self, operation: Operation) -> None:
        """Wait a little for an operation that is about to end."""
        if operation.due - self._cloud.clock.time() <= SOON:
            with suppress(TimeoutError):
                await asyncio.wait_for(operation.done.wait(), PATIENCE)

    async def overdue(self, operation: Operation) -> None:
        """Wait a little for one whose virtual time is over already: only real work is left of it."""
        if operation.due <= self._cloud.clock.time():
            await self.nearly(operation)

    def headers(self, operation: Operation, location: str | None = None) -> dict[str, str]:
        """What a 201 or 202 says of it. `location` is the resource itself; without it, the operation's result."""
        signed = self._signed(operation.url)
        return {
            "Azure-AsyncOperation": signed,
            "Location": location or signed.replace("/mfeOperationsStatus/", "/mfeOperationResults/"),
            "x-ms-async-operation-timeout": "PT30M",
        }

    def _signed(self, url: str) -> str:
        token = self._cloud.secrets.new
        moment = f"{int(self._cloud.clock.time()):d}"
        signature = (
            f"t={moment}&c={token('operation URL', 64)}&s={token('operation URL', 64)}&h={token('operation URL')}"
        )
        return f"{url}&{signature}"


@routes.get(LOCATION + "/mfeOperationsStatus/{operation}")
async def status(cloud: Cloud, call: Call) -> Reply:
    """What `Azure-AsyncOperation` leads to."""
    operations = cloud.part(Operations)
    operation = operations.find(call.params["operation"])
    await operations.nearly(operation)
    return Reply(200, operation.body(call))


@routes.get(LOCATION + "/mfeOperationResults/{operation}")
async def result(cloud: Cloud, call: Call) -> Reply:
    """What `Location` leads to: 202 until it has ended, then the resource, or nothing where that is gone."""
    operations = cloud.part(Operations)
    operation = operations.find(call.params["operation"])
    await operations.nearly(operation)
    if not operation.done.is_set():
        return Reply(202, None, {"Location": call.url})
    body = operation.result()
    return Reply(204) if body is None else Reply(200, body)
