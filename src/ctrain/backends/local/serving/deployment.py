"""Keeps one deployment's server alive, and says how it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from ctrain.backends.local.serving.folder import tail
from ctrain.backends.local.serving.server import GRACE, Server, start_server
from ctrain.backends.local.serving.wish import Placement
from ctrain.serving import Deployment, Probe

START_LIMIT = 300.0
"""Seconds. No deployment gets longer to come up, whatever its probes allow: a laptop's user is waiting."""

BACK_OFF_LIMIT = 30.0
STABLE = 60.0
"""Seconds of service after which a crash counts as the first one again."""

TICK = 1.0
SETTLED = Callable[[str, str | None], Awaitable[None]]
logger = logging.getLogger(__name__)


class KeptDeployment:
    """A deployment with its server, started anew whenever it dies.

    `settled(name, failed)` is called when the first start ends: `failed` is None, or why it never came up; then it
    is not tried again. A server that was ready once is restarted for ever, with growing pauses.
    """

    def __init__(
        self, placement: Placement, log: Path, lock: Path, session: aiohttp.ClientSession, settled: SETTLED
    ) -> None:
        self.placement = placement
        self.ready = False
        self.restarts = 0
        self.error = placement.failed
        self.in_flight = 0
        self.limit = 2 * placement.spec.max_concurrent_requests * placement.spec.instance_count
        self.log = log
        self._lock = lock
        self._session = session
        self._settled = settled
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str | None:
        """Where its server listens, while it is ready."""
        return f"http://127.0.0.1:{self._server.port}" if self._server is not None and self.ready else None

    def seen(self) -> Deployment:
        """The deployment as it is now."""
        spec = self.placement.spec
        return Deployment(
            name=spec.name,
            state=self.placement.state,
            ready=self.ready,
            model=spec.model,
            model_version=spec.model_version,
            model_digest=spec.model_digest,
            restarts=self.restarts,
            error=self.error,
            log=str(self.log),
            tags=spec.tags,
        )

    def start(self) -> None:
        """Begin; one that failed for good is left alone."""
        if self.placement.failed is None and self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the server and wait until it is gone."""
        self.ready = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        crashes = 0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            reason = await self._serve()
            name = self.placement.spec.name
            logger.warning("%s: %s", name, reason)
            self.error = f"{reason}\n{_last_lines(self.log)}".strip()
            if not self.placement.served:
                await self._settled(name, self.error)
                return
            self.restarts += 1
            crashes = 1 if loop.time() - started > STABLE else crashes + 1
            await asyncio.sleep(back_off(crashes))

    async def _serve(self) -> str:
        """One run of the server, from start to end. Returns why it ended."""
        try:
            self._server = server = await start_server(self.placement, self.log, self._lock)
        except (OSError, ValueError) as problem:
            return f"its server cannot be started: {problem}"
        grace = GRACE
        try:
            reason = await self._come_up(server) or await self._watch(server)
            grace = 0.0  # a server that is sick has nothing to finish
        finally:
            self.ready = False
            code = await server.end(grace)
        return f"{reason} (exit code {code})" if code >= 0 else f"{reason} (signal {-code})"

    async def _come_up(self, server: Server) -> str | None:
        spec = self.placement.spec
        budget = start_budget(spec.liveness, spec.readiness)
        try:
            async with asyncio.timeout(budget):
                await _either(server.booted, server.gone)
                if not server.gone.is_set():
                    await self._until_ready(server)
        except TimeoutError:
            return f"it was not ready within {budget:g} s, the time that its probes allow"
        if server.gone.is_set():
            return "its server ended while starting"
        self.ready = True
        self.error = None
        logger.info("%s is ready", spec.name)
        if not self.placement.served:
            await self._settled(spec.name, None)
        return None

    async def _until_ready(self, server: Server) -> None:
        """Azure's initial delay and period are made for machines far away; here we ask again at once."""
        readiness = self.placement.spec.readiness
        successes = 0
        while successes < readiness.success_threshold and not server.gone.is_set():
            successes = successes + 1 if await self._probe(server, readiness.timeout) else 0
            if successes < readiness.success_threshold:
                await asyncio.sleep(0.05)

    async def _watch(self, server: Server) -> str:
        """Probe a server that came up. Returns why it has to be started anew."""
        spec = self.placement.spec
        period = min(spec.liveness.period, spec.readiness.period)
        loop = asyncio.get_running_loop()
        due = loop.time() + period
        failures = successes = 0
        while not await _within(server.gone, min(TICK, period)):
            if loop.time() < due:
                continue
            if await self._probe(server, spec.liveness.timeout):
                failures, successes = 0, successes + 1
                self.ready = self.ready or successes >= spec.readiness.success_threshold
            else:
                failures, successes = failures + 1, 0
                self.ready = self.ready and failures < spec.readiness.failure_threshold
                if failures >= spec.liveness.failure_threshold:
                    return f"it failed {failures} liveness probes in a row"
            due = loop.time() + period
        return "its server crashed"

    async def _probe(self, server: Server, seconds: float) -> bool:
        try:
            timeout = aiohttp.ClientTimeout(total=seconds)
            async with self._session.get(f"http://127.0.0.1:{server.port}/", timeout=timeout) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def start_budget(liveness: Probe, readiness: Probe) -> float:
    """Seconds that a server gets to come up: what the stricter probe allows, up to `START_LIMIT`."""
    probes = (liveness, readiness)
    return min(START_LIMIT, *(probe.initial_delay + probe.failure_threshold * probe.period for probe in probes))


def back_off(crashes: int) -> float:
    """Seconds to wait after so many crashes in a row: 0.1, 0.2, 0.4, ... up to `BACK_OFF_LIMIT`."""
    return float(min(BACK_OFF_LIMIT, 0.1 * 2 ** min(crashes - 1, 16)))


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    tasks = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _last_lines(log: Path, count: int = 20) -> str:
    return "\n".join(tail(log, 8 << 10).splitlines()[-count:])
