"""The reference project's three scripts, started by a bare shell, by ctrain, and by its peers; then no-op steps.

    python benchmarks/pipeline.py [--runs 7] [--peers dvc metaflow zenml] [--only three|noop]

All of them start the same commands with the same interpreter, and every one logs to an SQLite store of its own. The
runners take turns, so that a machine that slows down does so for all. Compare within one run only.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from peers import NO_TELEMETRY, PEERS, NotInstalled, Work, install

from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.state import read_state

PIPELINES = Path(__file__).resolve().parent.parent / "pipelines"
TABLE = "| runner | wall s, median | min | max | minus bare, s |\n|---|---|---|---|---|"
TRACKING = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}


@dataclass
class Runner:
    """A way to run the commands. `seconds` are those of the whole command, `steps` from first start to last end."""

    name: str
    folder: Path
    command: list[str]
    environment: dict[str, str]
    makes: tuple[str, ...] = ()
    ctrain: bool = False
    seconds: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    broken: str | None = None

    def run(self, *, counts: bool) -> None:
        for made in self.makes:
            shutil.rmtree(self.folder / made, ignore_errors=True)
        if self.ctrain:
            commit(self.folder)  # on the same commit a second `ctrain train` goes on with the first one's release
        environment = {**os.environ, **self.environment}
        began = time.perf_counter()
        done = subprocess.run(
            self.command, check=False, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        took = time.perf_counter() - began
        if done.returncode:
            self.broken = f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}"
        elif counts:
            self.seconds.append(took)
            if self.ctrain:
                self.steps.append(_between_steps(self.folder))


def _between_steps(folder: Path) -> float:
    """Of the newest job on the local backend."""
    jobs = [state for job in Home(folder / ".ctrain").jobs.glob("ctrain-*") if (state := read_state(job)) is not None]
    steps = max(jobs, key=lambda state: state.submitted).steps
    return max(step.ended or 0.0 for step in steps) - min(step.started or 0.0 for step in steps)


def reference_work() -> list[Work]:
    """The commands as the pipeline's YAML has them, with its defaults."""
    python, components = sys.executable, PIPELINES / "components"

    def script(name: str) -> tuple[str, str]:
        return python, str(components / name / f"{name}.py")

    prep = (
        f"--data {PIPELINES / 'data' / 'visits.parquet'} --evaluation-share 0.3 --training training --evaluation rows"
    )
    train = "--training training --learning-rate 0.1 --max-iter 100 --max-leaf-nodes 8 --seed 7 --model model"
    evaluate = "--rows rows --model model --evaluation evaluation"
    return [
        Work("prep", (*script("prep"), *shlex.split(prep)), makes=("training", "rows")),
        Work("train", (*script("train"), *shlex.split(train)), reads=("training",), makes=("model",)),
        Work("evaluate", (*script("evaluate"), *shlex.split(evaluate)), reads=("rows", "model"), makes=("evaluation",)),
    ]


def bare(folder: Path, work: Sequence[Work]) -> Runner:
    folder.mkdir(parents=True)
    lines = "".join(f"{shlex.join(one.command)}\n" for one in work)
    (folder / "run.sh").write_text(f"set -e\n{lines}")
    makes = tuple(made for one in work for made in one.makes)
    return Runner("bare sh", folder, ["sh", "run.sh"], {**NO_TELEMETRY, **TRACKING}, makes)


def ctrain(folder: Path) -> Runner:
    """On a git repository in the folder, which has to be a copy of a whole project."""
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    command = [sys.executable, "-m", "ctrain", "train", "--fresh", "--trigger", "main", "--backend", "local"]
    return Runner("ctrain train --fresh", folder, command, {**NO_TELEMETRY, "CTRAIN_HOME": ""}, ctrain=True)


def commit(folder: Path) -> None:
    author = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "Run"], cwd=folder, check=True)


def peers(folder: Path, work: Sequence[Work], wanted: Sequence[str], cache: Path) -> list[Runner]:
    """A runner for each that can be had; the others are named, with the reason."""
    makes = tuple(made for one in work for made in one.makes)
    found = []
    for peer in PEERS:
        if peer.name.lower() not in wanted:
            continue
        place = folder / peer.name.lower()
        place.mkdir(parents=True)
        try:
            command = peer.write(place, work, install(peer, cache))
        except (NotInstalled, subprocess.SubprocessError) as reason:
            print(f"{peer.name} is left out: {reason}", file=sys.stderr)
            continue
        own = {key: value.format(folder=place) for key, value in peer.environment.items()}
        environment = {**NO_TELEMETRY, **TRACKING, **own}
        found.append(Runner(f"{peer.name} ({peer.package})", place, command, environment, makes))
    return found


def take_turns(runners: Sequence[Runner], runs: int) -> None:
    """One uncounted run each, then `runs` rounds. Who fails is left out from there on."""
    for turn in range(runs + 1):
        for runner in runners:
            if runner.broken is None:
                runner.run(counts=turn > 0)


def rows(runners: Sequence[Runner]) -> list[str]:
    base = statistics.median(runners[0].seconds) if runners[0].seconds else float("nan")
    lines = []
    for runner in runners:
        if runner.broken is not None or not runner.seconds:
            lines.append(f"| {runner.name} | failed | | | |")
            print(f"{runner.name} failed: {runner.broken}", file=sys.stderr)
            continue
        if runner.steps:
            lines.append(_row(f"{runner.name}, first step's start to last step's end", runner.steps, base))
        lines.append(_row(runner.name, runner.seconds, base))
    return lines


