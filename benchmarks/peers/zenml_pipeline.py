"""Runs the commands in steps.json one after the other, each as a step of ZenML's default stack, nothing cached."""

import json
import subprocess
from pathlib import Path

from zenml import pipeline, step

COMMANDS = json.loads(Path("steps.json").read_text())


@step
def run(command: list[str]) -> None:
    subprocess.run(command, check=True)


@pipeline(enable_cache=False)
def commands() -> None:
    before: list[str] = []
    for place, command in enumerate(COMMANDS):
        run(command, id=f"step_{place}", after=before)
        before = [f"step_{place}"]


if __name__ == "__main__":
    commands()
