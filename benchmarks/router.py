"""What the endpoint's router costs: the same deployment asked directly and through its endpoint.

    python benchmarks/router.py [--seconds 3] [--rounds 3]

Serves a small scikit-learn model without code, and asks it for one row at a time over loopback, by one client and by
eight, directly and through the router in turn, from this process. Budget: less than 2 ms more at the median with one
client, and at least half of the direct throughput with eight, on two cores. Exits with 1 where it is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving import fleet
from ctrain.backends.local.serving.port import LocalServing
from ctrain.serving import DeploymentSpec

ENDPOINT, DEPLOYMENT = "bench-router", "bench-model"
ROW = {"input_data": {"columns": ["a", "b", "c", "d"], "index": [0], "data": [[0.1, 0.2, 0.3, 0.4]]}}


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Measured:
    """Round trips in seconds, and how long they were collected for."""

    trips: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        return 1000 * sorted(self.trips)[min(len(self.trips) - 1, int(share * len(self.trips)))]

    @property
    def rate(self) -> float:
        return len(self.trips) / self.seconds


async def ask(url: str, key: str, clients: int, seconds: float, into: Measured) -> None:
    """Ask as fast as answers come, for so long; raises RuntimeError for any answer but 200."""
    parts = urlsplit(url)
    body = json.dumps(ROW).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    began = time.perf_counter()

    async def client() -> None:
        reader = writer = None
        while (start := time.perf_counter()) - began < seconds:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(head + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", answer)
            await reader.readexactly(int(length[1]) if length else 0)
            into.trips.append(time.perf_counter() - start)
            if " 200 " not in answer.split("\r\n", 1)[0]:
                raise RuntimeError(answer)
            if "connection: close" in answer:
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    into.seconds += time.perf_counter() - began


def save_model(folder: Path) -> None:
    """A logistic regression on four columns, with a signature."""
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    table = pd.DataFrame(np.random.default_rng(7).normal(size=(200, 4)), columns=list("abcd"))
    model = LogisticRegression().fit(table, table["a"] > 0)
    mlflow.sklearn.save_model(
        model, folder, signature=infer_signature(table, model.predict(table)), pip_requirements=[]
    )


def serve(root: Path) -> tuple[LocalServing, float, float]:
    """Place the model and wait until it is ready. Returns the seconds for the endpoint and for the deployment."""
    save_model(root / "model")
    serving = LocalServing(Home(root / "home"), RealClock())
    began = time.perf_counter()
    serving.create(ENDPOINT)
    created = time.perf_counter()
    spec = DeploymentSpec(DEPLOYMENT, "bench", 1, "0", str(root / "model"), max_concurrent_requests=8)
    serving.place(ENDPOINT, spec)
    while True:
        seen = serving.look(ENDPOINT)
        deployment = seen.deployments[DEPLOYMENT] if seen else None
        if deployment is None or deployment.state == "Failed":
            raise RuntimeError(deployment.error if deployment else "the endpoint is gone")
        if deployment.healthy:
            break
        time.sleep(0.02)
    ready = time.perf_counter()
    serving.route(ENDPOINT, {DEPLOYMENT: 100})
    return serving, created - began, ready - created


def compare(serving: LocalServing, seconds: float, rounds: int) -> bool:
    """Print the table; whether the budget was kept."""
    log = serving.logs(ENDPOINT, DEPLOYMENT)
    direct = re.findall(r"Listening at: (http://\S+)", log)[-1] + "/score"
    seen = serving.look(ENDPOINT)
    routed = seen.scoring_url if seen else ""
    key = serving.key(ENDPOINT)
    print(f"{'':<22}{'p50 ms':>9}{'p99 ms':>9}{'req/s':>9}")
    kept = True
    for clients in (1, 8):
        ways = {"direct": (direct, Measured()), "routed": (routed, Measured())}
        for url, _ in ways.values():
            asyncio.run(ask(url, key, clients, 0.5, Measured()))
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (url, into) in ways.items():
                one = Measured()
                asyncio.run(ask(url, key, clients, seconds, one))
                into.trips += one.trips
                into.seconds += one.seconds
                rates[name].append(one.rate)
        for name, (_, measured) in ways.items():
            print(
                f"{clients} client{'s' * (clients > 1):<2} {name:<11}{measured.quantile(0.5):>9.2f}"
                f"{measured.quantile(0.99):>9.2f}{measured.rate:>9.0f}"
            )
        added = ways["routed"][1].quantile(0.5) - ways["direct"][1].quantile(0.5)
        share = statistics.median(
            through / straight for through, straight in zip(rates["routed"], rates["direct"], strict=True)
        )
        print(f"{'':<10}the router adds {added:.2f} ms at the median, and keeps {share:.0%} of the throughput")
        kept = kept and (added < 2 if clients == 1 else share >= 0.5)
    return kept


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        try:
            serving, created, ready = serve(root)
            print(f"endpoint created in {created:.2f} s, model ready {ready:.2f} s after it was placed\n")
            kept = compare(serving, asked.seconds, asked.rounds)
        finally:
            fleet.down(Home(root / "home"), RealClock())
    print("\nwithin the budget" if kept else "\nOVER THE BUDGET")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
