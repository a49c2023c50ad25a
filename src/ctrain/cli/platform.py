"""`ctrain local`: the embedded platform's processes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ctrain.backends.clock import SystemClock
from ctrain.backends.local.connect import home_of
from ctrain.backends.local.home import Home
from ctrain.backends.local.serving import fleet
from ctrain.cli import documents
from ctrain.cli.session import project_file
from ctrain.cli.terminal import give, give_json, say
from ctrain.errors import ExitCode
from ctrain.project import load_project
from ctrain.serving import Endpoint


def up(file: Path | None) -> int:
    home = _home(file)
    _show(fleet.up(home, SystemClock()), home)
    return ExitCode.DONE


def down(file: Path | None) -> int:
    stopped = fleet.down(_home(file), SystemClock())
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return ExitCode.DONE


def status(file: Path | None, *, json: bool) -> int:
    home = _home(file)
    seen = fleet.status(home, SystemClock())
    if json:
        give_json(documents.document("local", tuple(seen)))
    else:
        _show(seen, home)
    return ExitCode.DONE


def _home(file: Path | None) -> Home:
    return home_of(load_project(project_file(file)))


def _show(seen: Sequence[Endpoint], home: Home) -> None:
    if not seen:
        give("no endpoints yet: `ctrain run` makes them")
    for endpoint in seen:
        ready = sum(deployment.healthy for deployment in endpoint.deployments.values())
        state = f"up, {ready} of {len(endpoint.deployments)} deployments ready" if endpoint.running else "down"
        give(f"{endpoint.name:<24} {state:<36} {endpoint.scoring_url}")
    give(f"{'home':<24} {home.root}")
    give(f"{'runs and models':<24} mlflow ui --backend-store-uri {shlex.quote(home.tracking_uri)}")