def _row(name: str, seconds: Sequence[float], base: float) -> str:
    middle = statistics.median(seconds)
    return f"| {name} | {middle:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {middle - base:+.2f} |"


def three_steps(folder: Path, runs: int, wanted: Sequence[str], cache: Path) -> None:
    work = reference_work()
    shutil.copytree(PIPELINES, folder / "ctrain", ignore=shutil.ignore_patterns("__pycache__", ".ctrain"))
    runners = [bare(folder / "bare", work), ctrain(folder / "ctrain"), *peers(folder, work, wanted, cache)]
    take_turns(runners, runs)
    print(f"\nThe reference project's three scripts, {runs} runs each:\n\n{TABLE}")
    print("\n".join(rows(runners)))
    if runners[0].seconds and runners[1].steps:
        allowed = statistics.median(runners[0].seconds) * 1.05 + 0.3
        took = statistics.median(runners[1].steps)
        print(f"\nWe promise at most {allowed:.2f} s (bare + 5% + 0.3 s) for the pipeline part: it took {took:.2f} s.")


def noop_steps(folder: Path, counts: Sequence[int], runs: int, wanted: Sequence[str], cache: Path) -> None:
    print(f"\nNo-op steps in a row (`true`), {runs} runs each, median wall s:\n")
    print("| runner | " + " | ".join(f"{count} steps" for count in counts) + " | ms a step more |")
    print("|---|" + "---|" * (len(counts) + 1))
    table: dict[str, list[float]] = {}
    for count in counts:
        place = folder / f"noop-{count}"
        work = [Work(f"s{number}", ("true",)) for number in range(count)]
        noop_project(place / "ctrain", count)
        runners = [bare(place / "bare", work), ctrain(place / "ctrain"), *peers(place, work, wanted, cache)]
        take_turns(runners, runs)
        for runner in runners:
            if runner.broken is not None:
                print(f"{runner.name} failed: {runner.broken}", file=sys.stderr)
            table.setdefault(runner.name, []).append(statistics.median(runner.seconds or [float("nan")]))
            if runner.ctrain:
                name = "ctrain, first step's start to last step's end"
                table.setdefault(name, []).append(statistics.median(runner.steps or [float("nan")]))
    for name, medians in table.items():
        more = 1000 * (medians[-1] - medians[0]) / (counts[-1] - counts[0]) if len(counts) > 1 else float("nan")
        print(f"| {name} | " + " | ".join(f"{median:.2f}" for median in medians) + f" | {more:.1f} |")


def noop_project(folder: Path, count: int) -> None:
    """A project whose pipeline is a chain of steps that do nothing but hand a folder on."""
    folder.mkdir(parents=True)
    steps = []
    for number in range(count):
        after = f"\n    inputs: {{before: '${{{{parent.jobs.s{number - 1}.outputs.out}}}}'}}" if number else ""
        kept, does = "out: {type: uri_folder}", "true"
        if number == count - 1:
            does = "touch ${{outputs.model}}/made ${{outputs.evaluation}}/made"
            kept = "model: '${{parent.outputs.model}}', evaluation: '${{parent.outputs.evaluation}}'"
        steps.append(
            f"  s{number}:\n    type: command\n    command: '{does}'\n    environment: azureml:none@latest{after}"
            f"\n    outputs: {{{kept}}}\n"
        )
    (folder / "train.yml").write_text(
        "type: pipeline\ninputs:\n  data: {type: uri_file, path: data.csv}\n"
        "outputs:\n  model: {type: mlflow_model}\n  evaluation: {type: uri_folder}\njobs:\n" + "".join(steps)
    )
    (folder / "data.csv").write_text("x\n1\n")
    (folder / "ctrain.yaml").write_text(
        "project: noop\npipeline: train.yml\ndata: {input: data, local: data.csv}\nmodel: {name: noop, output: model}\n"
        "evaluation: {output: evaluation, row_id: id, label: y}\n"
        "triggers: {pull_request: {data: full}}\n"
        "gate: {metrics: {auc: {direction: up, rule: absolute, floor: 0.5}}}\n"
    )


def main() -> None:
    names = [peer.name.lower() for peer in PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each, after one that is not")
    parser.add_argument("--noop-runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=names, default=names)
    parser.add_argument("--only", choices=["three", "noop"])
    parser.add_argument("--counts", type=int, nargs="+", default=[3, 10, 30], help="numbers of no-op steps")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "ctrain-benchmarks")
    args = parser.parse_args()

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # tables show as they are made
    ours = ", ".join(f"{package} {version(package)}" for package in ("ctrain", "mlflow", "scikit-learn", "pandas"))
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {ours}")
    with tempfile.TemporaryDirectory(prefix="ctrain-benchmark-") as folder:
        if args.only != "noop":
            three_steps(Path(folder), args.runs, args.peers, args.cache)
        if args.only != "three":
            noop_steps(Path(folder), args.counts, args.noop_runs, args.peers, args.cache)


if __name__ == "__main__":
    main()
