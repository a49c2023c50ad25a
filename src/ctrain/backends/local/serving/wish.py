"""What an endpoint should be. Written to disk, whole and at once, before anything is done about it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.serving import DeploymentSpec, DeploymentState, Probe, ScoringCode, Traffic

_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")


def check_name(name: str, kind: str) -> None:
    """Raise UsageError for a name that Azure ML would refuse: the same project must deploy there as well.

    Source: endpoint and deployment naming rules in "Manage resource quotas", Microsoft Learn. Azure allows upper
    case too but compares without case, so only lower case is taken.
    """
    if not 3 <= len(name) <= 32 or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of {kind}",
            why="Azure ML takes 3 to 32 letters, digits and single dashes, a letter first and no dash last",
            hint="choose a name such as visits-prod, in lower case",
        )


@dataclass(frozen=True)
class Placement:
    """A deployment as asked for, with everything its process needs, so that a restart asks nobody.

    `served` says that it was ready once; `failed` why it never became so.
    """

    spec: DeploymentSpec
    model: Path
    interpreter: Path
    code: Path | None = None
    served: bool = False
    failed: str | None = None

    @property
    def state(self) -> DeploymentState:
        if self.served:
            return DeploymentState.SUCCEEDED
        return DeploymentState.FAILED if self.failed else DeploymentState.CREATING


@dataclass(frozen=True)
class Wish:
    """`port` is None until the endpoint process has chosen one, once and for all."""

    name: str
    port: int | None = None
    traffic: Traffic = field(default_factory=dict)
    mirror: Traffic = field(default_factory=dict)
    deployments: Mapping[str, Placement] = field(default_factory=dict)


def write_wish(file: Path, wish: Wish) -> None:
    """Replace the file in one step: a crash leaves the old wish or the new one."""
    content = json.dumps({"format": 1, **asdict(wish)}, default=str, indent=1)
    replace_file(file, content)


def replace_file(file: Path, content: str) -> None:
    """Write a file that only its owner can read, in one step."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def read_wish(file: Path) -> Wish | None:
    """The wish in that file, or None where there is no file. Raises PlatformUnavailable where it cannot be read."""
    try:
        raw = json.loads(file.read_bytes())
        return Wish(
            name=raw["name"],
            port=raw["port"],
            traffic=raw["traffic"],
            mirror=raw["mirror"],
            deployments={name: _placement(placed) for name, placed in raw["deployments"].items()},
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as problem:
        raise PlatformUnavailable(
            f"the endpoint's state in {file} cannot be read",
            why=f"{type(problem).__name__}: {problem}",
            hint="restore the file, or delete the endpoint's folder to start anew",
        ) from None


def placement_from_json(raw: dict[str, Any]) -> Placement:
    """As `read_wish` reads one; raises KeyError, TypeError or ValueError for what is none."""
    return _placement(raw)


def _placement(raw: dict[str, Any]) -> Placement:
    # Fields that this version does not know are dropped: an older ctrain can read what a newer one wrote.
    known = {known.name for known in fields(DeploymentSpec)}
    spec = {name: value for name, value in raw["spec"].items() if name in known}
    spec |= {name: Probe(**spec[name]) for name in ("liveness", "readiness") if name in spec}
    spec |= {"scoring": ScoringCode(**spec["scoring"])} if spec.get("scoring") else {}
    return Placement(
        spec=DeploymentSpec(**spec),
        model=Path(raw["model"]),
        interpreter=Path(raw["interpreter"]),
        code=Path(raw["code"]) if raw.get("code") else None,
        served=raw.get("served", False),
        failed=raw.get("failed"),
    )
