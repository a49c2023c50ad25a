"""What a keystroke costs: `ctrain --help` and `ctrain plan` beside Python and typer, whole processes, taking turns.

    python benchmarks/startup.py [--runs 15]

The budgets are for a machine on which `python -c 'import typer'` takes 0.07 s; the last column scales to it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PIPELINES = Path(__file__).parents[1] / "pipelines"
CTRAIN = str(Path(sys.executable).parent / "ctrain")
TYPER_SECONDS = 0.07
COMMANDS = {
    "python -c pass": ([sys.executable, "-c", "pass"], None),
    "python -c 'import typer'": ([sys.executable, "-c", "import typer"], None),
    "ctrain --help": ([CTRAIN, "--help"], 0.15),
    "ctrain plan": ([CTRAIN, "plan", "--trigger", "main"], 0.4),
    "ctrain status": ([CTRAIN, "status"], None),
}


def timed(words: list[str], folder: Path) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CTRAIN_", "MLFLOW_"))}
    begun = time.perf_counter()
    subprocess.run(words, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def a_repository(folder: Path) -> Path:
    """The reference project, committed, with no platform yet."""
    project = folder / "visits"
    shutil.copytree(PIPELINES, project, ignore=shutil.ignore_patterns(".ctrain", "__pycache__"))
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "bench"]):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    return project


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        project = a_repository(Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for turn in range(runs + 1):
            for name, (words, _) in COMMANDS.items():
                took = timed(words, project)
                if turn:  # the first turn warms caches
                    seconds[name].append(took)
    typer = statistics.median(seconds["python -c 'import typer'"])
    print(f"{'':>26} {'min':>8} {'median':>8} {'max':>8}   {'budget':>7} {'where typer takes 0.07 s':>25}")
    for name, (_, budget) in COMMANDS.items():
        took = sorted(seconds[name])
        middle = statistics.median(took)
        limit = f"{budget:.2f} s" if budget else ""
        scaled = middle * TYPER_SECONDS / typer
        print(f"{name:>26} {took[0]:>6.3f} s {middle:>6.3f} s {took[-1]:>6.3f} s   {limit:>7} {scaled:>23.3f} s")


if __name__ == "__main__":
    main()
