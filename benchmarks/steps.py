"""What a step costs: no-op steps run by ctrain beside the same commands in a shell loop, in one go.

    python benchmarks/steps.py [--repeat 5]

For steps in a row, "a step more" is ctrain's time from submit to the end, less the bare shell's, less what an empty
job costs, per step. For steps side by side, the bare run starts as many at once as ctrain does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ctrain.backends.local.home import Home
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import Location
from ctrain.pipeline.graph import CommandStep, Environment, FromStep, Input, Output, Pipeline, ValueType
from ctrain.training import TrainingSpec

AT = Location(Path("/pipeline.yml"), 1)
FOLDER = ValueType.URI_FOLDER
COMMAND = "true"
BESIDE = "sleep 0.25"


def in_a_row(count: int) -> Pipeline:
    return _pipeline(
        *(
            _step(number, COMMAND, after=number - 1 if number else None)
            for number in range(count)
        )
    )  # fmt: skip


def side_by_side(count: int) -> Pipeline:
    return _pipeline(*(_step(number, BESIDE, after=None) for number in range(count)))


def _step(number: int, command: str, after: int | None) -> CommandStep:
    return CommandStep(
        name=f"s{number}",
        at=AT,
        command=command,
        inputs={} if after is None else {"i": Input("i", FOLDER, AT)},
        outputs={"o": Output("o", FOLDER, AT)},
        bindings={} if after is None else {"i": FromStep(f"s{after}", "o")},
        exposes={},
        environment=Environment(AT, reference="azureml:any:1"),
        deterministic=False,
    )


def _pipeline(*steps: CommandStep) -> Pipeline:
    return Pipeline(AT.file, {}, {}, steps, code="")


def by_ctrain(home: Home, name: str, pipeline: Pipeline) -> float:
    trainer = LocalTrainer(home, read=lambda _: pipeline)
    spec = TrainingSpec(name, AT.file, {}, "bench", name)
    begun = time.perf_counter()
    run = trainer.submit(spec)
    while not run.status.ended:
        time.sleep(0.002)
        run = trainer.look(name) or run
    if not run.status.succeeded:
        sys.exit(f"the job failed: {run.error}\n{trainer.logs(name)}")
    return time.perf_counter() - begun


def by_shell(count: int) -> float:
    loop = f"i=0; while [ $i -lt {count} ]; do sh -c {COMMAND}; i=$((i+1)); done"
    begun = time.perf_counter()
    subprocess.run(["sh", "-c", loop], check=True)
    return time.perf_counter() - begun


def by_shell_beside(count: int) -> float:
    at_once = len(os.sched_getaffinity(0))
    begun = time.perf_counter()
    for place in range(0, count, at_once):
        batch = [subprocess.Popen(["sh", "-c", BESIDE]) for _ in range(min(at_once, count - place))]
        for process in batch:
            process.wait()
    return time.perf_counter() - begun


def median(repeat: int, measured: Callable[[int], float]) -> float:
    return statistics.median(measured(turn) for turn in range(repeat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        by_ctrain(home, "warm", _pipeline())
        empty = median(repeat, lambda turn: by_ctrain(home, f"empty-{turn}", _pipeline()))
        print(f"an empty job, submit to end: {empty:.3f} s (its process starts, a run in MLflow opens and ends)\n")
        print(f"{'steps':>24} {'bare shell':>11} {'ctrain':>9} {'more':>9} {'a step more':>12}")
        for count in (3, 10, 30):
            bare = median(repeat, lambda _, count=count: by_shell(count))
            ours = median(repeat, lambda turn, count=count: by_ctrain(home, f"row-{count}-{turn}", in_a_row(count)))
            _line(f"{count} in a row", bare, ours, (ours - bare - empty) / count)
        for count in (2, 8):
            bare = median(repeat, lambda _, count=count: by_shell_beside(count))
            ours = median(
                repeat, lambda turn, count=count: by_ctrain(home, f"side-{count}-{turn}", side_by_side(count))
            )
            _line(f"{count} side by side", bare, ours, (ours - bare - empty) / count)


def _line(what: str, bare: float, ours: float, each: float) -> None:
    print(f"{what:>24} {bare:>10.3f}s {ours:>8.3f}s {ours - bare:>8.3f}s {each * 1000:>9.1f} ms")


if __name__ == "__main__":
    main()
