"""What steps run in: the interpreter that ctrain runs in, or a virtual environment built from the step's own files.

`build` takes a conda file (or a requirements file) and makes a virtual environment of it with uv, kept by content. No
conda is needed: its packages are taken from the package index under the same names, which holds for most of what is
written in Azure ML's conda files; what has no such name fails, and says which one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from ctrain.backends.local.jobs.plan import PlannedEnvironment
from ctrain.errors import Location, PipelineError, PlatformUnavailable

if TYPE_CHECKING:
    from ctrain.pipeline.graph import Environment

Mode = Literal["current", "build"]

# Packages that only conda has, and that a virtual environment does not need.
_NOT_FOR_PIP = frozenset({"python", "pip", "setuptools", "wheel"})
# Names that differ. Source: the conda-forge feedstocks of these packages.
_PIP_NAMES = {"pytorch": "torch", "py-xgboost": "xgboost", "matplotlib-base": "matplotlib", "tables": "tables"}
_CONDA = re.compile(r"(?:[\w.-]+::)?(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<version>[=<>!~][^\[\]#]*)?$")


@dataclass(frozen=True)
class Recipe:
    """What to build: a Python version (empty: ctrain's own) and pip requirements."""

    python: str
    requirements: tuple[str, ...]

    @property
    def digest(self) -> str:
        lines = [self.python or current_python(), *self.requirements]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def current_python() -> str:
    return f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


def current_digest() -> str:
    """Digest of ctrain's interpreter: its version, and names and versions of the distributions that it can import.

    Read from the names of their metadata folders, which takes milliseconds. An editable install counts by its
    version alone.
    """
    found = {
        entry for place in sys.path if place.endswith(("site-packages", "dist-packages")) for entry in _dists(place)
    }
    return hashlib.sha256("\n".join([current_python(), *sorted(found)]).encode()).hexdigest()


def installed_version(distribution: str) -> str:
    """The version of a distribution that ctrain's interpreter can import, or empty."""
    for place in sys.path:
        for entry in _dists(place) if place.endswith(("site-packages", "dist-packages")) else ():
            name, _, version = entry.partition("-")
            if name.lower().replace("_", "-") == distribution:
                return version
    return ""


def _dists(place: str) -> Sequence[str]:
    try:
        with os.scandir(place) as entries:
            return [
                entry.name.rsplit(".", 1)[0] for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))
            ]
    except OSError:
        return ()


def current_bin(home: Path) -> str:
    """A folder whose `python` is ctrain's interpreter, to stand first in PATH."""
    own = Path(sys.executable).parent
    if (own / "python").exists():
        return str(own)
    made = home / f"current-{hashlib.sha256(sys.executable.encode()).hexdigest()[:12]}"
    made.mkdir(parents=True, exist_ok=True)
    script = made / "python"
    if not script.exists():
        new = made / f".python-{os.getpid()}"
        new.write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
        new.chmod(0o755)
        new.replace(script)
    return str(made)


class Environments:
    """Says what a step runs in. `folder` keeps what was built, a folder by digest."""

    def __init__(self, folder: Path, mode: Mode) -> None:
        self.folder = folder
        self.mode = mode
        self._current: PlannedEnvironment | None = None

    def current(self) -> PlannedEnvironment:
        if self._current is None:
            self._current = PlannedEnvironment(current_digest(), python=current_bin(self.folder))
        return self._current

    def plan(self, environment: Environment) -> PlannedEnvironment:
        """Builds nothing. Raises PipelineError for a file that cannot be built from.

        An environment without a conda or requirements file (a reference, an image) is ctrain's interpreter.
        """
        if self.mode == "current" or (environment.conda is None and environment.pip is None):
            return self.current()
        found = recipe(environment.conda, environment.pip, environment.at)
        return PlannedEnvironment(found.digest, conda=environment.conda, pip=environment.pip)


