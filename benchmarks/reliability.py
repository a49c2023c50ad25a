"""`make reliability`: runs the proofs of docs/reliability.md, and writes what they print into the page.

python -m benchmarks.reliability [--only NAME]... [--seeds N] [--count N]

Each proof is a command that anyone can run alone. Its tables and last lines go between two marks of the page, under a
line that says the command, the commit, the versions and the day.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
VERSIONS = ("azure-ai-ml", "mlflow", "scipy")


@dataclass(frozen=True)
class Proof:
    """A command, by the words after `python`, and its place in the page."""

    name: str
    words: tuple[str, ...]


def proofs(seeds: int, count: int | None) -> tuple[Proof, ...]:
    """All of them, shortest first."""
    some = ("--count", str(count)) if count else ()
    return (
        Proof("bad-release", ("-m", "tests.e2e.bad_release")),
        Proof("judge", ("-m", "benchmarks.bake_proof")),
        Proof("simulation", ("-m", "tests.simulation", "--seeds", str(seeds))),
        Proof("kills-local", ("-m", "tests.kills", "--backend", "local", *some)),
        Proof("kills-azureml", ("-m", "tests.kills", "--backend", "azureml", *some)),
    )


def main() -> int:
    """0 where every proof held."""
    words = argparse.ArgumentParser()
    words.add_argument("--only", action="append", help="the names of proofs; else all")
    words.add_argument("--seeds", type=int, default=10_000, help="of the simulation")
    words.add_argument("--count", type=int, help="so many places of each kill matrix, by chance; else all")
    asked = words.parse_args()
    failed = []
    for proof in proofs(asked.seeds, asked.count):
        if asked.only and proof.name not in asked.only:
            continue
        print(f"{proof.name}: python {' '.join(proof.words)}", flush=True)
        done = subprocess.run([sys.executable, *proof.words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        failed += [proof.name] if done.returncode else []
        PAGE.write_text(put(PAGE.read_text(), proof.name, f"{_caption(proof)}\n\n{tables(done.stdout)}"))
    print(f"did not hold: {', '.join(failed)}" if failed else "every proof held")
    return 1 if failed else 0


def tables(printed: str) -> str:
    """The tables of an output, and the lines behind the last of them."""
    lines = printed.strip().splitlines()
    rows = [place for place, line in enumerate(lines) if line.startswith("|")]
    kept = [line for place, line in enumerate(lines) if rows and (place in rows or place > rows[-1] or not line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def put(page: str, name: str, text: str) -> str:
    """The page with that text between its marks. Raises ValueError where it has no such place."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    head, found, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"the page has no {begin} ... {end}")
    return f"{head}{begin}\n\n{text}\n\n{end}{tail}"


def _caption(proof: Proof) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    told = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    words = " ".join(proof.words)
    return f"`python {words}`, commit {commit}, Python {platform.python_version()}, {told}, {day}:"


if __name__ == "__main__":
    sys.exit(main())
