"""Sampling one in a hundred rows: ctrain beside what people write by hand, each in a process of its own.

    python benchmarks/sampling.py [--rows 2000000] [--repeats 5] [--folder DIR]

A Parquet file with an id, a label, nine numbers and a short text a row is generated (80 bytes a row on disk; seeded),
and read once so that it is in the page cache. Then the methods take turns, so that what else the machine does hits all
of them alike. Wall seconds are those of the work: imports come before, and are the same for all; peak memory is the
process's. All of them write the sample as Parquet; those that do not choose by row key say so.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FRACTION = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to put the file; a temporary folder if not given")
    parser.add_argument("--method", choices=["generate", *METHODS], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.method == "generate":
        generate(asked.folder / "data.parquet", asked.rows)
    elif asked.method:
        print(json.dumps(measured(METHODS[asked.method], asked.folder)))
    else:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            compare(Path(folder), asked.rows, asked.repeats)


def compare(folder: Path, rows: int, repeats: int) -> None:
    # in a process of its own: on Linux a child's peak memory begins at its parent's
    again = [sys.executable, __file__, "--folder", str(folder), "--rows", str(rows), "--method"]
    subprocess.run([*again, "generate"], check=True)
    size = sum(len(piece) for piece in pieces(folder / "data.parquet"))
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB; {repeats} rounds; sample of {FRACTION:.0%}\n")
    time.sleep(2.1)  # ctrain does not trust the times of a file this young, and would read it again
    results: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
    for _ in range(repeats):
        for name, runs in results.items():
            done = subprocess.run([*again, name], check=True, stdout=subprocess.PIPE, text=True)
            runs.append(json.loads(done.stdout))
    print("| method | wall s, median (min-max) | peak MiB | rows out |\n|---|---|---|---|")
    for name, runs in results.items():
        walls = sorted(run["seconds"] for run in runs)
        wall = f"{statistics.median(walls):.3f} ({walls[0]:.3f}-{walls[-1]:.3f})"
        print(f"| {name} | {wall} | {max(run['mib'] for run in runs):,.0f} | {runs[0]['rows']:,.0f} |")


def measured(method: Callable[[Path], Callable[[], int]], folder: Path) -> dict[str, float]:
    work = method(folder)
    began = time.perf_counter()
    rows = work()
    seconds = time.perf_counter() - began
    # kibibytes on Linux, bytes on macOS: getrusage(2)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "rows": rows, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def generate(file: Path, rows: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(7)
    writer = None
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        columns: dict[str, Any] = {
            "row_id": np.arange(start, start + n),
            "label": draw.choice(10, n, p=[0.91, *[0.01] * 9]),
        }
        columns |= {f"x{i}": draw.normal(size=n) for i in range(9)}
        table = pa.table(columns).append_column("text", pa.array(draw.integers(0, 100, n).astype(str)))
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            yield piece


def ctrain_pin(folder: Path) -> Callable[[], int]:
    return _ctrain(folder, sample=False, stratify=None, again=False)


def ctrain_sample(folder: Path) -> Callable[[], int]:
    return _ctrain(folder, sample=True, stratify=None, again=False)


def ctrain_stratified(folder: Path) -> Callable[[], int]:
    return _ctrain(folder, sample=True, stratify="label", again=False)


def ctrain_again(folder: Path) -> Callable[[], int]:
    return _ctrain(folder, sample=True, stratify=None, again=True)


def _ctrain(folder: Path, *, sample: bool, stratify: str | None, again: bool) -> Callable[[], int]:
    from ctrain.backends.local.data import LocalData
    from ctrain.backends.local.home import Home
    from ctrain.data import SampleSpec
    from ctrain.rows import count_rows  # noqa: F401 - imports come before

    data = LocalData(Home(Path(tempfile.mkdtemp(dir=folder))), folder)
    if not sample:
        return lambda: data.pin("data.parquet").rows or 0
    pinned, spec = data.pin("data.parquet"), SampleSpec(FRACTION, "row_id", stratify)
    if again:
        data.sample(pinned, spec)
    return lambda: data.sample(pinned, spec).rows or 0


def polars_hash(folder: Path) -> Callable[[], int]:
    import polars as pl

    def work() -> int:
        chosen = pl.scan_parquet(folder / "data.parquet").filter(pl.col("row_id").hash(7) < int(FRACTION * 2**64))
        chosen.sink_parquet(folder / "out.parquet")
        return int(pl.scan_parquet(folder / "out.parquet").select(pl.len()).collect().item())

    return work


def polars_eager(folder: Path) -> Callable[[], int]:
    import polars as pl

    def work() -> int:
        sample = pl.read_parquet(folder / "data.parquet").sample(fraction=FRACTION, seed=7)
        sample.write_parquet(folder / "out.parquet")
        return sample.height

    return work


def pandas_sample(folder: Path) -> Callable[[], int]:
    import pandas as pd

    def work() -> int:
        sample = pd.read_parquet(folder / "data.parquet").sample(frac=FRACTION, random_state=7)
        sample.to_parquet(folder / "out.parquet")
        return len(sample)

    return work


def pandas_stratified(folder: Path) -> Callable[[], int]:
    import pandas as pd

    def work() -> int:
        sample = pd.read_parquet(folder / "data.parquet").groupby("label").sample(frac=FRACTION, random_state=7)
        sample.to_parquet(folder / "out.parquet")
        return len(sample)

    return work


METHODS: dict[str, Callable[[Path], Callable[[], int]]] = {
    "ctrain: pin, reading all bytes": ctrain_pin,
    "ctrain: sample": ctrain_sample,
    "ctrain: sample, stratified": ctrain_stratified,
    "ctrain: sample, made before": ctrain_again,
    "polars lazy, its own hash": polars_hash,
    "polars eager sample (not by key)": polars_eager,
    "pandas sample (not by key)": pandas_sample,
    "pandas groupby sample (not by key)": pandas_stratified,
}

if __name__ == "__main__":
    main()