def recipe(conda: str | None, pip: str | None, at: Location) -> Recipe:
    """What an environment's files ask for. Raises PipelineError where they cannot be met by pip."""
    lines = [line.strip() for line in (pip or "").splitlines() if line.strip() and not line.strip().startswith("#")]
    if conda is None:
        return Recipe("", tuple(lines))
    from ctrain.document import parse_document

    document = parse_document(conda.encode(), at.file, PipelineError).value
    listed = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise _bad("it has no list of `dependencies`", at)
    python = ""
    for entry in listed:
        if isinstance(entry, dict):
            inner = entry.get("pip")
            if not isinstance(inner, list) or set(entry) != {"pip"}:
                raise _bad("only `pip:` may stand in it with a list of its own", at)
            lines += [str(line) for line in inner]
            continue
        name, version = _conda_package(str(entry), at)
        if name == "python":
            python = version.lstrip("=~").removesuffix(".*")
        elif name not in _NOT_FOR_PIP:
            lines.append(_PIP_NAMES.get(name, name) + _pip_version(version))
    return Recipe(python, tuple(lines))


def _conda_package(entry: str, at: Location) -> tuple[str, str]:
    found = _CONDA.match(entry.strip())
    if not found:
        raise _bad(f"{entry!r} is not a package that pip could install", at)
    return found["name"].lower(), (found["version"] or "").replace(" ", "")


def _pip_version(version: str) -> str:
    """conda's `=1.2` means any 1.2, `==1.2` that one, and a second `=` names a build, which pip does not have.

    Source: conda's package match specification, https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
    """
    if not version.startswith("=") or version.startswith("=="):
        return version.partition("=py")[0]
    number = version[1:].partition("=")[0]
    return f"=={number}" if number.endswith("*") else f"=={number}.*"


def _bad(why: str, at: Location) -> PipelineError:
    return PipelineError(
        "this environment cannot be built",
        why=why,
        hint="correct the conda file, or leave `backends.local.environments` at its default",
        at=at,
    )


def build(planned: PlannedEnvironment, folder: Path) -> str:
    """The folder of a virtual environment's programs, built now or earlier; concurrent builds wait for each other.

    Raises PlatformUnavailable, naming the log, where it cannot be built.
    """
    place = folder / planned.digest[:32]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / ".complete").exists():
            # Scripts in a virtual environment hold its path, so it is built in place and marked when it is whole.
            shutil.rmtree(place, ignore_errors=True)
            _build(recipe(planned.conda, planned.pip, Location(Path("environment"), 1)), place)
    return str(place / "bin")


def _build(found: Recipe, place: Path) -> None:
    import uv

    log = place.with_suffix(".log")
    tool = uv.find_uv_bin()
    wanted = place / "requirements.txt"
    make = [tool, "venv", "--no-python-downloads", "--python", _interpreter(found.python), str(place)]
    install = [tool, "pip", "install", "--python", str(place / "bin" / "python"), "-r", str(wanted)]
    with log.open("w") as written:
        if not _ran(make, written):
            hint = "install that Python, or change the conda file's"
            raise _failed(f"there is no Python {found.python} here to build it with", log, hint)
        wanted.write_text("\n".join(found.requirements) + "\n")
        if not _ran(install, written):
            raise _failed("its packages could not be installed", log, "correct the package, or check the network")
    (place / ".complete").touch()


def _interpreter(version: str) -> str:
    """What uv is asked for: our own interpreter where it will do, as it is certainly there."""
    ours = ".".join(map(str, sys.version_info[:3]))
    return sys.executable if not version or f"{ours}.".startswith(f"{version}.") else version


def _ran(command: list[str], log: IO[str]) -> bool:
    done = subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def _failed(what: str, log: Path, hint: str) -> PlatformUnavailable:
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-8:]
    why = "\n".join([*said, f"the whole log: {log}"])
    return PlatformUnavailable(f"the environment could not be built: {what}", why=why, hint=hint)
