"""One step: its folder, its variables, its command, and what it must leave behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from ctrain.backends.local.jobs.command import Word, resolve
from ctrain.backends.local.jobs.content import last_lines, listing
from ctrain.backends.local.jobs.plan import Joined, LocalPath, PlannedStep, Text, Upstream, Value
from ctrain.backends.local.jobs.state import Kept
from ctrain.errors import DataError

LAST_LINES = 20


@dataclass(frozen=True)
class Place:
    """A step's folder in its job."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def output(self, name: str) -> Path:
        return self.folder / "outputs" / name

    def make(self, step: PlannedStep) -> None:
        """A private copy of the code to run in, and the outputs as Azure ML offers them: folders exist, files don't."""
        self.folder.mkdir(parents=True)
        if step.code:
            shutil.copytree(step.code, self.work)
        else:
            self.work.mkdir()
        (self.folder / "outputs").mkdir()
        for name, output in step.outputs.items():
            if output.folder:
                self.output(name).mkdir()


Outputs = Callable[[Upstream], Path]


def written(value: Value, outputs: Outputs) -> Word:
    """The value as it goes into a command or a variable."""
    match value:
        case Text(text):
            return Word(text)
        case LocalPath(path, _):
            return Word(path, whole=True)
        case Upstream():
            return Word(str(outputs(value)), whole=True)
        case Joined(parts):
            return Word("".join(written(part, outputs).text for part in parts), whole=True)


def command_line(step: PlannedStep, place: Place, outputs: Outputs) -> str:
    def value(kind: str, name: str) -> Word | None:
        if kind == "outputs":
            return Word(str(place.output(name)), whole=True)
        found = step.inputs.get(name)
        return None if found is None else written(found, outputs)

    return resolve(step.command, value)


def variables(
    step: PlannedStep, place: Place, outputs: Outputs, python: str, tracking: Mapping[str, str]
) -> dict[str, str]:
    """The process's environment: ours, Azure ML's, MLflow's, and above all the step's own.

    `AZUREML_PARAMETER_x` is documented for literals
    (https://learn.microsoft.com/python/api/azure-ai-ml/azure.ai.ml.entities.commandjob), `AZURE_ML_INPUT_x` and
    `AZURE_ML_OUTPUT_x` are what public training code reads.
    """
    made = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    made["PATH"] = python + os.pathsep + made.get("PATH", os.defpath)
    if Path(python).parent.joinpath("pyvenv.cfg").exists():
        made["VIRTUAL_ENV"] = str(Path(python).parent)
    # A log that is read while the step runs must not sit in the step's buffers.
    made.setdefault("PYTHONUNBUFFERED", "1")
    for name, value in step.inputs.items():
        text = written(value, outputs).text
        made[f"AZURE_ML_INPUT_{name}"] = text
        if isinstance(value, Text):
            made[f"AZUREML_PARAMETER_{name}"] = text
    for name in step.outputs:
        made[f"AZURE_ML_OUTPUT_{name}"] = str(place.output(name))
    return {**made, **tracking, **step.variables}


@dataclass(frozen=True)
class Missing(Exception):
    """A step ended well and left something out; the message says what."""

    why: str


def collect(step: PlannedStep, place: Place) -> dict[str, Kept]:
    """The outputs as they are now that the step has ended well.

    Raises Missing for a `uri_file` that was not written, and for an output of the pipeline that is empty: nothing that
    is registered or judged later may be made of it.
    """
    kept: dict[str, Kept] = {}
    for name, output in step.outputs.items():
        path = place.output(name)
        files = listing(path)
        if files is None or (output.required and not files):
            raise Missing(f"it ended well, but wrote nothing to its output {name!r} ({path})")
        kept[name] = Kept(str(path), files)
        if output.copy_to:
            _copy(path, Path(output.copy_to))
    return kept


def _copy(made: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if made.is_dir():
        shutil.copytree(made, target, dirs_exist_ok=True)
    else:
        shutil.copy2(made, target / made.name if target.is_dir() else target)


def changed_inputs(step: PlannedStep, digest: Callable[[Path], str]) -> list[str]:
    """The user's own files and folders that are no longer what the step was planned with.

    What it made of them could be kept and reused under the digest of something else.
    """
    parts = [
        part for value in step.inputs.values() for part in (value.parts if isinstance(value, Joined) else (value,))
    ]
    paths = [part for part in parts if isinstance(part, LocalPath)]
    return [path.path for path in paths if _digest_now(path, digest) != path.digest]


def _digest_now(planned: LocalPath, digest: Callable[[Path], str]) -> str:
    try:
        return digest(Path(planned.path))
    except DataError:
        return ""


def failure(code: int, log: Path) -> str:
    """Why a process that ended with this code did so, in a line; then the end of its log."""
    if code < 0:
        how = f"it was killed by {_signal_name(-code)}"
        if code == -9:
            how += " (out of memory, perhaps)"
    elif code > 128 and _signal_name(code - 128).startswith("SIG"):
        how = f"it ended with exit code {code} ({_signal_name(code - 128)})"
    else:
        how = f"it ended with exit code {code}"
    lines = last_lines(log, LAST_LINES)
    return f"{how}\n{lines}" if lines else f"{how} and wrote nothing to its log"


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
