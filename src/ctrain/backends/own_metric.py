"""Calls a project's own metric: a process of its own, without our environment, and with an end to its time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from math import isfinite
from pathlib import Path

import numpy as np

from ctrain.errors import DataError
from ctrain.gate import own_process
from ctrain.gate.evidence import Floats
from ctrain.gate.own import Asked, Given

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "OMP_NUM_THREADS")
"""Variables that the process gets. No credentials: a metric needs none."""


def measure(root: Path, asked: Asked) -> tuple[Given, Given | None]:
    """What the function gives of both models. Raises DataError where it gives nothing that can be judged."""
    file, _, name = asked.function.rpartition(":")
    path = root / file
    if not path.is_file():
        raise _failed(asked, f"there is no file {file} beside the project file")
    with tempfile.TemporaryDirectory(prefix="ctrain-metric-") as folder:
        _write(asked, Path(folder))
        _run(asked, path, name, Path(folder))
        return _read(asked, Path(folder) / "result.json")


def _write(asked: Asked, folder: Path) -> None:
    evidence = asked.evidence
    columns = {"label": evidence.label, "challenger": evidence.challenger}
    columns |= {f"column-{name}": values for name, values in evidence.columns.items()}
    if evidence.champion is not None:
        columns["champion"] = evidence.champion
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    if evidence.group is not None:
        np.save(folder / "group.npy", evidence.group.codes, allow_pickle=False)


def _run(asked: Asked, path: Path, name: str, folder: Path) -> None:
    command = [sys.executable, "-I", str(own_process.__file__), str(folder), str(path.resolve()), name]
    process = subprocess.Popen(
        [*command, str(asked.resamples), str(asked.seed)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key in _PASSED_ON} | {"HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=asked.seconds)
    except subprocess.TimeoutExpired:
        raise _failed(asked, f"it took more than {asked.seconds:g} s") from None
    finally:
        _end(process)
    if process.returncode:
        last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
        raise _failed(asked, f"it ended with exit code {process.returncode}: {last[:300]}")


def _end(process: subprocess.Popen[str]) -> None:
    """Everything that it started, too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _read(asked: Asked, file: Path) -> tuple[Given, Given | None]:
    try:
        told = json.loads(file.read_text())
        challenger = _given(asked, told["challenger"])
        return challenger, _given(asked, told["champion"]) if "champion" in told else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _failed(asked, "it left no result") from None


def _given(asked: Asked, told: dict[str, object]) -> Given:
    rows, draws = _numbers(told.get("rows")), _numbers(told.get("draws"))
    value = told["value"]
    parts = [np.array([value], dtype=np.float64), *(part for part in (rows, draws) if part is not None)]
    if not isinstance(value, float) or not isfinite(value) or not all(np.isfinite(part).all() for part in parts):
        raise _failed(asked, "what it gave is not a number everywhere")
    return Given(value, rows, draws)


def _numbers(told: object) -> Floats | None:
    return None if told is None else np.asarray(told, dtype=np.float64)


def _failed(asked: Asked, why: str) -> DataError:
    return DataError(
        f"the metric {asked.function} could not be computed",
        why=why,
        hint="call it yourself on the evaluation rows: name(label=..., prediction=..., and its columns)",
    )
