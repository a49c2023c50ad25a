"""The orchestrators that we compare with: how each is installed, and how it runs a row of commands."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Work:
    """One command, what it reads and what it makes (relative to the folder it runs in)."""

    name: str
    command: tuple[str, ...]
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """`write` lays a project out in a folder and returns the command that runs it all; it is given the venv's `bin`.

    `{folder}` in `environment` stands for that folder, so that nothing is left elsewhere."""

    name: str
    package: str
    write: Callable[[Path, Sequence[Work], Path], list[str]]
    environment: Mapping[str, str]


class NotInstalled(Exception):
    """Why a peer could not be had."""


def install(peer: Peer, cache: Path) -> Path:
    """The `bin` folder of a virtual environment that has just this peer, made once and kept in `cache`."""
    from uv import find_uv_bin

    folder = cache / peer.package.replace("[", "-").replace("]", "")
    done = folder / ".installed"
    if not done.exists():
        uv = find_uv_bin()
        for arguments in (
            ["venv", "--quiet", "--clear", "--python", "3.11", str(folder)],
            ["pip", "install", "--quiet", "--python", str(folder), peer.package],
        ):
            made = subprocess.run([uv, *arguments], check=False, capture_output=True, text=True, timeout=900)
            if made.returncode:
                raise NotInstalled(" ".join(made.stderr.split())[:300])
        done.touch()
    return folder / "bin"


def write_dvc(folder: Path, work: Sequence[Work], binaries: Path) -> list[str]:
    """`dvc repro -f` over a dvc.yaml, without git; outputs go through its cache, as by default."""
    stages = {
        one.name: {"cmd": shlex.join(one.command), "deps": list(one.reads), "outs": list(one.makes)} for one in work
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}, indent=2))  # JSON is YAML
    dvc = str(binaries / "dvc")
    subprocess.run([dvc, "init", "--no-scm", "--quiet"], cwd=folder, check=True, env={**os.environ, **NO_TELEMETRY})
    return [dvc, "repro", "--force"]


def write_metaflow(folder: Path, work: Sequence[Work], binaries: Path) -> list[str]:
    """`python flow.py run`, its data kept under the folder."""
    names = ["start", *(one.name for one in work[1:-1]), "end"]
    steps = Template((HERE / "metaflow_step.py.template").read_text())
    written = [
        steps.substitute(name=name, command=repr(list(one.command)), next=f"self.next(self.{after})" if after else "")
        for name, one, after in zip(names, work, [*names[1:], None], strict=True)
    ]
    flow = Template((HERE / "metaflow_flow.py.template").read_text())
    (folder / "flow.py").write_text(flow.substitute(steps="\n".join(written)))
    return [str(binaries / "python"), "flow.py", "--no-pylint", "run"]


def write_zenml(folder: Path, work: Sequence[Work], binaries: Path) -> list[str]:
    """`python pipeline.py` on the default stack: local orchestrator, local artifacts, SQLite."""
    (folder / "steps.json").write_text(json.dumps([one.command for one in work]))
    (folder / "pipeline.py").write_text((HERE / "zenml_pipeline.py").read_text())
    return [str(binaries / "python"), "pipeline.py"]


NO_TELEMETRY = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ZENML_ANALYTICS_OPT_IN": "false",
}

PEERS = (
    Peer("DVC", "dvc==3.67.1", write_dvc, {"DVC_SITE_CACHE_DIR": "{folder}/site"}),
    Peer(
        "Metaflow",
        "metaflow==2.19.39",
        write_metaflow,
        {"METAFLOW_DATASTORE_SYSROOT_LOCAL": "{folder}", "USERNAME": "me"},
    ),
    Peer(
        "ZenML",
        "zenml[local]==0.98.0",
        write_zenml,
        {"ZENML_CONFIG_PATH": "{folder}/zenml", "ZENML_LOGGING_VERBOSITY": "WARN"},
    ),
)
